#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module compute_service: start nova-compute on its host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_service
short_description: Start nova-compute on this host
version_added: 0.1.0
description:
  - Starts a nova-compute that does not run, by its unit, container or a given command, and waits until it runs.
  - One that runs is left alone; this module restarts nothing.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  wishes:
    description: The programs to start.
    type: list
    elements: dict
    required: true
    suboptions:
      program:
        description: The program.
        type: str
        choices: [nova-compute]
        required: true
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
  service_commands:
    description: Dictionary of program to its commands C(start), C(stop) and C(status), when they cannot be discovered.
    type: dict
    default: {}
  wait_seconds:
    description: Seconds within which it has to run.
    type: float
    default: 60
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Start nova-compute where it does not run
  stackmend.openstack.compute_service:
    wishes:
      - program: nova-compute
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose program runs already.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import subprocess
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.compute_process import commands_of, succeeds
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed

START_SECONDS = 300


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Start what does not run."""
    diff = []
    gone: list[str] = []
    for wish in params["wishes"]:
        commands = commands_of(journal.tree, params)
        if not all(commands.values()):
            raise ChangeFailed(
                f"how {wish['program']} is started, stopped and asked for here is not known: set stackmend_service_commands"
            )
        if succeeds(commands["status"]):
            gone.append(wish["subject"] or wish["program"])
            continue
        diff.append(difference(wish["program"], "does not run\n", "runs\n"))
        if not check_mode:
            journal.record("service_start", name=wish["program"], stop=commands["stop"], status=commands["status"])
            _start(wish["program"], commands, params["wait_seconds"])
    return {"changed": bool(diff), "diff": diff, "gone": gone}


def _start(program: str, commands: Mapping[str, list[str]], seconds: float) -> None:
    shown = " ".join(commands["start"])
    try:
        run = subprocess.run(commands["start"], capture_output=True, text=True, timeout=START_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"{program} could not be started by {shown}: {error}") from error
    if run.returncode:
        said = (run.stderr or run.stdout).strip().splitlines()
        raise ChangeFailed(f"{shown} ended with status {run.returncode}: {said[-1] if said else 'it said nothing'}")
    end = time.monotonic() + seconds
    while not succeeds(commands["status"]):
        if time.monotonic() > end:
            raise ChangeFailed(f"{program} was started and does not run after {seconds:.0f} s: look at its log")
        time.sleep(0.5)


def main() -> None:
    change_host(
        apply,
        {
            "wishes": wishes(
                {
                    "program": {"type": "str", "required": True, "choices": ["nova-compute"]},
                }
            ),
            "service_commands": {"type": "dict", "default": {}},
            "wait_seconds": {"type": "float", "default": 60},
        },
    )


if __name__ == "__main__":
    main()
