# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placement's arithmetic: what a server's flavor asks for, and why a compute cannot give it (FAULTS.md F27, F17).

Source: placement 16, placement/objects/research_context.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from . import _resource_request
from ._cpu_request import Contradiction
from ._resource_request import DISABLED

Inventory = Mapping[str, Any]


def capacity(inventory: Inventory) -> int:
    """What can be used of an inventory in all."""
    return int((inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"])


def refusal(inventory: Inventory, used: int, amount: int) -> Optional[str]:
    """Why placement would not allocate this amount; None when it would. "free", "max_unit", "min_unit" or "step_size"."""
    for limit, broken in (
        ("max_unit", amount > inventory["max_unit"]),
        ("min_unit", amount < inventory["min_unit"]),
        ("step_size", amount % inventory["step_size"] != 0),
        ("free", used + amount > (inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"]),
    ):
        if broken:
            return limit
    return None


def used(consumers: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """{provider: {class: amount}} of {consumer: {provider: {class: amount}}}."""
    total: dict[str, dict[str, int]] = {}
    for holds in consumers.values():
        for provider, resources in holds.items():
            of_provider = total.setdefault(provider, {})
            for name, amount in resources.items():
                of_provider[name] = of_provider.get(name, 0) + amount
    return total


def request(server: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """{"resources": {class: amount}, "required": [trait], "forbidden": [trait]}, as nova asks placement for a server first.

    None for a flavor with groups of its own (resources1:...), which is more than one request, and for one that nova would
    not take with that image.
    """
    found = requests(server)
    return found[0] if found else None


def requests(server: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All that nova asks for, of which one is enough: pinned CPUs as PCPU, and as VCPU of computes that have no PCPU."""
    try:
        asked = _resource_request.of(
            server["flavor"], server["image_properties"] or {}, volume_backed=not server["image"]
        )
    except Contradiction:
        return []
    return [query.plain for query in asked.queries if query.plain is not None]


def constraints(
    wanted: Mapping[str, Any],
    root: str,
    placement: Mapping[str, Any],
    inventories: Mapping[str, Mapping[str, Inventory]],
    usage: Mapping[str, Mapping[str, int]],
    with_trait: Mapping[str, Any],
) -> list[str]:
    """What keeps the compute with this root provider from taking a request: "MEMORY_MB", "VCPU max_unit", "trait X", "disabled".

    A class may be had of any provider of the tree, or of a sharing one. with_trait: {trait: ids of the providers that have
    it}.
    """
    tree = [uuid for uuid, provider in placement["providers"].items() if provider["root"] == root]
    found = []
    for name, amount in wanted["resources"].items():
        offers = [uuid for uuid in (*tree, *placement["sharing"]) if name in inventories.get(uuid, {})]
        reasons = [refusal(inventories[uuid][name], usage.get(uuid, {}).get(name, 0), amount) for uuid in offers]
        if not offers:
            found.append(f"no {name}")
        elif None not in reasons:
            limit = reasons[0]
            found.append(name if limit == "free" else f"{name} {limit}")
    for trait in wanted["required"]:
        if not set(tree) & set(with_trait[trait]):
            found.append(f"trait {trait}")
    for trait in wanted["forbidden"]:
        if set(tree) & set(with_trait[trait]):
            found.append("disabled" if trait == DISABLED else f"forbidden trait {trait}")
    return found
