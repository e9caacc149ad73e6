# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enable, disable and delete services of keystone's catalogue, by id; and undo it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ._evidence import catalog
from ._session import Cloud


def read(cloud: Cloud, service: str) -> Optional[dict[str, Any]]:
    """The service as keystone has it now, None when there is none."""
    document = cloud.find("identity", f"/services/{service}")
    return document and document["service"]


def endpoints(cloud: Cloud, service: str) -> list[dict[str, Any]]:
    """All endpoints of a service, the disabled ones too."""
    rows = catalog.collection(cloud, "/endpoints", "endpoints", service_id=service)
    return [row for row in rows if row["service_id"] == service]


def state(service: Mapping[str, Any]) -> str:
    return "disabled" if service.get("enabled") is False else "enabled"


def works(cloud: Cloud, service: str) -> bool:
    """Whether a service is enabled and has an enabled endpoint."""
    now = read(cloud, service)
    if now is None or state(now) == "disabled":
        return False
    return any(endpoint.get("enabled") is not False for endpoint in endpoints(cloud, service))


def remains(cloud: Cloud, service: Mapping[str, Any]) -> dict[str, Any]:
    """What a deletion takes away or leaves dangling, to be kept: service, endpoints, limits and endpoint groups.

    keystone 30 deletes the endpoints with the service, and keeps registered limits and endpoint groups that name it.
    """
    limits = catalog.collection(cloud, "/registered_limits", "registered_limits", service_id=service["id"])
    groups = catalog.collection(cloud, "/OS-EP-FILTER/endpoint_groups", "endpoint_groups")
    return {
        "service": dict(service),
        "endpoints": endpoints(cloud, service["id"]),
        "registered_limits": limits,
        "endpoint_groups": [group for group in groups if group.get("filters", {}).get("service_id") == service["id"]],
    }


def change(cloud: Cloud, service: str, wanted: str) -> None:
    """Enable, disable or delete ("absent") a service. Raises ChangeFailed."""
    failure = f"service {service} could not be changed, which takes keystone's admin role"
    if wanted == "absent":
        cloud.change("DELETE", "identity", f"/services/{service}", failure)
    else:
        body = {"service": {"enabled": wanted == "enabled"}}
        cloud.change("PATCH", "identity", f"/services/{service}", failure, json=body)


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one journal entry of kind catalog_service: {"id", "name", "before": state, "after": state, ...}."""
    now = read(cloud, entry["id"])
    if now is None:
        if entry["after"] != "absent":
            return "conflict", f"service {entry['id']} is gone"
        return "failed", (
            f"service {entry['id']} was deleted, and keystone gives no service its former id: create it anew from this "
            "journal entry, which holds it with its endpoints and limits"
        )
    if state(now) == entry["before"]:
        return "unchanged", ""
    if state(now) != entry["after"]:
        return "conflict", f"service {entry['id']} was changed after the run and was left alone"
    if not check_mode:
        change(cloud, entry["id"], entry["before"])
    return ("would_restore" if check_mode else "restored"), ""
