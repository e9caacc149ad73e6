# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's breakers, one file per fault id: each produces its fault in the real component."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..lab import LabError
from ._breaker import Breaker


def load(fault: str) -> Breaker:
    """The breaker of a fault. Raises LabError when there is none."""
    if fault not in all_breakers():
        raise LabError(f"The lab has no breaker for {fault!r}; it has {', '.join(all_breakers())}.")
    return import_module(f"{__name__}.{fault}").BREAKER


def all_breakers() -> list[str]:
    """The fault ids that have a breaker, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


__all__ = ["Breaker", "all_breakers", "load"]
