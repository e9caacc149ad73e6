#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module service_process: end a stray process of a service, and tell which units still run what was judged."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_process
short_description: End stray processes of OpenStack services
version_added: 0.1.0
description:
  - Ends processes that are known by pid and start time, so that no other process that has the pid by now is meant. Before that
    it looks again whether the process is the program that is named, and whether it is the main process of a unit; a unit's
    process is never ended.
  - A process gets SIGTERM, and SIGKILL when it has not ended after its time. Nothing is ended by name.
  - Tells which units still have the main process that was judged, so that they can be restarted. It restarts nothing itself.
  - An ended process cannot be brought back; the journal says what it was.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  ends:
    description: The processes that should not be there.
    type: list
    elements: dict
    default: []
    suboptions:
      pid:
        description: Its pid.
        type: int
        required: true
      start:
        description: When it started, in clock ticks since boot (field 22 of C(/proc/PID/stat)).
        type: int
        required: true
      program:
        description: The program that it has to be.
        type: str
        default: nova-compute
      grace:
        description: Seconds after SIGTERM before SIGKILL.
        type: int
        default: 60
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
  restarts:
    description: Units whose main process should not be this one any more.
    type: list
    elements: dict
    default: []
    suboptions:
      unit:
        description: The systemd unit.
        type: str
        required: true
      pid:
        description: The pid of the main process that was judged.
        type: int
        required: true
      start:
        description: When it started, in clock ticks since boot.
        type: int
        required: true
      subject:
        description: What to call the wish.
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: End a nova-compute that was left over
  stackmend.openstack.service_process:
    ends:
      - pid: 4711
        start: 318025
"""

RETURN = r"""
ended:
  description: The pids of the processes that were ended.
  returned: success
  type: list
  elements: int
units:
  description: The units that still have the process that was judged.
  returned: success
  type: list
  elements: str
gone:
  description: The subjects of processes that are not what was judged any more; nothing was done about them.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change is in the journal.
  returned: success
  type: str
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils._change import (
    change_host,
    difference,
    wishes,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _systemd
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.service_processes import identity
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.services import program_of
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.module_utils._numbers import whole


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Carry the wishes out, or only tell what they would do."""
    if not journal.tree.is_live:
        raise ChangeFailed("processes are ended on a running host; nothing runs in a directory that stands for one")
    ended: list[int] = []
    gone: list[str] = []
    diff: list[dict[str, str]] = []
    for wish in params["ends"]:
        command = _command(wish["pid"], wish["start"])
        if command is None or not _is(command, wish["program"]):
            gone.append(wish["subject"] or f"pid {wish['pid']}")
            continue
        unit = _unit(wish["pid"])
        if _main_pid(unit) == wish["pid"]:
            raise ChangeFailed(
                f"pid {wish['pid']} is the main process of {unit}, which would start it again; stop the unit"
            )
        line = f"pid {wish['pid']}: {' '.join(command)}\n"
        diff.append(difference(f"processes of {wish['program']}", line, ""))
        if not check_mode:
            journal.record(
                "process_end", name=f"{wish['program']} (pid {wish['pid']})", pid=wish["pid"], start=wish["start"]
            )
            _end(wish["pid"], wish["start"], wish["grace"])
        ended.append(wish["pid"])
    units = []
    for wish in params["restarts"]:
        if _main_pid(wish["unit"]) == wish["pid"] and _command(wish["pid"], wish["start"]) is not None:
            units.append(wish["unit"])
            diff.append(difference(wish["unit"], f"main process {wish['pid']}\n", "restarted\n"))
    return {"changed": bool(ended or units), "ended": ended, "units": units, "gone": gone, "diff": diff}


def _command(pid: int, start: int) -> Optional[list[str]]:
    """The command line of a process, if it is the one that started then; None when it is not, or has ended."""
    try:
        if identity(pid)[1] != start:
            return None
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(65536).decode(errors="replace").split("\0")
    except OSError:
        return None
    return [word for word in words if word] or None


def _is(command: list[str], program: str) -> bool:
    named = program_of(command)
    return named is not None and named[1] == program


def _unit(pid: int) -> str:
    try:
        return _systemd.unit_of(pid) or ""
    except OSError:
        return ""


def _main_pid(unit: str) -> Optional[int]:
    """The main process of a unit; None where it has none. ChangeFailed where systemd cannot be asked: then nothing is ended."""
    if not unit:
        return None
    try:
        told = _systemd.show([unit], "MainPID")[unit]
    except (OSError, subprocess.SubprocessError, KeyError) as error:
        raise ChangeFailed(f"systemd could not be asked for the main process of {unit}; nothing was ended") from error
    return whole(told["MainPID"])


def _end(pid: int, start: int, grace: int) -> None:
    """SIGTERM, and SIGKILL when that took too long; the start is compared again each time."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10)):
        if _command(pid, start) is None:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if _command(pid, start) is None:  # a zombie has no command line
                return
            time.sleep(0.2)
    raise ChangeFailed(f"pid {pid} did not end, not even by SIGKILL")


def main() -> None:
    change_host(
        apply,
        {
            "ends": wishes(
                {
                    "pid": {"type": "int", "required": True},
                    "start": {"type": "int", "required": True},
                    "program": {"type": "str", "default": "nova-compute"},
                    "grace": {"type": "int", "default": 60},
                },
                required=False,
            ),
            "restarts": wishes(
                {
                    "unit": {"type": "str", "required": True},
                    "pid": {"type": "int", "required": True},
                    "start": {"type": "int", "required": True},
                },
                required=False,
            ),
        },
    )


if __name__ == "__main__":
    main()
