# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the hypervisors and the compute services behind them, and whether every cell answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .._session import Cloud
from . import _nova

# The newest microversion whose answer still has cpu_info (nova api rest_api_version_history, 2.88).
NEWEST = "2.87"


def read(cloud: Cloud) -> dict[str, Any]:
    """{"hypervisors": [{id, name, host, address, type, architecture, state, status, version, memory_mb, free_disk_gb,
    disk_available_least}], "gaps": [...]}.

    id is the uuid that is also the resource provider's, name the hypervisor_hostname, host the service host (`[DEFAULT]
    host` of that nova-compute). The two disk figures are None where the driver or the microversion does not give them. A
    cell that did not answer is a gap.
    """
    rows = _nova.pages(cloud, "/os-hypervisors/detail", "hypervisors", NEWEST)
    return _with_gaps(cloud, [_of(row) for row in rows])


def some(cloud: Cloud, ids: Iterable[str]) -> dict[str, Any]:
    """The same of the hypervisors with these ids alone, one request each; an id that is none's is passed over."""
    version = cloud.newest_microversion("compute", NEWEST)
    found = []
    for wanted in ids:
        document = cloud.find("compute", f"/os-hypervisors/{wanted}", microversion=version)
        if document is not None:
            found.append(_of(document["hypervisor"]))
    return _with_gaps(cloud, found)


def _with_gaps(cloud: Cloud, hypervisors: list[dict[str, Any]]) -> dict[str, Any]:
    # From 2.69 on a cell that is down shows as services of unknown status; the list of hypervisors just leaves it out.
    services = cloud.get("compute", "/os-services", microversion=cloud.newest_microversion("compute", "2.69"))[
        "services"
    ]
    gaps = _nova.cells_down(services, "its hosts and servers")
    return {"hypervisors": hypervisors, "gaps": gaps, "objects": {"hypervisor": len(hypervisors)}}


def _of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "name": row["hypervisor_hostname"],
        "host": row["service"]["host"],
        "address": row["host_ip"],
        "type": row["hypervisor_type"],
        "architecture": _architecture(row.get("cpu_info")),
        "state": row["state"],
        "status": row["status"],
        "version": row.get("hypervisor_version") or 0,
        "memory_mb": row.get("memory_mb") or 0,
        "free_disk_gb": row.get("free_disk_gb"),
        "disk_available_least": row.get("disk_available_least"),
    }


def _architecture(cpu_info: Any) -> str:
    if isinstance(cpu_info, str):
        try:
            cpu_info = json.loads(cpu_info or "{}")
        except ValueError:
            cpu_info = {}
    return cpu_info.get("arch", "") if isinstance(cpu_info, dict) else ""
