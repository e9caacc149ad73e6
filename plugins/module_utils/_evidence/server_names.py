# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the ids and names of the servers of all projects and cells, which costs nova a fraction of their details."""

from __future__ import annotations

from typing import Any

from .._session import Cloud
from . import _nova


def read(cloud: Cloud) -> dict[str, Any]:
    """{"names": {id: name}, "gaps": [...]}; those that are deleted and can be restored are not among them.

    A page costs nova 34 a tenth of what a page of details does: it neither loads what is known of the network and flavors
    nor asks neutron. A cell that is down is left out of a list in pages without a word; the readers of services tell of it.
    """
    rows = list(_nova.pages(cloud, "/servers", "servers", "2.69", all_tenants=1))
    names = {row["id"]: row.get("name", "") for row in rows}
    gaps = _nova.of_other_projects(cloud, "servers") + _nova.cells_down(rows, "its servers")
    return {"names": names, "gaps": gaps, "objects": {"server": len(names)}}
