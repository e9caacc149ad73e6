# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read whether nova-compute runs on this host, and how it is started and stopped here."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._model import Unavailable
from . import compute, services
from ._tree import Tree

PROGRAM = "nova-compute"
SECONDS = 20.0


def read(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """{"host", "running": bool or None, "start", "stop", "status": command or []}; None for a host that is no compute.

    host is the name under which nova knows it; running is None where it cannot be told, as for a directory that
    stands for a host. options: as for `services`, and service_commands {program: {"start", "stop", "status": command}},
    which comes before what is discovered; status ends with 0 while the program runs.
    """
    known = compute.read(tree, options)
    if known is None:
        return None
    commands = commands_of(tree, options)
    running: Optional[bool] = None
    if commands["status"]:
        running = succeeds(commands["status"])
    elif tree.is_live:
        running = any(program.name == PROGRAM for program in services.running(tree))
    return {"host": known["host"], "running": running, **commands}


def commands_of(tree: Tree, options: Mapping[str, Any]) -> dict[str, list[str]]:
    """{"start", "stop", "status"}: commands, empty where there is none."""
    given = (options.get("service_commands") or {}).get(PROGRAM)
    if given:
        return {verb: list(given.get(verb) or ()) for verb in ("start", "stop", "status")}
    if not tree.is_live:
        return {"start": [], "stop": [], "status": []}
    for program in services.installed(tree):
        if program.name != PROGRAM:
            continue
        if program.unit:
            return {
                "start": ["systemctl", "start", program.unit],
                "stop": ["systemctl", "stop", program.unit],
                "status": ["systemctl", "is-active", "--quiet", program.unit],
            }
        engine = next((path for path in ("/usr/bin/podman", "/usr/bin/docker") if tree.exists(path)), None)
        if program.container and engine:
            name = program.container.replace("-", "_")
            # `top` fails for a container that does not run
            return {"start": [engine, "start", name], "stop": [engine, "stop", name], "status": [engine, "top", name]}
    return {"start": [], "stop": [], "status": []}


def succeeds(command: Sequence[str]) -> bool:
    """Whether a command ends with status 0. Raises Unavailable where it cannot be run or does not end."""
    try:
        run = subprocess.run(list(command), capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"whether nova-compute runs could not be asked by {' '.join(command)}: {error}") from error
    return run.returncode == 0
