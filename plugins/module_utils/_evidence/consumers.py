# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask about those of placement's consumers that cannot be told from lists: one by one, but never many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _allocations
from .._model import Unavailable
from .._session import Cloud
from . import _nova, placement, servers

# Each costs two requests. A cloud that has more has lost more than some allocations.
MOST = 50
# Services that hold resources of nova's computes for things that nova does not know (zun, blazar).
_OTHERS = frozenset(["container", "reservation"])


def read(cloud: Cloud, reader: Callable[[str], Any]) -> dict[str, Any]:
    """{"asked": {consumer: {"server": whether nova has one, "type", "project", "user", "holds": {provider: {class: amount}}}},
    "soft_deleted": [id of a server], "others": [type of a service], "servers": {id: server as `servers` gives it},
    "gaps": [...]}.

    asked are the first MOST suspects. A server that a list names has no need to be asked for: without its instance mapping
    it cannot even be shown. servers are those whose state decides (`_allocations.doubtful`); one that is gone or cannot be
    shown is not among them.
    """
    evidence = {name: reader(name) for name in _allocations.READERS if name != "consumers"}
    suspects = _allocations.suspects(evidence)
    states, gaps = details(cloud, _allocations.doubtful(evidence))
    if not suspects:
        return {"asked": {}, "soft_deleted": [], "others": [], "servers": states, "gaps": gaps}
    soft = soft_deleted(cloud)
    asked = {}
    for consumer in [consumer for consumer in suspects if consumer not in set(soft)][:MOST]:
        try:
            asked[consumer] = one(cloud, consumer)
        except Unavailable as reason:
            gaps.append({"reason": f"consumer {consumer} could not be asked for: {reason}"})
            break
    return {"asked": asked, "soft_deleted": soft, "others": others(cloud), "servers": states, "gaps": gaps}


def details(cloud: Cloud, wanted: list[str]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """({id: server}, gaps); of more than MOST servers the rest is a gap."""
    version = cloud.newest_microversion("compute", "2.98")
    found: dict[str, Any] = {}
    gaps = []
    for server in wanted[:MOST]:
        try:
            answer = cloud.request("GET", "compute", f"/servers/{server}", microversion=version)
        except Unavailable as reason:
            return found, [{"reason": f"server {server} could not be asked for: {reason}"}]
        if answer.ok:
            found[server] = servers.of(answer.json()["server"])
    if len(wanted) > MOST:
        gaps.append({"reason": f"{len(wanted)} servers hold more than one host and only {MOST} were asked for"})
    return found, gaps


def soft_deleted(cloud: Cloud) -> list[str]:
    """The servers that are deleted and can still be restored: no list has them unless asked, and they keep what they hold."""
    rows = _nova.pages(cloud, "/servers", "servers", "2.69", all_tenants=1, status="soft_deleted")
    return [row["id"] for row in rows]


def others(cloud: Cloud) -> list[str]:
    """The types of the services that may hold resources of computes too."""
    return sorted(_OTHERS & cloud.service_types)


def one(cloud: Cloud, consumer: str) -> dict[str, Any]:
    """What nova and placement say of one consumer now: `allocations`, and "server", whether nova has one of that id."""
    version = cloud.newest_microversion("compute", "2.69")  # a server in a cell that is down is answered from here on
    answer = cloud.request("GET", "compute", f"/servers/{consumer}", microversion=version)
    if not answer.ok and answer.status_code != 404:
        raise Unavailable(f"nova answered GET /servers/{consumer} with {answer.status_code}")
    return {"server": answer.ok, **allocations(cloud, consumer)}


def allocations(cloud: Cloud, consumer: str) -> dict[str, Any]:
    """{"holds": {provider: {class: amount}}, "generation": None without any, "type", "project", "user"}."""
    document = cloud.get("placement", f"/allocations/{consumer}", microversion=placement.version_of(cloud))
    return {
        "holds": {provider: entry["resources"] for provider, entry in document["allocations"].items()},
        "generation": document.get("consumer_generation"),
        "type": document.get("consumer_type", "unknown"),
        "project": document.get("project_id", ""),
        "user": document.get("user_id", ""),
    }
