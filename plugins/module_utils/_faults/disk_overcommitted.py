# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""disk_overcommitted (F17): more disk is promised to servers than there is."""

from __future__ import annotations

from collections.abc import Iterator

from .. import _capacity
from .._model import Certainty, Evidence, Fault, Finding, Target

_REASON = (
    "what to do is a choice: move servers away, add storage, or keep more in reserve; raising disk_allocation_ratio only hides "
    "it until the disk is full"
)


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge the disk of each resource provider by itself: where storage is shared, hosts report the same disk each."""
    providers = evidence["placement"]["providers"]
    used = _capacity.used(evidence["placement"]["consumers"])
    hypervisors = {row["id"]: row for row in evidence["hypervisors"]["hypervisors"]}
    inventories = evidence["inventories"]["inventories"]
    for uuid in sorted({*inventories, *hypervisors}):
        disk = inventories.get(uuid, {}).get("DISK_GB")
        row = hypervisors.get(uuid, {})
        least = row.get("disk_available_least")
        promised = used.get(uuid, {}).get("DISK_GB", 0)
        figures = []
        certainty = Certainty.POSSIBLE
        if disk is not None and promised > _capacity.capacity(disk):
            certainty = Certainty.CERTAIN
            figures.append(f"placement counts {promised} GiB used of a capacity of {_capacity.capacity(disk)}")
        if least is not None and least < 0:
            figures.append(
                f"its servers' disks can grow {-least} GiB beyond what is free (disk_available_least {least})"
            )
        if not figures:
            continue
        name = row.get("name") or providers[uuid]["name"]
        yield Finding(
            fault=FAULT.id,
            target=Target("hypervisor" if row else "resource provider", uuid, name),
            certainty=certainty,
            summary=f"{name}: {' and '.join(figures)}",
            subject="DISK_GB",
            evidence={
                "used": promised,
                "inventory": disk,
                "disk_available_least": least,
                "free_disk_gb": row.get("free_disk_gb"),
                "read": "GET /resource_providers/{uuid}/inventories and allocations, /os-hypervisors/detail (2.87)",
            },
            expected="no more disk promised than there is",
            actual="; ".join(figures),
            reason=_REASON,
        )


FAULT = Fault(
    id="disk_overcommitted",
    reference="F17",
    title="More disk promised than there is",
    scope="cloud",
    severity="high",
    symptom="No server with a disk can be booted on the host or migrated to it, though df shows space; in the end the disk is "
    "full and servers are paused or damaged.",
    cause="Thin disks (qcow2, and sparse raw ones) may grow to their virtual size. Servers were forced onto the host, or "
    "disk_allocation_ratio or the disk itself was reduced below what is in use. A ratio above 1 is a choice; what exceeds "
    "even that is not.",
    fix="Nothing is changed. Move the servers that grow most, add storage, raise reserved_host_disk_mb; keep "
    "disk_allocation_ratio at 1.0 or below.",
    detect=detect,
    cloud_evidence=("placement", "hypervisors", "inventories"),
)
