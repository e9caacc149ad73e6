# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask systemd about its units, and the kernel to which unit a process belongs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from . import _commands

SECONDS = 30.0
_SERVICE = re.compile(r"/([^/\n]+\.service)(?=/|$)", re.MULTILINE)


def unit_of(pid: int) -> Optional[str]:
    """The service that a process belongs to; None of one that somebody started by hand. Raises OSError when it has ended."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
        text = file.read()
    found = [] if "user.slice" in text else _SERVICE.findall(text)
    return found[-1] if found else None


def show(units: Iterable[str], *properties: str, seconds: float = SECONDS) -> dict[str, dict[str, str]]:
    """{unit: {property: what systemd says of it}}, under each name that was asked for.

    Raises OSError or subprocess.SubprocessError where systemd cannot be asked.
    """
    asked = sorted(set(units))
    if not asked:
        return {}
    command = ["systemctl", "show", "--property=" + ",".join(("Id", "Names", *properties)), *asked]
    told = blocks(_commands.run(command, seconds).stdout)
    return {
        unit: {name: block.get(name, "") for name in properties}
        for unit in asked
        for block in told
        if unit in (block.get("Id"), *block.get("Names", "").split())
    }


def blocks(text: str) -> list[dict[str, str]]:
    """The properties of each unit that `systemctl show` tells, units being parted by an empty line."""
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.strip().split("\n\n")
    ]
