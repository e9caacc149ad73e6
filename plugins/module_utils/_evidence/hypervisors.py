# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the hypervisors and the compute services behind them, and whether every cell answered."""

from __future__ import annotations

import json
from typing import Any

from .._session import Cloud


def read(cloud: Cloud) -> dict[str, Any]:
    """{"hypervisors": [{name, host, address, type, architecture, state, status}], "gaps": [...]}.

    name is the hypervisor_hostname, host the service host (`[DEFAULT] host` of that nova-compute). A cell that did
    not answer is a gap.
    """
    hypervisors = []
    # 2.87 is the newest microversion whose answer still has cpu_info (nova api rest_api_version_history, 2.88).
    pages = cloud.pages(
        "compute",
        "/os-hypervisors/detail",
        "hypervisors",
        params={"limit": 1000},
        microversion=cloud.newest_microversion("compute", "2.87"),
    )
    for row in pages:
        hypervisors.append(
            {
                "name": row["hypervisor_hostname"],
                "host": row["service"]["host"],
                "address": row["host_ip"],
                "type": row["hypervisor_type"],
                "architecture": _architecture(row.get("cpu_info")),
                "state": row["state"],
                "status": row["status"],
            }
        )
    # From 2.69 on a cell that is down shows as services of unknown status; the list of hypervisors just leaves it out.
    services = cloud.get("compute", "/os-services", microversion=cloud.newest_microversion("compute", "2.69"))[
        "services"
    ]
    gaps = []
    unseen = sorted({row.get("host", "?") for row in services if row.get("status") == "UNKNOWN"})
    if unseen:
        gaps.append(
            {
                "reason": f"the cell of {', '.join(unseen[:5])}{' and others' if len(unseen) > 5 else ''} did not answer: "
                "its hosts and servers were not seen"
            }
        )
    return {"hypervisors": hypervisors, "gaps": gaps}


def _architecture(cpu_info: Any) -> str:
    if isinstance(cpu_info, str):
        try:
            cpu_info = json.loads(cpu_info or "{}")
        except ValueError:
            cpu_info = {}
    return cpu_info.get("arch", "") if isinstance(cpu_info, dict) else ""
