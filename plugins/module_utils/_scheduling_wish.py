# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked for where a server is to go: by the names that the cloud has, under nova-scheduler's set-up, within bounds.

Sources: nova 34, compute/api.py, scheduler/request_filter.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from . import _resource_request
from ._cpu_request import on
from ._faults.flavor_smaller_than_image import too_small
from ._resource_request import Asked

# The newest microversion of each release (nova 34, rest_api_version_history.rst); the first of two where they share one.
_NEWEST = (
    ((2, 53), 16),
    ((2, 60), 17),
    ((2, 65), 18),
    ((2, 72), 19),
    ((2, 79), 20),
    ((2, 87), 21),
    ((2, 88), 23),
    ((2, 90), 24),
    ((2, 93), 26),
    ((2, 95), 27),
    ((2, 96), 29),
    ((2, 100), 31),
    ((2, 103), 33),
    ((2, 104), 34),
)


class UnknownName(ValueError):
    """A flavor, image, zone or host that the cloud does not have; the sentence names the nearest that it has."""


class Setup(NamedTuple):
    """How nova-scheduler is set up: filters in their order, {"section.option": text}, release (None: not known), and the
    hosts that were read for it; without any, it is assumed."""

    filters: tuple[str, ...]
    options: Mapping[str, str]
    release: Optional[int]
    hosts: tuple[str, ...]

    def on(self, option: str) -> bool:
        return on(self.options.get(f"scheduler.{option}", ""))


class Wish(NamedTuple):
    """What is asked for, by the names that the cloud knows. project: who asks."""

    flavor: Mapping[str, Any]
    image: Mapping[str, Any]
    zone: str
    host: str
    volume_backed: bool
    project: str


class Bounds(NamedTuple):
    """Where a server may go: for each of `within` a host must be in one of its aggregates; it may be in none of `without`.

    An entry is (what it stands for, {aggregate uuid: name}).
    """

    within: list[tuple[str, dict[str, str]]]
    without: tuple[str, dict[str, str]]


def release_of(microversion: str) -> Optional[int]:
    """The release of a nova whose newest microversion this is; None for one between those that are known."""
    parts = tuple(int(part) for part in microversion.split("."))
    return next((release for newest, release in _NEWEST if newest == parts), None)


def setups(
    seen: Mapping[str, Optional[Mapping[str, Any]]], release: Optional[int], default: Sequence[str]
) -> list[Setup]:
    """The distinct ways in which the schedulers are set up, or the release's own where none was read.

    seen: {host: what the reader `scheduler` gave there}. default: enabled_filters of that release.
    """
    found: dict[tuple[Any, ...], Setup] = {}
    for host, entry in sorted(seen.items()):
        if not entry:
            continue
        key = (tuple(entry["enabled_filters"]), tuple(sorted(entry["options"].items())))
        hosts = (*found[key].hosts, host) if key in found else (host,)
        found[key] = Setup(key[0], dict(entry["options"]), entry["release"] or release, hosts)
    return list(found.values()) or [Setup(tuple(default), {}, release, ())]


def resolve(
    evidence: Mapping[str, Any], flavor: str, image: str, zone: str, host: str, volume_backed: bool, project: str
) -> Wish:
    """Find what was named. Raises UnknownName."""
    computes = {row["host"]: row["host"] for row in compute_rows(evidence)}
    zones = {row["zone"] for row in evidence["compute_services"]["services"] if row["zone"]}
    zones |= {row["zone"] for row in evidence["aggregates"]["aggregates"] if row["zone"]}
    if zone and zone not in zones:
        raise UnknownName(_nearest("availability zone", zone, zones))
    if host and host not in computes:
        of_node = {row["name"]: row["host"] for row in evidence["hypervisors"]["hypervisors"]}
        if host in of_node:
            raise UnknownName(f"{host} is a hypervisor and no compute service's host; did you mean {of_node[host]}?")
        raise UnknownName(_nearest("compute service on a host", host, computes))
    return Wish(
        _named("flavor", flavor, evidence["flavors"]["flavors"]),
        _named("image", image, evidence["images"]["images"]),
        zone,
        host,
        volume_backed,
        project,
    )


