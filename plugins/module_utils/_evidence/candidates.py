# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask placement whether what was refused to servers could be had now: each distinct request once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from .. import _capacity, _refusals
from .._session import Cloud
from . import placement

# Distinct requests that are asked for, newest server first.
MOST = 20


def read(cloud: Cloud, reader: Callable[[str], Any]) -> dict[str, Any]:
    """{"candidates": {server: whether placement has a candidate for its request now}, "with_trait": {trait: [provider]}}.

    Only servers that were refused for want of a host, and of those whose request placement can be asked for, at most MOST
    distinct ones. with_trait holds the traits that the requests name.
    """
    refused = _refusals.refused(reader("servers")["servers"])
    if not refused:
        return {"candidates": {}, "with_trait": {}}
    version = placement.version_of(cloud)
    zones = {row["zone"]: row["uuid"] for row in reader("aggregates")["aggregates"] if row["zone"]}
    known: dict[str, bool] = {}
    candidates = {}
    traits: set[str] = set()
    for server in refused:
        wishes = _capacity.requests(server)
        queries = [_query(wanted, zones.get(server["zone"], "")) for wanted in wishes]
        new = [query for query in queries if query not in known]
        if not wishes or len(known) + len(new) > MOST:
            continue
        for query in new:
            document = cloud.get("placement", f"/allocation_candidates?{query}", microversion=version)
            known[query] = bool(document["allocation_requests"])
        candidates[server["id"]] = any(known[query] for query in queries)
        traits.update(trait for wanted in wishes for trait in (*wanted["required"], *wanted["forbidden"]))
    return {"candidates": candidates, "with_trait": placement.with_traits(cloud, sorted(traits))}


def _query(wanted: Mapping[str, Any], aggregate: str) -> str:
    required = [*wanted["required"], *(f"!{trait}" for trait in wanted["forbidden"])]
    query = {
        "resources": ",".join(f"{name}:{amount}" for name, amount in wanted["resources"].items()),
        "required": ",".join(required),
        "limit": 1,
        **({"member_of": aggregate} if aggregate else {}),
    }
    return urlencode(query)
