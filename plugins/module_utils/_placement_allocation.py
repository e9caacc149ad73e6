# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give back what placement has allocated to nobody, guarded by the consumer's generation; and undo it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from . import _allocations
from ._cloud_readers import CloudReader
from ._evidence import consumers, placement
from ._model import Unavailable
from ._session import Cloud

# Up to here a request leaves the consumer's type alone, which nova never sets: "unknown" can be read and not written.
_WITHOUT_TYPE = "1.36"


def look(cloud: Cloud, wanted: Iterable[str]) -> dict[str, Any]:
    """The evidence of _allocations.READERS as it is now, of placement's consumers only the wanted ones.

    All of nova's servers and migrations are read again: what nothing uses is a statement about all of them. Raises
    Unavailable when part of the cloud does not answer.
    """
    reader = CloudReader(cloud)
    asked = {consumer: consumers.one(cloud, consumer) for consumer in dict.fromkeys(wanted)}
    providers, sharing = placement.providers(cloud)
    evidence: dict[str, Any] = {
        "placement": {
            "providers": providers,
            "sharing": sharing,
            "consumers": {consumer: answer["holds"] for consumer, answer in asked.items() if answer["holds"]},
            "gaps": [],
        },
        **{name: reader(name) for name in ("server_names", "migrations", "hypervisors")},
    }
    servers, gaps = consumers.details(cloud, _allocations.doubtful(evidence))
    evidence["consumers"] = {
        "asked": asked,
        "soft_deleted": consumers.soft_deleted(cloud),
        "others": consumers.others(cloud),
        "servers": servers,
        "gaps": gaps,
    }
    for name in _allocations.READERS:
        for gap in evidence[name]["gaps"]:
            raise Unavailable(f"{gap['reason']}. Nothing was changed: whose an allocation is cannot be told")
    return evidence


def usages(cloud: Cloud, provider: str) -> dict[str, int]:
    """{class: amount used} of a resource provider."""
    version = placement.version_of(cloud)
    found: dict[str, int] = cloud.get("placement", f"/resource_providers/{provider}/usages", microversion=version)[
        "usages"
    ]
    return found


def put(
    cloud: Cloud, consumer: str, holds: _allocations.Holds, now: Mapping[str, Any], generation: Optional[int]
) -> bool:
    """Make the allocations of a consumer these; False when it was changed meanwhile (409). Raises ChangeFailed.

    now: with its "project", "user" and "type", which stay. generation: that of the consumer, None for one that has no
    allocations.
    """
    body: dict[str, Any] = {
        "allocations": {provider: {"resources": dict(resources)} for provider, resources in holds.items()},
        "consumer_generation": generation,
        "project_id": now["project"],
        "user_id": now["user"],
    }
    typed = now["type"] != "unknown"
    version = placement.version_of(cloud) if typed else cloud.newest_microversion("placement", _WITHOUT_TYPE)
    if typed:
        body["consumer_type"] = now["type"]
    failure = f"the allocations of consumer {consumer} could not be changed"
    path = f"/allocations/{consumer}"
    response = cloud.change("PUT", "placement", path, failure, also=[409], microversion=version, json=body)
    return bool(response.status_code != 409)


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one journal entry of kind placement_allocation.

    It is {"id": consumer, "before": {provider: {class: amount}}, "after": likewise, "project", "user", "type"}.
    """
    consumer, before, after = entry["id"], entry["before"], entry["after"]
    now = consumers.allocations(cloud, consumer)
    if now["holds"] == before:
        return "unchanged", ""
    if now["holds"] != after:
        return "conflict", f"the allocations of consumer {consumer} were changed after the run and were left alone"
    if check_mode:
        return "would_restore", ""
    if not put(cloud, consumer, before, entry, now["generation"]):
        return (
            "conflict",
            f"placement no longer has room for what consumer {consumer} had, or it was changed this moment; left alone",
        )
    return "restored", ""
