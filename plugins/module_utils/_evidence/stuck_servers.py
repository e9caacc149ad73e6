# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the servers that still wait for a host, and where placement has already put them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._model import Unavailable
from .._session import Cloud
from . import _nova

# Their allocations are asked for one by one; a cloud with more of them has one cause for all.
MOST = 20


def read(cloud: Cloud, services: Mapping[str, Any]) -> dict[str, Any]:
    """{"servers": [{id, name, project, created, waiting (seconds), providers: [uuid], None where not asked}], "gaps": [...]}."""
    # services: what `compute_services` read, which alone tells that a cell is down.
    # One page, so that the API's clock is that of the moment it was written: see `_waiting`.
    response = cloud.request(
        "GET",
        "compute",
        "/servers/detail",
        params={"all_tenants": 1, "status": "BUILD", "limit": _nova.PAGE},
        microversion=cloud.newest_microversion("compute", "2.79"),
    )
    if not response.ok:
        raise Unavailable(f"nova of cloud {cloud.name} answered GET /servers/detail with {response.status_code}")
    rows, now = response.json()["servers"], _nova.clock(response)
    waiting = [
        row for row in rows if row.get("OS-EXT-STS:task_state") == "scheduling" and not row.get("OS-EXT-SRV-ATTR:host")
    ]
    servers = []
    for number, row in enumerate(sorted(waiting, key=lambda row: str(row.get("updated")))):
        providers = None
        if number < MOST:
            allocations = cloud.get("placement", f"/allocations/{row['id']}", microversion="1.12")["allocations"]
            providers = sorted(allocations)
        servers.append(
            {
                "id": row["id"],
                "name": row.get("name", ""),
                "project": row.get("tenant_id", ""),
                "created": row.get("created"),
                "waiting": _waiting(row, now if now is not None else time.time()),
                "providers": providers,
            }
        )
    gaps = _nova.of_other_projects(cloud, "servers") + list(services["gaps"])
    if response.json().get("servers_links"):
        gaps.append({"reason": f"more than {_nova.PAGE} servers are in BUILD: only the newest were looked at"})
    return {"servers": servers, "gaps": gaps}


def _waiting(row: dict[str, Any], now: float) -> float:
    """For how long nova has not changed the server.

    A server that is only a build request was never updated, and nova (34, isotime of nothing) then says now, each time.
    """
    created, updated = _nova.seconds(row.get("created")), _nova.seconds(row.get("updated"))
    since = created if updated is None or abs(now - updated) <= 2 else updated
    return now - since if since is not None else 0.0
