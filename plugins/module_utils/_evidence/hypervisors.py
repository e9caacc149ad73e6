# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the hypervisors and the compute services behind them, and whether every cell answered."""

from __future__ import annotations

import json
from typing import Any

from .._session import Cloud
from . import _nova


def read(cloud: Cloud) -> dict[str, Any]:
    """{"hypervisors": [{id, name, host, address, type, architecture, state, status, version, memory_mb, free_disk_gb,
    disk_available_least}], "gaps": [...]}.

    id is the uuid that is also the resource provider's, name the hypervisor_hostname, host the service host (`[DEFAULT]
    host` of that nova-compute). The two disk figures are None where the driver or the microversion does not give them. A
    cell that did not answer is a gap.
    """
    hypervisors = []
    # 2.87 is the newest microversion whose answer still has cpu_info (nova api rest_api_version_history, 2.88).
    for row in _nova.pages(cloud, "/os-hypervisors/detail", "hypervisors", "2.87"):
        hypervisors.append(
            {
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
        )
    # From 2.69 on a cell that is down shows as services of unknown status; the list of hypervisors just leaves it out.
    services = cloud.get("compute", "/os-services", microversion=cloud.newest_microversion("compute", "2.69"))[
        "services"
    ]
    gaps = _nova.cells_down(services, "its hosts and servers")
    return {"hypervisors": hypervisors, "gaps": gaps, "objects": {"hypervisor": len(hypervisors)}}


def _architecture(cpu_info: Any) -> str:
    if isinstance(cpu_info, str):
        try:
            cpu_info = json.loads(cpu_info or "{}")
        except ValueError:
            cpu_info = {}
    return cpu_info.get("arch", "") if isinstance(cpu_info, dict) else ""
