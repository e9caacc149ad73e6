# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the servers of all projects and cells, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._session import Cloud
from . import _nova

# A page of a thousand takes nova longer than a request may.
PAGE = 250


def read(cloud: Cloud, services: Mapping[str, Any]) -> dict[str, Any]:
    """{"servers": [...], "gaps": [...]}.

    services: what `compute_services` read. A page of servers leaves out those of a cell that is down without a word
    (nova 34, _is_cell_down_supported: not with a limit), so the list of services says which cell that is.

    A server is {id, name, status, vm_state, task_state, host, node, zone, project, created, updated, launched (RFC 3339
    or None), locked, image (id, None when booted from a volume), image_properties ({name: value} that nova keeps with
    the server; None where its API, before 2.98, does not tell), flavor: {name, vcpus, ram (MiB), disk (GiB), ephemeral
    (GiB), swap (MiB), extra_specs}, volumes: [id], fault: message or ""}. host and node are those of nova-compute and
    hypervisor, "" while there is none.
    """
    rows = list(_nova.pages(cloud, "/servers/detail", "servers", "2.98", all_tenants=1, limit=PAGE))
    servers = [of(row) for row in rows if row.get("status") != "UNKNOWN"]
    gaps = _nova.of_other_projects(cloud, "servers") + list(services["gaps"])
    return {"servers": servers, "gaps": gaps, "objects": {"server": len(servers)}}


def of(row: dict[str, Any]) -> dict[str, Any]:
    """One server, from a row of the API with its details."""
    image = row.get("image") or {}
    flavor = row.get("flavor", {})
    return {
        "id": row["id"],
        "name": row.get("name", ""),
        "status": row["status"],
        "vm_state": row.get("OS-EXT-STS:vm_state", ""),
        "task_state": row.get("OS-EXT-STS:task_state"),
        "host": row.get("OS-EXT-SRV-ATTR:host") or "",
        "node": row.get("OS-EXT-SRV-ATTR:hypervisor_hostname") or "",
        "zone": row.get("OS-EXT-AZ:availability_zone") or "",
        "project": row.get("tenant_id", ""),
        "created": row.get("created"),
        "updated": row.get("updated"),
        "launched": row.get("OS-SRV-USG:launched_at"),
        "locked": bool(row.get("locked")),
        "image": image.get("id"),
        "image_properties": image.get("properties"),
        "flavor": {
            "name": flavor.get("original_name") or flavor.get("id", ""),
            "vcpus": flavor.get("vcpus", 0),
            "ram": flavor.get("ram", 0),
            "disk": flavor.get("disk", 0),
            "ephemeral": flavor.get("ephemeral", 0),
            "swap": flavor.get("swap") or 0,
            "extra_specs": flavor.get("extra_specs") or {},
        },
        "volumes": [volume["id"] for volume in row.get("os-extended-volumes:volumes_attached", ())],
        "fault": (row.get("fault") or {}).get("message", ""),
    }
