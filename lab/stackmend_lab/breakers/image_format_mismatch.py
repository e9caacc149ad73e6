# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F31: an ISO was uploaded as qcow2, to a glance that did not look at the content."""

from __future__ import annotations

from collections.abc import Callable

from ..lab import Lab
from . import _images
from ._breaker import Breaker
from ._changes import Changes

FAULT = "image_format_mismatch"
NAME = "broken-format"


def break_(lab: Lab) -> None:
    # An older glance computes no virtual size where the content is not what the format says.
    content = _images.iso().ljust(256 << 10, b"\0")
    Changes(lab, FAULT).create_old_image(NAME, "qcow2", _images.qcow2(), content, None, **_images.HEALTHY)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()
    _images.remove(lab, NAME)


def symptom(lab: Lab) -> str | None:
    return _images.refusal(lab, NAME)


def _image(name: str, disk_format: str, content: bytes, **properties: str) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        Changes(lab, FAULT).create_image(name, disk_format, content, **{**_images.HEALTHY, **properties})

    return near_miss


def _unlooked_at(lab: Lab) -> None:
    content = _images.qcow2()
    Changes(lab, FAULT).create_old_image(NAME, "qcow2", content, content, None, **_images.HEALTHY)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a disc that also boots as a disk": _image(f"{NAME}.img.gz", "iso", _images.iso(partitioned=True)),
        "a partitioned disk, which is raw to glance": _image(f"{NAME}.gz", "raw", _images.disk()),
        "a qcow2 whose virtual size an older glance did not compute": _unlooked_at,
        "a qcow2 that is called an ISO": _image(f"{NAME}.iso", "qcow2", _images.qcow2()),
    },
    approve="disruptive",
)
