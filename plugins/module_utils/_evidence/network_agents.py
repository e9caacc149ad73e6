# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read neutron's agents: which report from which host, and when they did last."""

from __future__ import annotations

from typing import Any

from .._session import Cloud

# The agents that wire the ports of a host's servers, by neutron's own names for them.
WIRING = ("Open vSwitch agent", "OVN Controller agent", "OVN Controller Gateway agent", "Linux bridge agent",
          "Macvtap agent", "NIC Switch agent")  # fmt: skip


def read(cloud: Cloud) -> dict[str, Any]:
    """{"agents": [{id, type, binary, host, alive, enabled, heartbeat ("YYYY-MM-DD hh:mm:ss", UTC)}], "gaps": []}.

    alive is neutron's judgement: a report within agent_down_time, 75 seconds unless set. A cloud whose ports are wired by
    no agent has none.
    """
    rows = cloud.pages("network", "/agents", "agents", params={"limit": 1000})
    agents = [
        {
            "id": row["id"],
            "type": row["agent_type"],
            "binary": row.get("binary") or "",
            "host": row["host"],
            "alive": bool(row["alive"]),
            "enabled": bool(row.get("admin_state_up", True)),
            "heartbeat": str(row.get("heartbeat_timestamp") or ""),
        }
        for row in rows
    ]
    gaps = []
    if not cloud.is_admin:
        gaps.append(
            {"reason": f"the credentials of cloud {cloud.name} have no admin role: neutron's agents were not seen"}
        )
    return {"agents": agents, "gaps": gaps, "objects": {"network agent": len(agents)}}
