# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask placement for the candidates of one request, as nova-scheduler does, and who has the traits and aggregates it names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from .. import _scheduling_wish
from .._cpu_request import Contradiction
from .._model import Unavailable
from .._numbers import whole
from .._resource_request import OWNER, Request
from .._session import Cloud
from . import placement

# nova 34, [scheduler] max_placement_results
LIMIT = 1000
# Distinct traits of all flavors that are looked for; what further ones ask for is unknown.
MOST_TRAITS = 60


def read(
    cloud: Cloud, reader: Callable[[str], Any], wish: _scheduling_wish.Wish, setup: _scheduling_wish.Setup
) -> dict[str, Any]:
    """{"candidates": as `candidates` gives them, "with_trait": {trait: [provider]}, "members": {what for: [provider]},
    "shared": {sharing provider: [root provider]}, "known_traits": [trait], or None where none of them decides}.

    With_trait has the traits of the request, and then of requests for the other flavors.
    """
    seen = {name: reader(name) for name in ("flavors", "aggregates", "hypervisors", "compute_services", "placement")}
    known = known_traits(cloud) if any(setup.on(option) for option in _BY_TRAIT) else None
    none: dict[str, Any] = {"providers": [], "refused": "", "cut": False}
    own: set[str] = set()
    others: set[str] = set()
    asked = None
    for flavor in seen["flavors"]["flavors"]:
        try:
            each = _scheduling_wish.ask(wish._replace(flavor=flavor), setup, known)
        except Contradiction:
            continue
        if flavor["id"] == wish.flavor["id"]:
            asked, own = each, _scheduling_wish.traits_of(each)
        else:
            others |= _scheduling_wish.traits_of(each)
    limits = _scheduling_wish.bounds(wish, asked, setup, seen)
    members_of = {label: members(cloud, sorted(names)) for label, names in (*limits.within, limits.without)}
    found = none
    if asked is not None and not any(not names for _label, names in limits.within):
        nodes = [row["id"] for row in seen["hypervisors"]["hypervisors"] if row["host"] == wish.host]
        found = candidates(
            cloud,
            asked.queries,
            [names for _label, names in limits.within],
            limits.without[1],
            nodes[0] if len(nodes) == 1 else "",
            _limit(setup),
        )
    first = sorted(own | {OWNER})
    traits = [*first, *sorted(others - set(first))][:MOST_TRAITS]
    return {
        "candidates": found,
        "with_trait": placement.with_traits(cloud, traits),
        "members": members_of,
        "shared": {uuid: sharers(cloud, uuid) for uuid in seen["placement"]["sharing"]},
        "known_traits": known,
    }


_BY_TRAIT = ("query_placement_for_image_type_support", "image_metadata_prefilter")


def _limit(setup: _scheduling_wish.Setup) -> int:
    text = setup.options.get("scheduler.max_placement_results", "")
    return whole(text) or LIMIT


def candidates(
    cloud: Cloud,
    requests: Iterable[Request],
    member_of: Iterable[Collection[str]] = (),
    not_member_of: Collection[str] = (),
    in_tree: str = "",
    limit: int = LIMIT,
) -> dict[str, Any]:
    """{"providers": [every provider that some candidate allocates of], "refused": what placement says to a request that it
    does not take, "cut": whether there may be more}.

    member_of: of each of these collections of aggregates a host must be in one, and in none of not_member_of. in_tree: the
    one root provider that is asked for.
    """
    version = placement.version_of(cloud)
    providers: set[str] = set()
    refused, cut = "", False
    for request in requests:
        path = "/allocation_candidates?" + query(request, member_of, not_member_of, in_tree, limit, version)
        answer = cloud.request("GET", "placement", path, microversion=version)
        if answer.status_code == 400:
            # nova logs it and goes on as if there were no candidates.
            refused = _detail(answer)
            continue
        if not answer.ok:
            raise Unavailable(
                f"placement of cloud {cloud.name} answered {answer.status_code} for allocation candidates"
            )
        found = answer.json()["allocation_requests"]
        cut = cut or len(found) >= limit
        providers.update(uuid for each in found for uuid in each["allocations"])
    return {"providers": sorted(providers), "refused": refused, "cut": cut}


def query(
    request: Request,
    member_of: Iterable[Collection[str]],
    not_member_of: Collection[str],
    in_tree: str,
    limit: int,
    version: str,
) -> str:
    """The query string (nova 34, ResourceRequest.to_querystring)."""
    parts: list[tuple[str, str]] = [("limit", str(limit))]
    root = [*request.root_required, *(f"!{trait}" for trait in request.root_forbidden)]
    # Before Ussuri there is no root_required, and nova put these into the group without a suffix.
    with_root = tuple(int(part) for part in version.split(".")) >= (1, 35)
    if with_root and root:
        parts.append(("root_required", ",".join(root)))
    if request.policy:
        parts.append(("group_policy", request.policy))
    for suffix, group in request.groups.items():
        required = [*group["required"], *(f"!{trait}" for trait in group["forbidden"])]
        if not suffix and not with_root:
            required += root
        parts.append(
            (f"resources{suffix}", ",".join(f"{name}:{amount}" for name, amount in group["resources"].items()))
        )
        if required:
            parts.append((f"required{suffix}", ",".join(required)))
    for aggregates in member_of:
        parts.append(("member_of", "in:" + ",".join(sorted(aggregates))))
    if not_member_of:
        parts.append(("member_of", "!in:" + ",".join(sorted(not_member_of))))
    if in_tree:
        parts.append(("in_tree", in_tree))
    return urlencode(parts)


def known_traits(cloud: Cloud) -> list[str]:
    """Every trait that placement knows."""
    document = cloud.get("placement", "/traits", microversion=placement.version_of(cloud))
    return list(document["traits"])


def members(cloud: Cloud, aggregates: Sequence[str]) -> list[str]:
    """The providers that placement has in one of these aggregates; nova mirrors its own there."""
    if not aggregates:
        return []
    path = "/resource_providers?member_of=in:" + ",".join(sorted(aggregates))
    rows: list[Mapping[str, Any]] = cloud.get("placement", path, microversion=placement.version_of(cloud))[
        "resource_providers"
    ]
    return [row["uuid"] for row in rows]


def sharers(cloud: Cloud, uuid: str) -> list[str]:
    """The providers that share the inventory of this one: those in its aggregates."""
    document = cloud.get(
        "placement", f"/resource_providers/{uuid}/aggregates", microversion=placement.version_of(cloud)
    )
    return [member for member in members(cloud, document["aggregates"]) if member != uuid]


def _detail(answer: Any) -> str:
    """placement's own words for what it does not take."""
    try:
        detail = str(answer.json()["errors"][0]["detail"])
    except (ValueError, LookupError, TypeError):
        return "a bad request"
    return " ".join(detail.replace(_MALFORMED, "").split())


_MALFORMED = "The server could not comply with the request since it is either malformed or otherwise incorrect."
