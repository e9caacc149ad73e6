# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read nova's host aggregates."""

from __future__ import annotations

from typing import Any

from .._session import Cloud


def read(cloud: Cloud) -> dict[str, Any]:
    """{"aggregates": [{uuid, name, zone, hosts: [service host], metadata: {key: value}}]}."""
    version = cloud.newest_microversion("compute", "2.41")  # the first with the uuid, which placement knows it by
    rows = cloud.get("compute", "/os-aggregates", microversion=version)["aggregates"]
    aggregates = [
        {
            "uuid": row.get("uuid", ""),
            "name": row["name"],
            "zone": row.get("availability_zone") or "",
            "hosts": list(row["hosts"]),
            "metadata": dict(row["metadata"]),
        }
        for row in rows
    ]
    return {"aggregates": aggregates}
