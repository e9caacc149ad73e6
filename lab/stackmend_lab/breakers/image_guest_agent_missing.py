# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F19: an image demands quiesced snapshots and has no guest agent channel to quiesce through."""

from __future__ import annotations

from collections.abc import Callable

from ..lab import Lab
from . import _images
from ._breaker import Breaker
from ._changes import Changes

FAULT = "image_guest_agent_missing"
NAME = "broken-agent"


def break_(lab: Lab) -> None:
    Changes(lab, FAULT).create_image(NAME, os_type="linux", hw_disk_bus="virtio", os_require_quiesce="yes")


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """What nova's libvirt driver raises when a server of the image is to be snapshotted."""
    answer = _images.ask_nova(lab, NAME)
    return answer["quiesce_error"] if answer and answer["quiesce_required"] else None


def _image(disk_format: str = "raw", **properties: str) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        Changes(lab, FAULT).create_image(NAME, disk_format, **properties)

    return near_miss


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "the owner has decided against the agent": _image(os_type="linux", hw_qemu_guest_agent="no"),
        "an installation disc": _image("iso", os_type="linux"),
        "a ramdisk": _image("ari"),
        "the property spelt true": _image(os_type="linux", os_require_quiesce="yes", hw_qemu_guest_agent="true"),
        "the property spelt 1": _image(os_type="linux", os_require_quiesce="yes", hw_qemu_guest_agent="1"),
    },
)
