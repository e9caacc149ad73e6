# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read keystone's services and their endpoints as they are stored, not as a token's catalogue shows them."""

from __future__ import annotations

from typing import Any, Optional

from .._model import Unavailable
from .._session import MAX_PAGES, Cloud


def read(cloud: Cloud) -> dict[str, Any]:
    """{"services": [{id, name, type, enabled}], "endpoints": [{id, service, interface, region, enabled}],
    "region", "interface"}.

    region and interface are those that clouds.yaml asks for, "" where it asks for none. A list that keystone cut short
    raises Unavailable: who has no endpoint can only be told from all of them.
    """
    services = [
        {
            "id": row["id"],
            "name": row.get("name") or "",
            "type": row["type"],
            "enabled": row.get("enabled") is not False,
        }
        for row in collection(cloud, "/services", "services")
    ]
    endpoints = [
        {
            "id": row["id"],
            "service": row["service_id"],
            "interface": row["interface"],
            "region": row.get("region_id") or row.get("region") or "",
            "enabled": row.get("enabled") is not False,
        }
        for row in collection(cloud, "/endpoints", "endpoints")
    ]
    client = cloud.client("identity")
    return {
        "services": services,
        "endpoints": endpoints,
        "region": client.region_name or "",
        "interface": _interface(client.interface),
        "objects": {"catalogue service": len(services)},
    }


def collection(cloud: Cloud, path: str, key: str, **params: str) -> list[dict[str, Any]]:
    """Every row of one of keystone's collections; Unavailable when keystone cut it short ([DEFAULT] list_limit)."""
    rows: list[dict[str, Any]] = []
    page: Optional[str] = path
    query: Optional[dict[str, str]] = params
    for _page in range(MAX_PAGES):
        document = cloud.get("identity", str(page), params=query)
        rows.extend(document[key])
        page, query = (document.get("links") or {}).get("next"), None
        if not page:
            if document.get("truncated"):
                raise Unavailable(
                    f"keystone of cloud {cloud.name} lists only the first {len(rows)} of its {key} (list_limit)"
                )
            return rows
    raise Unavailable(f"keystone of cloud {cloud.name} did not come to the end of {path}")


def _interface(wanted: Any) -> str:
    """The first interface that is asked for, by keystone's name; openstacksdk may hold a list, or "publicURL"."""
    first = wanted[0] if isinstance(wanted, (list, tuple)) and wanted else wanted
    return str(first or "").removesuffix("URL")
