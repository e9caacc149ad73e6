# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F11: an image asks for an IDE bus on a machine type that has none."""

from __future__ import annotations

from ..lab import Lab
from . import _images
from ._breaker import Breaker
from ._changes import Changes

FAULT = "image_ide_bus"
NAME = "broken-ide"
REFUSAL = "unsupported configuration: IDE controllers are unsupported for this QEMU binary or machine type"


def break_(lab: Lab) -> None:
    Changes(lab, FAULT).create_image(NAME, hw_cdrom_bus="ide", hw_machine_type="q35", **_images.HEALTHY)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """The devices nova's libvirt driver gives a server of the image, and what libvirt says to them."""
    answer = _images.ask_nova(lab, NAME)
    if answer is None:
        return None
    devices = [device for device, bus in answer["buses"].items() if bus == "ide"]
    if not devices or "q35" not in (answer["machine_type"] or ""):
        return None
    what = " and ".join(devices)
    return f"nova puts the {what} of a server from {NAME} on ide with machine type q35; libvirt: {REFUSAL}"


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a virtio disk on q35": _images.image(FAULT, NAME, hw_disk_bus="virtio", hw_machine_type="q35"),
        "a sata cdrom on q35": _images.image(FAULT, NAME, hw_cdrom_bus="sata", hw_machine_type="q35"),
        "q35 and no bus at all": _images.image(FAULT, NAME, hw_machine_type="q35"),
        "the word ide in a property of the owner's own": _images.image(
            FAULT, NAME, hw_machine_type="q35", build_editor="ide", note="hw_disk_bus=ide"
        ),
    },
    recorded="libvirt's refusal: the lab has FakeDriver computes; the message is that of libvirt 9.0 with QEMU 7.2. "
    "That nova asks for the bus is computed by nova's own libvirt driver from the image in glance.",
)
