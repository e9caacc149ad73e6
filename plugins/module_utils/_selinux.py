# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set SELinux booleans and types of ports with the system's own programs, and put them back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ._evidence import _commands
from ._evidence._tree import Tree
from ._model import ChangeFailed
from ._numbers import whole

# Loading a policy takes its time.
SECONDS = 300


def boolean(name: str) -> Optional[bool]:
    """The value of a boolean; None where the policy has none of that name."""
    match = re.match(rf"{re.escape(name)} --> (on|off)", _run(["getsebool", name], must=False))
    return match.group(1) == "on" if match else None


def set_boolean(name: str, value: bool) -> None:
    """Set a boolean, now and for good."""
    _run(["setsebool", "-P", name, "on" if value else "off"])


def port_types(port: int) -> list[str]:
    """The types that a TCP port has been given, the most special first as `semanage port -l` lists them."""
    found = []
    for line in _run(["semanage", "port", "-l"]).splitlines():
        words = line.replace(",", " ").split()
        if len(words) >= 3 and words[1] == "tcp":
            for word in words[2:]:
                low, _dash, high = word.partition("-")
                first, last = whole(low), whole(high or low)
                if first is not None and last is not None and first <= port <= last:
                    found.append(words[0])
    return found


def add_port(port: int, kind: str) -> None:
    _run(["semanage", "port", "-a", "-t", kind, "-p", "tcp", str(port)])


def undo_boolean(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one entry of kind selinux_boolean: {"name", "before", "after"}."""
    now = boolean(entry["name"])
    if now == entry["before"]:
        return "unchanged", ""
    if now != entry["after"]:
        return "conflict", f"the SELinux boolean {entry['name']} is not there any more"
    if not check_mode:
        set_boolean(entry["name"], entry["before"])
    return ("would_restore" if check_mode else "restored"), ""


def undo_port(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one entry of kind selinux_port: {"name", "port", "type"}, where the port had no type before."""
    if entry["type"] not in port_types(entry["port"]):
        return "unchanged", ""
    if not check_mode:
        _run(["semanage", "port", "-d", "-t", entry["type"], "-p", "tcp", str(entry["port"])])
    return ("would_restore" if check_mode else "restored"), ""


def _run(command: Sequence[str], must: bool = True) -> str:
    try:
        run = _commands.run(command, SECONDS, _commands.LOCAL_PATH)
    except FileNotFoundError as error:
        raise ChangeFailed(
            f"{command[0]} is not installed: it comes with policycoreutils and policycoreutils-python-utils"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"{command[0]} could not be run: {error}") from error
    if run.returncode and must:
        raise ChangeFailed(f"{' '.join(command)} failed: {(run.stderr or run.stdout).strip()}")
    return run.stdout
