# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_scsi_model_missing (F28): an image puts a drive on SCSI and leaves open which controller that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from .._model import Certainty, Evidence, Fault, Finding, Risk
from . import _copies, _images

PROPERTY = "hw_scsi_model"
BUSES = ("hw_disk_bus", "hw_cdrom_bus")
# libvirt knows one SCSI controller for these machines; elsewhere it takes lsilogic where QEMU has it, else virtio-scsi.
_ONE_CONTROLLER = ("s390", "s390x", "ppc64", "ppc64le")


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The images, and the copies of servers, that put a drive on SCSI."""
    return {
        "images": [
            {key: image[key] for key in ("id", "name", "owner", "visibility", "properties")}
            for image in evidence["images"]["images"]
            if image["status"] == "active" and _on_scsi(image)
        ],
        "servers": [server for server in _copies.servers(evidence) if _on_scsi(server)],
    }


def _on_scsi(thing: Mapping[str, Any]) -> list[str]:
    return [bus for bus in BUSES if thing["properties"].get(bus) == "scsi"]


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: _copies.observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    for image in cloud["images"]:
        for found in _judge(image):
            kept = _copies.named(cloud.get("servers", []), image, PROPERTY)
            yield dataclasses.replace(found, evidence={**found.evidence, **kept})
    for server, copy in _copies.judged(evidence):
        for found in _judge(copy):
            yield _copies.finding(found, server, _copies.where(evidence), _copies.wished(found))


def _judge(image: _images.Image) -> Iterator[Finding]:
    properties = image["properties"]
    # vmware_adaptertype is read as the model of the controller (nova, ImageMetaProps._set_attr_from_legacy_names)
    if not (
        properties.get(PROPERTY)
        or properties.get("vmware_adaptertype")
        or _images.architecture(image) in _ONE_CONTROLLER
        or _images.of_other_hypervisor(image)
    ):
        yield _finding(image, _on_scsi(image))


def _finding(image: _images.Image, buses: list[str]) -> Finding:
    windows = _images.is_windows(image)
    actual = " and ".join(f"{bus}=scsi" for bus in buses)
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=Certainty.PROBABLE if windows else Certainty.POSSIBLE,
        severity="medium" if windows else "low",
        subject=PROPERTY,
        summary=f"Image {image['name']!r} has {actual} and does not say which SCSI controller: its servers may get different "
        "ones on different computes"
        + (", and Windows stops with 0x7B where it has no driver for it" if windows else ""),
        evidence={"source": "glance", "windows": windows, "visibility": image["visibility"], "owner": image["owner"]},
        expected=f"{PROPERTY}=virtio-scsi, where the guest has its driver",
        actual=f"{actual} without {PROPERTY}",
        remedy=_images.remedy(image, {PROPERTY: "virtio-scsi"}, PROPERTY, Risk.DISRUPTIVE),
        reason="a guest without a driver for virtio-scsi no longer boots with it: boot a server of the image to try",
    )


FAULT = Fault(
    id="image_scsi_model_missing",
    reference="F28",
    title="SCSI bus without a model of its controller",
    scope="cloud",
    severity="low",
    symptom="A Windows server stops with a blue screen 0x7B (INACCESSIBLE_BOOT_DEVICE), or a Linux one finds no root device, "
    "on some computes and not on others.",
    cause="With hw_disk_bus=scsi and no hw_scsi_model nova asks libvirt for no controller in particular. libvirt then chooses "
    "by architecture and by what QEMU has: lsilogic or virtio-scsi, for which the guest needs different drivers.",
    fix="Add hw_scsi_model=virtio-scsi, on approval, to images whose guest has the driver (Linux; Windows with vioscsi). It "
    "reaches servers that are created or rebuilt afterwards. The bus of an image is never changed.",
    host_evidence=("nova_manage",),
    cloud_evidence=("images", "servers"),
    observe_host=_copies.observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
