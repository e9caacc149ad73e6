# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the faults of nova's cells have in common: what a host with nova-manage said about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._model import Evidence, Target, Unknown


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """The cells as nova-manage's own database shows them; None for a host that has no such database."""
    cells = evidence["nova_cells"]
    if cells is None:
        return None
    # "through" stays on the host: the environment of a service may hold passwords.
    return {key: cells[key] for key in ("cells", "hosts", "computes", "unmapped", "discover_seconds")}


def witness(evidence: Evidence) -> Optional[tuple[str, Mapping[str, Any]]]:
    """(inventory name, observation) of the first host that saw the cells; they all see the same databases."""
    seen = sorted((name, seen) for name, seen in evidence["hosts"].items() if seen)
    return seen[0] if seen else None


def nobody_saw(fault: str) -> Unknown:
    return Unknown(
        fault,
        Target("cloud", "cells", "cells"),
        "no host that was read has nova's API database: let the inventory (and --limit) include a controller with nova-manage",
    )


def did_not_answer(seen: Mapping[str, Any]) -> bool:
    return any(cell["error"] for cell in seen["cells"])
