# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read nova's own services: which nova-compute, scheduler and conductor report, and when they did last."""

from __future__ import annotations

from typing import Any

from .._model import Unavailable
from .._session import Cloud
from . import _nova


def read(cloud: Cloud) -> dict[str, Any]:
    """{"services": [{id, binary, host, zone, state, status, reason, forced_down, updated}], "now": seconds, "gaps": [...]}.

    id is a uuid; state up or down, status enabled or disabled; updated is when its last report was written, by the
    clock of who wrote it, and now the time of the API's own clock: both seconds since the epoch, None where not told.
    """
    # 2.69: a cell that is down shows; 2.53: ids are uuids, of use in every cell.
    version = cloud.newest_microversion("compute", "2.69")
    response = cloud.request("GET", "compute", "/os-services", microversion=version)
    if not response.ok:
        raise Unavailable(f"nova of cloud {cloud.name} answered GET /os-services with {response.status_code}")
    rows = response.json()["services"]
    services = [
        {
            "id": str(row["id"]),
            "binary": row["binary"],
            "host": row["host"],
            "zone": row.get("zone", ""),
            "state": row["state"],
            "status": row["status"],
            "reason": row.get("disabled_reason") or "",
            "forced_down": bool(row.get("forced_down")),
            "updated": _nova.seconds(row.get("updated_at")),
        }
        for row in rows
        if row.get("status") != "UNKNOWN"
    ]
    computes = sum(service["binary"] == "nova-compute" for service in services)
    gaps = _nova.cells_down(rows, "its hosts and servers")
    return {
        "services": services,
        "now": _nova.clock(response),
        "gaps": gaps,
        "objects": {"compute": computes},
    }
