# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read placement's resource providers and what is allocated of each: one request a provider, none a consumer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._model import Unavailable
from .._session import Cloud
from . import _parallel

# 1.14 has the roots of provider trees, 1.28 the generations of consumers, 1.38 their types.
NEWEST = "1.38"


def read(cloud: Cloud) -> dict[str, Any]:
    """{"providers": {uuid: {name, root, parent}}, "sharing": [uuid], "consumers": {consumer: {provider: {class: amount}}},
    "gaps": [...]}.

    parent is None for a root. sharing are the providers that serve others through an aggregate (shared storage). Equal
    amounts are one object in memory: a cloud has many servers and few flavors.
    """
    version = version_of(cloud)
    rows, sharing = providers(cloud)
    consumers: dict[str, dict[str, Mapping[str, int]]] = {}
    known: dict[tuple[tuple[str, int], ...], Mapping[str, int]] = {}
    gaps = []
    paths = {uuid: f"/resource_providers/{uuid}/allocations" for uuid in rows}
    for uuid, document in _parallel.get(cloud, "placement", paths, version):
        if isinstance(document, Unavailable):
            gaps.append({"reason": f"what is allocated of {rows[uuid]['name']} was not seen: {document}"})
            continue
        for consumer, entry in document["allocations"].items():
            resources = known.setdefault(tuple(sorted(entry["resources"].items())), entry["resources"])
            consumers.setdefault(consumer, {})[uuid] = resources
    return {
        "providers": rows,
        "sharing": sharing,
        "consumers": consumers,
        "gaps": gaps,
        "objects": {"resource provider": len(rows), "consumer": len(consumers)},
    }


def providers(cloud: Cloud) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The resource providers and which of them are sharing, as `read` gives them."""
    version = version_of(cloud)
    rows, sharing = (
        cloud.get("placement", path, microversion=version)["resource_providers"]
        for path in ("/resource_providers", "/resource_providers?required=MISC_SHARES_VIA_AGGREGATE")
    )
    return {
        row["uuid"]: {"name": row["name"], "root": row["root_provider_uuid"], "parent": row["parent_provider_uuid"]}
        for row in rows
    }, [row["uuid"] for row in sharing]


def with_traits(cloud: Cloud, traits: Iterable[str]) -> dict[str, list[str]]:
    """{trait: [provider that has it]}, one request a trait."""
    version = version_of(cloud)
    found = {}
    for trait in traits:
        answer = cloud.request("GET", "placement", f"/resource_providers?required={trait}", microversion=version)
        # A trait that placement has never heard of is a bad request: nobody has it.
        found[trait] = [row["uuid"] for row in answer.json()["resource_providers"]] if answer.ok else []
    return found


def version_of(cloud: Cloud) -> str:
    """The microversion to speak; Unavailable from before Rocky, whose placement cannot guard a change."""
    version = cloud.newest_microversion("placement", NEWEST)
    if tuple(int(part) for part in version.split(".")) < (1, 28):
        raise Unavailable(
            f"placement of cloud {cloud.name} (microversion {version}) is from before Rocky: its allocations have no "
            "generation, without which they can be neither judged nor changed safely"
        )
    return version
