# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the names of placement's resource providers: one request, however many there are."""

from __future__ import annotations

from typing import Any

from .._session import Cloud


def read(cloud: Cloud) -> dict[str, Any]:
    """{"providers": [{uuid, name, root}]}; nova names a compute node's provider as its hypervisor."""
    version = cloud.newest_microversion("placement", "1.14")  # the first that tells the tree's root
    rows = cloud.get("placement", "/resource_providers", microversion=version)["resource_providers"]
    providers = [
        {"uuid": row["uuid"], "name": row["name"], "root": row.get("root_provider_uuid") or row["uuid"]} for row in rows
    ]
    return {"providers": providers, "objects": {"resource provider": len(providers)}}
