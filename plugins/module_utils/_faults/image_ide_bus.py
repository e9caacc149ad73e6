# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_ide_bus (F11): an image asks for an IDE bus on machines that have no IDE controller."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk
from . import _copies, _images

_BUSES = ("hw_disk_bus", "hw_cdrom_bus", "hw_rescue_bus")
# Machine types without an IDE controller (QEMU): q35 on x86, virt on ARM and RISC-V, pseries on POWER, s390.
_NO_IDE = re.compile(r"(?:pc-)?q35(?:-|$)|virt(?:-|$)|pseries|powernv|s390", re.IGNORECASE)
# nova.virt.libvirt.utils.get_default_machine_type and nova.conf.libvirt, where neither image nor nova.conf names one.
_DEFAULT_MACHINE = {"x86_64": "pc", "i686": "pc", "aarch64": "virt", "armv7l": "virt", "riscv64": "virt",
                    "ppc64": "pseries", "ppc64le": "pseries", "s390x": "s390-ccw-virtio"}  # fmt: skip
_OTHER_HYPERVISORS = re.compile(r"vmware|hyperv|ironic|xen|zvm", re.IGNORECASE)


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """The name under which nova knows this compute, the machine types its servers get by default; and nova-manage."""
    seen = _copies.observe_host(evidence) or {}
    compute = evidence["compute"]
    if compute:
        seen.update({key: compute[key] for key in ("host", "architecture", "machine_types")})
    return seen or None


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The images that name an IDE bus, and the computes they would meet."""
    keep = ("id", "name", "owner", "visibility", "disk_format", "properties")
    return {
        "project": evidence["images"]["project"],
        "images": [
            {key: image[key] for key in keep}
            for image in evidence["images"]["images"]
            if image["status"] == "active" and any(image["properties"].get(bus) == "ide" for bus in _BUSES)
        ],
        "servers": [
            server
            for server in _copies.servers(evidence)
            if any(server["properties"].get(bus) == "ide" for bus in _BUSES)
        ],
        "computes": [
            {"host": row["host"], "architecture": row["architecture"]}
            for row in evidence["hypervisors"]["hypervisors"]
            if row["status"] == "enabled" and not _OTHER_HYPERVISORS.search(row["type"])
        ],
    }


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    known = {compute["host"]: compute for compute in evidence["hosts"].values() if compute and "host" in compute}
    for image in cloud["images"]:
        machines = _machines(image, cloud["computes"], known)
        certainty = _certainty(machines)
        for bus in _BUSES:
            if image["properties"].get(bus) == "ide":
                found = _finding(image, bus, machines, certainty, cloud["project"])
                kept = _copies.named(cloud.get("servers", []), image, bus)
                yield dataclasses.replace(found, evidence={**found.evidence, **kept})
    for server, copy in _copies.judged(evidence):
        machines = _machines(copy, cloud["computes"], known)
        certainty = _certainty(machines)
        for bus in _BUSES:
            # On a machine with IDE it works, and a server is not stopped for what is merely slow.
            if copy["properties"].get(bus) == "ide" and certainty != Certainty.POSSIBLE:
                found = _finding(copy, bus, machines, certainty, cloud["project"])
                # nova-manage cannot remove a bus, so one is named that the machine has (nova's own choice for it).
                on_q35 = all(re.match(r"(?:pc-)?q35|pc", machine) for machine in machines.values())
                values = {
                    **_copies.wished(found),
                    **({} if bus == "hw_disk_bus" else {bus: "sata" if on_q35 else "scsi"}),
                }
                yield _copies.finding(found, server, _copies.where(evidence), values)


def _machines(
    image: _images.Image, computes: list[Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """The machine type the image would get: {"image" or host: type}; "" where it could not be learnt."""
    properties = image["properties"]
    own = properties.get("hw_machine_type")
    if own:
        return {"image": str(own)}
    architecture = _images.architecture(image)
    if architecture and _DEFAULT_MACHINE.get(architecture, "pc") != "pc":
        return {"image": _DEFAULT_MACHINE[architecture]}
    machines = {}
    for compute in computes:
        here = known.get(compute["host"])
        arch = _images.canonical((here or compute).get("architecture") or compute["architecture"])
        if architecture and arch and arch != architecture:
            continue  # the scheduler does not send it there (ImagePropertiesFilter)
        named = here["machine_types"].get(arch) if here else None
        machines[compute["host"]] = (named or _DEFAULT_MACHINE.get(arch, "")) if here else ""
    return machines


def _certainty(machines: Mapping[str, str]) -> str:
    without = [bool(_NO_IDE.match(machine)) for machine in machines.values()]
    if without and all(without):
        return Certainty.CERTAIN
    return Certainty.PROBABLE if any(without) else Certainty.POSSIBLE


def _finding(image: _images.Image, bus: str, machines: Mapping[str, str], certainty: str, project: str) -> Finding:
    actual = {
        Certainty.CERTAIN: "no machine it would run on has an IDE controller, so its servers do not start",
        Certainty.PROBABLE: "some computes give it a machine without an IDE controller, where its servers do not start",
        Certainty.POSSIBLE: "no compute that was read refuses it today; it is slow, and keeps the image from q35",
    }[certainty]
    remedy, reason = _remedy(image, bus, machines, project)
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=certainty,
        severity="low" if certainty == Certainty.POSSIBLE else FAULT.severity,
        subject=bus,
        summary=f"Image {image['name']!r} asks for an IDE bus ({bus}=ide): {actual}",
        evidence={
            "source": "glance",
            "machine_types": {place: machine or "could not be read" for place, machine in machines.items()},
            "visibility": image["visibility"],
            "owner": image["owner"],
        },
        expected=f"no {bus}" if bus != "hw_disk_bus" else "hw_disk_bus with a bus that the machine has",
        actual=f"{bus}=ide",
        remedy=remedy,
        reason=reason,
    )


def _remedy(image: _images.Image, bus: str, machines: Mapping[str, str], project: str) -> tuple[Remedy, str]:
    """The smallest change that lets the image boot, and why it waits for approval where it does."""
    windows = _images.is_windows(image)
    changes: dict[str, Optional[str]] = {bus: None}
    waits = _images.not_ours(image, project)
    if windows and not waits:
        waits = "a Windows guest may not boot from, or may rename, a drive that moves to another bus"
    if bus == "hw_disk_bus":
        waits = waits or "the guest must have a driver for the new bus of its disk"
        # A Windows guest without viostor stops with bugcheck 0x7B on virtio (F28); AHCI it has had since Vista.
        if not windows:
            changes = {bus: "virtio"}
        elif all(re.match(r"(?:pc-)?q35|pc", machine or "q35") for machine in machines.values()):
            changes = {bus: "sata"}
        else:
            changes = {bus: "scsi", "hw_scsi_model": "virtio-scsi"}
    elif bus == "hw_rescue_bus":
        waits = waits or "rescue images may rely on it"
    risk = Risk.DISRUPTIVE if waits else Risk.SAFE
    return _images.remedy(image, changes, bus, risk), waits


FAULT = Fault(
    id="image_ide_bus",
    reference="F11",
    title="Image with an IDE bus on machines without IDE",
    scope="cloud",
    severity="high",
    symptom="Servers go to ERROR; nova-compute logs 'unsupported configuration: IDE controllers are unsupported for this "
    "QEMU binary or machine type'.",
    cause="The image names an IDE bus. The machine types q35, virt, pseries and s390-ccw-virtio have no IDE controller; "
    "nova does not check this and libvirt refuses the domain.",
    fix="Remove hw_cdrom_bus, so that nova chooses one that suits the machine; on approval, give the disk virtio "
    "(or sata on q35 for Windows without the virtio driver). Existing servers keep the properties they were created with: on "
    "approval one is stopped, given another bus with nova-manage image_property set, and started.",
    host_evidence=("compute", "nova_manage"),
    cloud_evidence=("images", "hypervisors", "servers"),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
