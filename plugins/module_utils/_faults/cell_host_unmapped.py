# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cell_host_unmapped (F01): a compute that works is mapped to no cell, so no server can be built on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Union

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown
from . import _cells


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The computes as nova's services, its hypervisors and placement know them."""
    keep = ("host", "state", "status", "forced_down")
    return {
        "services": [
            {key: row[key] for key in keep}
            for row in evidence["compute_services"]["services"]
            if row["binary"] == "nova-compute"
        ],
        "listed": [row["host"] for row in evidence["hypervisors"]["hypervisors"]],
        "providers": [row["name"] for row in evidence["resource_providers"]["providers"]],
        "partial": bool(evidence["compute_services"]["gaps"] or evidence["hypervisors"]["gaps"]),
    }


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    seen = _cells.witness(evidence)
    missing = [row for row in cloud["services"] if row["host"] not in cloud["listed"]]
    if seen is None:
        if not missing and not cloud["partial"]:
            return  # nova lists a hypervisor only through its host mapping: each compute that reports is mapped
        for row in missing:
            if _name_in(row["host"], cloud["providers"]) and not cloud["partial"]:
                yield _finding(row, Certainty.PROBABLE, {}, None, "")
        yield _cells.nobody_saw(FAULT.id)
        return
    where, cells = seen
    known = {(entry["host"], entry["cell"]): entry for entry in cells["computes"]}
    places: dict[str, list[str]] = {}
    for host, cell in known:
        places.setdefault(host, []).append(cell)
    for row in cloud["services"]:
        host = row["host"]
        if host in cells["hosts"]:
            continue
        if host not in places:
            if _cells.did_not_answer(cells):
                continue  # it may be in the cell that did not answer, which is reported as such
            yield _finding(row, Certainty.POSSIBLE, {"seen_in": []}, None, "no cell's database has this compute")
            continue
        nodes = [node for cell in places[host] for node in known[host, cell]["nodes"]]
        if not nodes:
            yield _finding(
                row,
                Certainty.POSSIBLE,
                {"cells": places[host]},
                None,
                "its nova-compute has never finished starting: it has no compute node (look at its log), or it is an ironic "
                "compute without nodes",
            )
            continue
        certainty = (
            Certainty.CERTAIN
            if row["state"] == "up" or any(node in cloud["providers"] for node in nodes)
            else Certainty.PROBABLE
        )
        if len(places[host]) > 1:
            yield _finding(
                row,
                certainty,
                {"cells": places[host]},
                None,
                "two cells have a compute of this name, and only one of them can be mapped: rename or remove the other",
            )
            continue
        yield _finding(row, certainty, {"cells": places[host], "nodes": nodes}, (where, cells), "")


def _name_in(host: str, providers: list[str]) -> bool:
    return any(name == host or name.split(".")[0] == host.split(".")[0] for name in providers)


def _finding(row: Mapping[str, Any], certainty: str, seen: Mapping[str, Any], mend: Any, why_not: str) -> Finding:
    remedy, reason = (
        None,
        why_not or "discover it on a controller: nova-manage cell_v2 discover_hosts --by-service --verbose",
    )
    if mend is not None:
        where, cells = mend
        disabled = row["status"] == "disabled"
        wish = {
            "host": row["host"],
            "cell": seen["cells"][0],
            "subject": f"{row['host']} {seen['cells'][0]}",
        }
        reason = "" if disabled else "it opens the host to the scheduler"
        interval = cells["discover_seconds"]
        if interval is not None and interval >= 0:
            reason = (
                f"the scheduler discovers hosts by itself ([scheduler] discover_hosts_in_cells_interval is {interval}), and "
                "two discoveries at once collide"
            )
        remedy = Remedy(
            "cell_mappings",
            Risk.SAFE if disabled and (interval is None or interval < 0) else Risk.DISRUPTIVE,
            {"cell_mappings_hosts": [wish]},
            host=where,
        )
    return Finding(
        fault=FAULT.id,
        target=Target("compute", row["host"]),
        certainty=certainty,
        severity="low" if certainty == Certainty.POSSIBLE else FAULT.severity,
        subject=seen["cells"][0] if seen.get("cells") else "",
        summary=f"Compute {row['host']} is mapped to no cell: servers that the scheduler sends there go to ERROR",
        evidence={
            "source": "nova-manage and os-services" if seen else "os-services, os-hypervisors and placement",
            "service": {key: row[key] for key in ("state", "status", "forced_down")},
            **seen,
        },
        expected="a host mapping in nova's API database",
        actual="none",
        remedy=remedy,
        reason=reason,
    )


FAULT = Fault(
    id="cell_host_unmapped",
    reference="F01",
    title="Compute that is mapped to no cell",
    scope="cloud",
    severity="high",
    symptom="Servers go to ERROR with 'Host ... is not mapped to any cell'; nova-conductor logs 'No host-to-cell mapping found "
    "for selected host'; the hypervisor is missing from openstack hypervisor list though its service is up.",
    cause="nova's API database has no host mapping for the compute: discover_hosts was not run after it was added, or the row "
    "was deleted. A plain discover_hosts only looks at compute nodes that were never mapped.",
    fix="Run nova-manage cell_v2 discover_hosts once on one controller, with --by-service where the plain run does not find "
    "the host.",
    host_evidence=("nova_cells",),
    cloud_evidence=("compute_services", "hypervisors", "resource_providers"),
    observe_host=_cells.observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