def _named(kind: str, name: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    for row in rows:
        if row["id"] == name:
            return row
    found = [row for row in rows if row["name"] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownName(f"{len(found)} {kind}s are called {name!r}: give the id, such as {found[0]['id']}")
    raise UnknownName(_nearest(kind, name, {row["name"] for row in rows if row["name"]}))


def _nearest(kind: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    lower = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower(), lower, 1, 0.5)
    hint = f"did you mean {lower[near[0]]}?" if near else f"there are {', '.join(names[:10]) or 'none at all'}"
    return f"there is no {kind} {name!r}; {hint}"


def ask(wish: Wish, setup: Setup, traits: Optional[Collection[str]] = None) -> Asked:
    """What nova asks placement for. Raises Contradiction."""
    return _resource_request.of(
        wish.flavor,
        wish.image["properties"],
        volume_backed=wish.volume_backed,
        disk_format=wish.image["disk_format"],
        release=setup.release,
        options=setup.options,
        traits=traits,
    )


def refused_by_api(wish: Wish, evidence: Mapping[str, Any]) -> list[str]:
    """Why nova's API does not take the request at all, or no compute builds it, wherever it is to go."""
    found = []
    if wish.image["status"] != "active":
        found.append(f"image {wish.image['name']} is {wish.image['status']}, and must be active")
    for lack in too_small(wish.flavor, wish.image):
        if lack.what == "memory" or not wish.volume_backed:
            found.append(f"the flavor's {lack.what} is {lack.has} {lack.unit}, and the image needs {lack.needs}")
    services = evidence["compute_services"]["services"]
    if wish.zone and not any(row["zone"] == wish.zone and row["status"] == "enabled" for row in services):
        found.append(f"availability zone {wish.zone} is not available: none of its compute services is enabled")
    listed = {row["host"] for row in evidence["hypervisors"]["hypervisors"]}
    if wish.host and wish.host not in listed and not is_partial(evidence):
        found.append(f"compute host {wish.host} could not be found: it is mapped to no cell")
    return found


def bounds(wish: Wish, asked: Optional[Asked], setup: Setup, evidence: Mapping[str, Any]) -> Bounds:
    """The aggregates that zone, project and isolation demand or forbid (nova 34, scheduler/request_filter.py)."""
    aggregates = evidence["aggregates"]["aggregates"]
    within = []
    zone = {row["uuid"]: row["name"] for row in aggregates if wish.zone and row["zone"] == wish.zone}
    if zone:
        within.append((f"availability zone {wish.zone}", zone))
    if setup.on("limit_tenants_to_placement_aggregate"):
        own = {
            row["uuid"]: row["name"]
            for row in aggregates
            if any(key.startswith("filter_tenant_id") for key in row["metadata"])
            and wish.project in row["metadata"].values()
        }
        if own or setup.on("placement_aggregate_required_for_tenants"):
            within.append((f"the aggregates of project {wish.project}", own))
    isolated = {}
    if setup.on("enable_isolated_aggregate_filtering") and asked is not None:
        required = {f"trait:{trait}" for group in asked.queries[0].groups.values() for trait in group["required"]}
        isolated = {
            row["uuid"]: row["name"]
            for row in aggregates
            if any(
                key.startswith("trait:") and value == "required" and key not in required
                for key, value in row["metadata"].items()
            )
        }
    return Bounds(within, ("aggregates for servers with other traits", isolated))


def compute_rows(evidence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in evidence["compute_services"]["services"] if row["binary"] == "nova-compute"]


def is_partial(evidence: Mapping[str, Any]) -> bool:
    return bool(evidence["compute_services"]["gaps"] or evidence["hypervisors"]["gaps"])


def traits_of(asked: Asked) -> set[str]:
    """Every trait that decides."""
    found = {*asked.doubtful}
    for request in asked.queries:
        found |= {*request.root_required, *request.root_forbidden}
        for group in request.groups.values():
            found |= {*group["required"], *group["forbidden"]}
    return found
