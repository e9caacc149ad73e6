# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_scsi_model_missing (F28): an image puts a drive on SCSI and leaves open which controller that is."""

from __future__ import annotations

from collections.abc import Iterator

from .._model import Certainty, Evidence, Fault, Finding, Risk
from . import _images

PROPERTY = "hw_scsi_model"
BUSES = ("hw_disk_bus", "hw_cdrom_bus")
# libvirt knows one SCSI controller for these machines; elsewhere it takes lsilogic where QEMU has it, else virtio-scsi.
_ONE_CONTROLLER = ("s390", "s390x", "ppc64", "ppc64le")


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"images": ...}."""
    for image in evidence["images"]["images"]:
        properties = image["properties"]
        on_scsi = [bus for bus in BUSES if properties.get(bus) == "scsi"]
        if (
            image["status"] == "active"
            and on_scsi
            # vmware_adaptertype is read as the model of the controller (nova, ImageMetaProps._set_attr_from_legacy_names)
            and not properties.get(PROPERTY)
            and not properties.get("vmware_adaptertype")
            and _images.architecture(image) not in _ONE_CONTROLLER
            and not _images.of_other_hypervisor(image)
        ):
            yield _finding(image, on_scsi)


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
    cloud_evidence=("images",),
    detect=detect,
)
