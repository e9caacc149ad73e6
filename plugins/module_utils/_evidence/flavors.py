# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the flavors, public and private, with their extra specs."""

from __future__ import annotations

from typing import Any

from .._session import Cloud
from . import _nova


def read(cloud: Cloud) -> dict[str, Any]:
    """{"flavors": [{id, name, vcpus, ram (MiB), disk (GiB), ephemeral (GiB), swap (MiB), public, extra_specs}], "gaps"}."""
    # "None" lists private flavors too; extra specs are in the listing from 2.61 on (Rocky).
    version = cloud.newest_microversion("compute", "2.100")
    rows = list(_nova.pages(cloud, "/flavors/detail", "flavors", "2.100", is_public="None"))
    gaps = _nova.of_other_projects(cloud, "private flavors")
    if tuple(int(part) for part in version.split(".")) < (2, 61):
        gaps.append(
            {"reason": f"nova of cloud {cloud.name} (microversion {version}) lists flavors without extra specs"}
        )
    flavors = [
        {
            "id": row["id"],
            "name": row["name"],
            "vcpus": row["vcpus"],
            "ram": row["ram"],
            "disk": row["disk"],
            "ephemeral": row.get("OS-FLV-EXT-DATA:ephemeral", 0),
            "swap": row.get("swap") or 0,
            "public": row.get("os-flavor-access:is_public", True),
            "extra_specs": row.get("extra_specs") or {},
        }
        for row in rows
    ]
    return {"flavors": flavors, "gaps": gaps, "objects": {"flavor": len(flavors)}}
