# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""flavor_extra_specs_unscoped (F07): an extra spec without a scope makes a filter of the scheduler refuse every host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown
from ._scheduler import HOST_ATTRIBUTES, matches

AGGREGATES, CAPABILITIES = "AggregateInstanceExtraSpecsFilter", "ComputeCapabilitiesFilter"
# Up to Mitaka an unscoped key was a capability, whatever its name; commit 83b59ea603 of Newton looks for it first.
_LAST_OF_ANY_KEY = 13
# Keys that nova itself reads without a scope: the first has a scoped name since 18.0, the second has none.
_SCOPED = {"hide_hypervisor_id": "hw"}
_ONLY_UNSCOPED = ("group_policy",)
Flavor = Mapping[str, Any]


class Refusal(NamedTuple):
    """Why no host is left for a flavor: the filter, what it looks for, and how sure that is."""

    filter: str
    why: str
    certain: bool


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """Which of the two filters this scheduler applies."""
    scheduler = evidence["scheduler"]
    if not scheduler:
        return None
    filters = [name for name in scheduler["enabled_filters"] if name in (AGGREGATES, CAPABILITIES)]
    return {"release": scheduler["release"], "filters": filters}


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The flavors with unscoped keys, and what the two filters compare those with."""
    keep = ("id", "name", "public", "extra_specs")
    return {
        "flavors": [
            {key: flavor[key] for key in keep}
            for flavor in evidence["flavors"]["flavors"]
            if any(":" not in key for key in flavor["extra_specs"])
        ],
        "metadata": [aggregate["metadata"] for aggregate in evidence["aggregates"]["aggregates"]],
        "hosts": [
            {
                "host": row["host"],
                "nodename": row["name"],
                "hypervisor_hostname": row["name"],
                "hypervisor_type": row["type"],
                "hypervisor_version": row["version"],
                "host_ip": row["address"],
                "total_usable_ram_mb": row["memory_mb"],
            }
            for row in evidence["hypervisors"]["hypervisors"]
        ],
        "every_host": not evidence["hypervisors"]["gaps"],
    }


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    schedulers = {name: seen for name, seen in evidence["hosts"].items() if seen}
    for flavor in cloud["flavors"]:
        if not schedulers:
            reason = (
                "no host with nova-scheduler was read, so it is not known which filters judge its unscoped extra specs"
            )
            yield Unknown(FAULT.id, _target(flavor), reason)
            continue
        for key in sorted(key for key in flavor["extra_specs"] if ":" not in key):
            refusals = _refusals(key, flavor["extra_specs"][key], schedulers, cloud)
            if refusals:
                yield _finding(flavor, key, refusals, schedulers, cloud)


def _refusals(key: str, value: str, schedulers: Mapping[str, Any], cloud: Mapping[str, Any]) -> list[Refusal]:
    found = []
    using = [seen for seen in schedulers.values() if AGGREGATES in seen["filters"]]
    if using and not any(key in metadata for metadata in cloud["metadata"]):
        why = f"no aggregate has {key} in its metadata"
        found.append(Refusal(AGGREGATES, why, len(using) == len(schedulers)))
    using = [seen for seen in schedulers.values() if CAPABILITIES in seen["filters"]]
    old = [seen for seen in using if seen["release"] is not None and seen["release"] <= _LAST_OF_ANY_KEY]
    if using and HOST_ATTRIBUTES.fullmatch(key):
        readable = [host[key] for host in cloud["hosts"] if key in host]
        if not readable:
            why = f"{key} is an attribute of the scheduler's hosts, which it is compared with"
            found.append(Refusal(CAPABILITIES, why, False))
        elif not any(matches(str(actual), value) for actual in readable):
            why = f"{key} is an attribute of the scheduler's hosts, and {value!r} is that of none"
            found.append(Refusal(CAPABILITIES, why, cloud["every_host"] and len(using) == len(schedulers)))
    elif old:
        why = f"nova up to Mitaka takes every unscoped key for a capability, and no host has {key}"
        found.append(Refusal(CAPABILITIES, why, len(old) == len(schedulers)))
    return found


def _finding(
    flavor: Flavor, key: str, refusals: Sequence[Refusal], schedulers: Mapping[str, Any], cloud: Mapping[str, Any]
) -> Finding:
    value = flavor["extra_specs"][key]
    certain = any(refusal.certain for refusal in refusals)
    filters = " and ".join(refusal.filter for refusal in refusals)
    remedy, expected, reason = _remedy(flavor, key, refusals, cloud)
    return Finding(
        fault=FAULT.id,
        target=_target(flavor),
        certainty=Certainty.CERTAIN if certain else Certainty.PROBABLE,
        subject=key,
        summary=f"Flavor {flavor['name']!r} has the unscoped extra spec {key}={value}: {filters} "
        f"{'leaves' if len(refusals) == 1 else 'leave'} no host for it, since {refusals[0].why}",
        evidence={
            "source": "nova: flavors, aggregates, hypervisors; nova.conf of each scheduler",
            "extra_spec": {key: value},
            "refused_by": {refusal.filter: refusal.why for refusal in refusals},
            "schedulers": {name: seen["filters"] for name, seen in sorted(schedulers.items())},
        },
        expected=expected,
        actual=f"{key}={value}",
        remedy=remedy,
        reason=reason,
    )


def _remedy(
    flavor: Flavor, key: str, refusals: Sequence[Refusal], cloud: Mapping[str, Any]
) -> tuple[Optional[Remedy], str, str]:
    """Move the key under the scope in which it does what its value says, else remove it; what is expected; and why it waits."""
    value = flavor["extra_specs"][key]
    if key in _ONLY_UNSCOPED:
        return (
            None,
            f"{key} in the metadata of an aggregate, or a scheduler without {AGGREGATES}",
            f"nova knows {key} by this name only: give the aggregates the same metadata, or do without {AGGREGATES}",
        )
    scope: Optional[str] = _SCOPED.get(key)
    if scope is None and any(matches(one, value) for metadata in cloud["metadata"] for one in _values(metadata, key)):
        scope = "aggregate_instance_extra_specs"
    elif scope is None and any(matches(str(host[key]), value) for host in cloud["hosts"] if key in host):
        scope = "capabilities"
    if scope and f"{scope}:{key}" in flavor["extra_specs"]:
        scope = None  # it says so already
    wish = {
        "id": flavor["id"],
        "key": key,
        "scope": scope,
        "expect": value,
        "subject": f"{flavor['id']} {key}",
    }
    expected = f"{scope}:{key}={value}" if scope else f"no {key}"
    reason = (
        "it changes where new servers of this flavor may run; servers that exist keep the flavor as it was when they were "
        "created, and are not moved by it"
    )
    return Remedy("flavor_extra_specs", Risk.DISRUPTIVE, {"flavor_extra_specs_wishes": [wish]}), expected, reason


def _values(metadata: Mapping[str, str], key: str) -> list[str]:
    """nova/scheduler/filters/utils.py aggregate_metadata_get_by_host: values are separated by commas."""
    return [part.strip() for part in re.split(",", metadata[key])] if key in metadata else []


def _target(flavor: Flavor) -> Target:
    return Target("flavor", flavor["id"], flavor["name"])


FAULT = Fault(
    id="flavor_extra_specs_unscoped",
    reference="F07",
    title="Flavor with an extra spec that no host can satisfy for want of a scope",
    scope="cloud",
    severity="high",
    symptom="Servers of this flavor go to ERROR with 'No valid host was found'; nova-scheduler logs 'Filter "
    "AggregateInstanceExtraSpecsFilter returned 0 hosts' (or ComputeCapabilitiesFilter).",
    cause="AggregateInstanceExtraSpecsFilter takes every key without a colon for one of an aggregate's metadata, and "
    "ComputeCapabilitiesFilter one that is named like an attribute of its hosts (up to Mitaka: every one) for a capability.",
    fix="On approval, move the key under its scope (aggregate_instance_extra_specs:, capabilities:, hw:), or remove it where "
    "nothing matches it. The new key is added before the old one goes. The flavor keeps its id and its access list; servers "
    "that exist keep the flavor they were created with.",
    host_evidence=("scheduler",),
    cloud_evidence=("flavors", "aggregates", "hypervisors"),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
