# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""instance_mapping_missing (F25): a server that nova lists and does not find, because its cell mapping is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown
from . import _cells


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The servers that nova lists."""
    return {
        "servers": {server["id"]: server["name"] for server in evidence["servers"]["servers"]},
        "partial": bool(evidence["servers"]["gaps"]),
    }


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    seen = _cells.witness(evidence)
    if seen is None:
        yield _cells.nobody_saw(FAULT.id)
        return
    where, cells = seen
    places: dict[str, list[str]] = {}
    for entry in cells["unmapped"]:
        places.setdefault(entry["server"], []).append(entry["cell"])
    names = {cell["uuid"]: cell["name"] or cell["uuid"] for cell in cells["cells"]}
    ordinary = [cell for cell in cells["cells"] if not cell["cell0"]]
    for server, in_cells in sorted(places.items()):
        if server not in cloud["servers"]:
            continue  # deleted between the two looks, or of a project that these credentials do not see
        remedy, reason = None, ""
        if len(in_cells) > 1:
            reason = "it is in the databases of two cells: find out which of them is right before it is mapped"
        elif _cells.did_not_answer(cells):
            reason = "a cell's database did not answer, and the server may be in that one as well"
        else:
            several = len(ordinary) > 1
            wish = {
                "server": server,
                "cell": in_cells[0],
                "subject": f"{server} {in_cells[0]}",
            }
            reason = "there are several cells: make sure that this one owns the server" if several else ""
            risk = Risk.DISRUPTIVE if several else Risk.SAFE
            remedy = Remedy("cell_mappings", risk, {"cell_mappings_servers": [wish]}, host=where)
        name = cloud["servers"][server]
        yield Finding(
            fault=FAULT.id,
            target=Target("server", server, name),
            certainty=Certainty.CERTAIN,
            subject=in_cells[0],
            summary=f"Server {name!r} is listed and cannot be found: nova's API database has no mapping to its cell",
            evidence={
                "source": "the database of the cell and GET /servers/detail",
                "cells": [names[c] for c in in_cells],
            },
            expected="an instance mapping in nova's API database",
            actual="none",
            remedy=remedy,
            reason=reason,
        )


FAULT = Fault(
    id="instance_mapping_missing",
    reference="F25",
    title="Server without its cell mapping",
    scope="cloud",
    severity="high",
    symptom="openstack server list shows the server; showing it, or doing anything with it, answers 404 'Instance ... could not "
    "be found', while the guest runs.",
    cause="Its row in nova_api.instance_mappings is gone, usually deleted by hand. Listing reads the cells, everything else "
    "goes through the mapping.",
    fix="Create the mapping again from the cell's own record of the server, as nova-manage cell_v2 map_instances --reset does "
    "for all servers of a cell. Nothing else of the server is touched.",
    host_evidence=("nova_cells",),
    cloud_evidence=("servers",),
    observe_host=_cells.observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
