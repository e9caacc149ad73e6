# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read nova's records of migrations: live, cold, resize, evacuation."""

from __future__ import annotations

from typing import Any

from .._session import Cloud
from . import _nova


def read(cloud: Cloud) -> dict[str, Any]:
    """{"migrations": [{uuid, server, kind, status, source_host, source_node, dest_host, dest_node, updated}], "gaps": [...]}.

    kind is live-migration, migration, resize or evacuation; newest first, as nova lists them.
    """
    rows = _nova.pages(cloud, "/os-migrations", "migrations", "2.80")
    migrations = [
        {
            "uuid": row.get("uuid", ""),
            "server": row.get("instance_uuid", ""),
            "kind": row.get("migration_type", ""),
            "status": row.get("status", ""),
            "source_host": row.get("source_compute") or "",
            "source_node": row.get("source_node") or "",
            "dest_host": row.get("dest_compute") or "",
            "dest_node": row.get("dest_node") or "",
            "updated": row.get("updated_at"),
        }
        for row in rows
    ]
    return {"migrations": migrations, "gaps": _nova.of_other_projects(cloud, "migrations")}
