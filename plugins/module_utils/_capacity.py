# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placement's arithmetic: what a server's flavor asks for, and why a compute cannot give it (FAULTS.md F27, F17).

Sources: nova 34, nova/scheduler/utils.py (ResourceRequest); placement 16, placement/objects/research_context.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Optional

Inventory = Mapping[str, Any]

_EXTRA_SPEC = re.compile(r"(resources|trait)([a-zA-Z0-9_-]{1,64})?:(.+)")
DISABLED = "COMPUTE_STATUS_DISABLED"


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
    """{"resources": {class: amount}, "required": [trait], "forbidden": [trait]}, as nova asks placement for a server.

    None for a flavor with numbered groups (resources1:...), which is more than one request.
    """
    flavor = server["flavor"]
    specs = flavor["extra_specs"]
    resources: dict[str, int] = {}
    traits = {DISABLED: "forbidden"}
    for key, value in specs.items():
        match = _EXTRA_SPEC.fullmatch(key)
        if match is None:
            continue
        kind, group, name = match.groups()
        if group:
            return None
        if kind == "trait":
            traits[name] = value
        elif not str(value).isdigit():
            return None
        else:
            resources[name] = int(value)
    image = server["image_properties"] or {}
    traits.update({key[6:]: value for key, value in image.items() if key.startswith("trait:")})
    policy = specs.get("hw:cpu_policy") or image.get("hw_cpu_policy")
    if policy == "mixed":
        return None
    if "VCPU" not in resources and "PCPU" not in resources:
        isolate = specs.get("hw:emulator_threads_policy") == "isolate"
        if policy == "dedicated":
            resources["PCPU"] = flavor["vcpus"] + isolate
        else:
            resources["VCPU"] = flavor["vcpus"]
    resources.setdefault("MEMORY_MB", flavor["ram"])
    root = flavor["disk"] if server["image"] else 0
    resources.setdefault("DISK_GB", root + flavor["ephemeral"] + math.ceil(flavor["swap"] / 1024))
    return {
        "resources": {name: amount for name, amount in sorted(resources.items()) if amount},
        "required": sorted(name for name, value in traits.items() if value == "required"),
        "forbidden": sorted(name for name, value in traits.items() if value == "forbidden"),
    }


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
