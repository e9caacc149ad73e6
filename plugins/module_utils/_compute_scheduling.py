# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep new servers away from a compute, and let them come again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ._session import Cloud

# Services have uuids from here on (nova 16, Pike).
MICROVERSION = "2.53"


def read(cloud: Cloud, host: str) -> Optional[dict[str, Any]]:
    """nova-compute of a host: {"id", "status": enabled or disabled, "reason"}; None where nova does not know it."""
    document = cloud.get(
        "compute", "/os-services", params={"binary": "nova-compute", "host": host}, microversion=MICROVERSION
    )
    for row in document["services"]:
        if row["host"] == host:
            return {"id": row["id"], "status": row["status"], "reason": row.get("disabled_reason") or ""}
    return None


def write(cloud: Cloud, host: str, service: str, status: str, reason: str) -> None:
    """Enable or disable nova-compute of a host. Raises ChangeFailed."""
    wish = {"status": status, **({"disabled_reason": reason} if status == "disabled" and reason else {})}
    failure = f"nova-compute of {host} could not be {status}"
    cloud.change("PUT", "compute", f"/os-services/{service}", failure, json=wish, microversion=MICROVERSION)


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one entry of kind compute_scheduling: {"name": host, "before", "after": {"status", "reason"}}."""
    now = read(cloud, entry["name"])
    if now is None:
        return "conflict", f"nova does not know a nova-compute of {entry['name']} any more"
    state = {"status": now["status"], "reason": now["reason"]}
    if state == entry["before"]:
        return "unchanged", ""
    if state != entry["after"]:
        return "conflict", f"nova-compute of {entry['name']} was {state['status']} by somebody else and was left alone"
    if not check_mode:
        write(cloud, entry["name"], now["id"], **entry["before"])
    return ("would_restore" if check_mode else "restored"), ""
