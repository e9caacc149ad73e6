# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F28: an image puts its disk on SCSI without saying which controller."""

from __future__ import annotations

from ..lab import Lab
from ._breaker import Breaker
from ._changes import Changes
from ._images import HEALTHY, ask_nova, image

FAULT = "image_scsi_model_missing"
NAME = "broken-scsi"


def break_(lab: Lab) -> None:
    Changes(lab, FAULT).create_image(NAME, hw_disk_bus="scsi", **HEALTHY)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """The controller that nova's libvirt driver asks for: none, so that libvirt takes one by itself."""
    answer = ask_nova(lab, NAME)
    if answer is None or "scsi" not in answer["buses"].values() or answer["scsi_controller"]:
        return None
    if "hw_architecture" in answer["read"]:
        return None  # with s390x, the one architecture tried here, libvirt has no choice
    return f"nova puts the disk of a server from {NAME} on scsi and asks libvirt for no controller in particular"


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "SCSI with a model of its controller": image(FAULT, NAME, hw_disk_bus="scsi", hw_scsi_model="virtio-scsi"),
        "a model under VMware's name": image(FAULT, NAME, hw_disk_bus="scsi", vmware_adaptertype="lsiLogic"),
        "s390x, where libvirt knows one controller": image(FAULT, NAME, hw_disk_bus="scsi", hw_architecture="s390x"),
        "a model and no SCSI": image(FAULT, NAME, hw_disk_bus="virtio", hw_scsi_model="virtio-scsi"),
    },
    approve="disruptive",
    recorded="which controller libvirt takes: the lab has FakeDriver computes. That nova asks for none is computed by nova's "
    "own libvirt driver from the image in glance.",
)
