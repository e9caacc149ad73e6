# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F20: an image has a property that looks like one of nova's, and nova ignores it."""

from __future__ import annotations

from ..lab import Lab
from ._breaker import Breaker
from ._changes import Changes
from ._images import HEALTHY, ask_nova, image

FAULT = "image_property_unknown"
NAME = "broken-property"


def break_(lab: Lab) -> None:
    Changes(lab, FAULT).create_image(NAME, hw_max_sockets="2", **HEALTHY)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """The sockets that nova gives a server with four vCPUs, where its image means to limit them."""
    found = lab.cloud().image.find_image(NAME)
    answer = ask_nova(lab, NAME, vcpus=4)
    if found is None or answer is None or answer["sockets"] == 2:
        return None
    meant = [
        name
        for name in lab.cloud().image.get_image(found.id).properties
        if name.startswith("hw_") and name.endswith("max_sockets")
    ]
    if not meant:
        return None
    return f"image {NAME} limits the sockets by {meant[0]}, and nova gives a server with four vCPUs {answer['sockets']}"


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "the property spelt as nova knows it": image(FAULT, NAME, hw_cpu_max_sockets="2"),
        "keys of glance and of guests' tools": image(
            FAULT, NAME, os_version="12", os_shutdown_timeout="60", cinder_img_volume_type="fast", img_type="whole-disk"
        ),
        "former names that nova still reads": image(
            FAULT, NAME, architecture="amd64", hypervisor_type="QEMU", vm_mode="hvm"
        ),
        "an owner's own keys": image(FAULT, NAME, max_sockets="2", hardware_note="hw_max_sockets", build="hw_disc_bus"),
        "values that nova canonicalises": image(
            FAULT, NAME, hw_vif_model="VirtualE1000", hw_scsi_model="lsiLogicSas", hw_numa_nodes="1"
        ),
    },
)
