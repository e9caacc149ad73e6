# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""placement_capacity_exhausted (F27): no compute has what a refused server asked for, or more is used than there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .. import _allocations, _capacity, _refusals
from .._model import Certainty, Evidence, Fault, Finding, Target, Unknown


def detect(evidence: Evidence) -> Iterator[Finding | Unknown]:
    """Judge the servers that were refused, by what placement has now; and what exceeds its capacity (disk: F17)."""
    placement = evidence["placement"]
    computes = {row["id"]: row["name"] for row in evidence["hypervisors"]["hypervisors"]}
    usage = _capacity.used(placement["consumers"])
    leaks = list(_allocations.leaks(evidence))
    without_leaks = _without(usage, leaks)
    for server in _refusals.refused(evidence["servers"]["servers"]):
        target = Target("server", server["id"], server["name"])
        wanted = _capacity.request(server)
        fits = evidence["candidates"]["candidates"].get(server["id"])
        if wanted is None:
            yield Unknown(
                FAULT.id,
                target,
                f"flavor {server['flavor']['name']} asks for groups of resources, which are not recomputed",
            )
        elif fits is None:
            asked = len(evidence["candidates"]["candidates"])
            yield Unknown(
                FAULT.id, target, f"placement was not asked for it: {asked} servers that were refused came before"
            )
        elif not fits:
            yield _refused(server, target, wanted, computes, evidence, usage, without_leaks, leaks)
    yield from _exceeded(evidence, computes, usage)


def _without(usage: Mapping[str, Mapping[str, int]], leaks: list[_allocations.Leak]) -> dict[str, dict[str, int]]:
    """What is used once nothing is allocated to nobody."""
    rest = {provider: dict(resources) for provider, resources in usage.items()}
    for leak in leaks:
        if not leak.why_not:
            for provider, resources in leak.extra.items():
                for name, amount in resources.items():
                    rest[provider][name] -= amount
    return rest


def _refused(
    server: Mapping[str, Any],
    target: Target,
    wanted: Mapping[str, Any],
    computes: Mapping[str, str],
    evidence: Evidence,
    usage: Mapping[str, Mapping[str, int]],
    without_leaks: Mapping[str, Mapping[str, int]],
    leaks: list[_allocations.Leak],
) -> Finding:
    placement, inventories = evidence["placement"], evidence["inventories"]["inventories"]
    roots = [
        uuid for uuid, provider in placement["providers"].items() if provider["parent"] is None and uuid in computes
    ]
    binding: Counter[str] = Counter()
    later = []
    for root in roots:
        known = (placement, inventories)
        binding.update(_capacity.constraints(wanted, root, *known, usage, evidence["candidates"]["with_trait"]))
        if leaks and not _capacity.constraints(
            wanted, root, *known, without_leaks, evidence["candidates"]["with_trait"]
        ):
            later.append(root)
    why = ", ".join(f"{what} on {count} of {len(roots)} hosts" for what, count in sorted(binding.items()))
    what = ", ".join(f"{amount} {name}" for name, amount in wanted["resources"].items())
    blamed = sorted(
        leak.consumer
        for leak in leaks
        if not leak.why_not and any(placement["providers"][p]["root"] in later for p in leak.extra)
    )
    summary = (
        f"server {server['name']} was refused and no host has room for it now ({what}): {why or 'no single constraint'}"
    )
    reason = (
        "where room is to come from is a choice: enable or add hosts, a smaller flavor, and only last a higher ratio"
    )
    if blamed:
        names = sorted(computes[root] for root in later)
        summary += f". It would fit on {', '.join(names)} without what is allocated to nobody ({', '.join(blamed)})"
        reason = "allocation_orphaned and allocation_doubled come first: give back what is allocated to nobody, then look again"
    return Finding(
        fault=FAULT.id,
        target=target,
        certainty=Certainty.CERTAIN,
        summary=summary,
        subject="request",
        evidence={
            "request": wanted,
            "constraints": dict(sorted(binding.items())),
            "fault": server["fault"],
            "allocated_to_nobody": blamed,
            "would_fit_without": sorted(computes[root] for root in later),
            "read": "GET /allocation_candidates?...&limit=1, /resource_providers/{uuid}/inventories and allocations",
        },
        expected="a host that can take it",
        actual=why or "placement has no candidate",
        reason=reason,
    )


def _exceeded(
    evidence: Evidence, computes: Mapping[str, str], usage: Mapping[str, Mapping[str, int]]
) -> Iterator[Finding]:
    """What a ratio, reserve or total that was reduced leaves beyond its capacity. Of disk, disk_overcommitted tells."""
    for uuid, inventory in sorted(evidence["inventories"]["inventories"].items()):
        for name, of_class in sorted(inventory.items()):
            amount: Optional[int] = usage.get(uuid, {}).get(name)
            if name == "DISK_GB" or amount is None or amount <= _capacity.capacity(of_class):
                continue
            host = computes.get(uuid) or evidence["placement"]["providers"][uuid]["name"]
            most = _capacity.capacity(of_class)
            yield Finding(
                fault=FAULT.id,
                target=Target("hypervisor" if uuid in computes else "resource provider", uuid, host),
                certainty=Certainty.POSSIBLE,
                summary=f"{host} has {amount} {name} allocated of a capacity of {most}",
                subject=name,
                severity="medium",
                evidence={"used": amount, "inventory": of_class},
                expected=f"at most {most} {name}",
                actual=f"{amount} {name}",
                reason="servers run; none can be added, resized or migrated here until some leave or the ratio is what it was",
            )


FAULT = Fault(
    id="placement_capacity_exhausted",
    reference="F27",
    title="No host has room",
    scope="cloud",
    severity="high",
    symptom='Servers end in ERROR with "No valid host was found." and often no reason behind it; the scheduler logs "Got no '
    'allocation candidates from the Placement API".',
    cause="Capacity is (total - reserved) * allocation_ratio, a single server never gets more than max_unit, which is the host's "
    "total whatever the ratio, and hosts that lack a required trait or are disabled do not count. What is allocated to nobody "
    "counts as used.",
    fix="Nothing is changed. First what is allocated to nobody and computes that are down or disabled, then smaller flavors or "
    "more hosts; a higher allocation ratio last of all, for memory is then missing when servers use it.",
    detect=detect,
    cloud_evidence=(*_allocations.READERS, "servers", "inventories", "candidates"),
)
