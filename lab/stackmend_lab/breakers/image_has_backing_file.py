# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F31: a qcow2 with a backing file was uploaded, to a glance that did not look at the content."""

from __future__ import annotations

from collections.abc import Callable

from ..lab import Lab
from . import _images
from ._breaker import Breaker
from ._changes import Changes

FAULT = "image_has_backing_file"
NAME = "broken-delta"
BASE = "/srv/build/base.qcow2"


def break_(lab: Lab) -> None:
    # Its header is well-formed, so that the virtual size was computed: nothing but the content tells.
    content = _images.qcow2(backing=BASE)
    Changes(lab, FAULT).create_old_image(NAME, "qcow2", _images.qcow2(), content, 1 << 30, **_images.HEALTHY)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()
    _images.remove(lab, NAME)


def symptom(lab: Lab) -> str | None:
    return _images.refusal(lab, NAME)


def _image(disk_format: str, content: bytes) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        Changes(lab, FAULT).create_image(NAME, disk_format, content, **_images.HEALTHY)

    return near_miss


def _hidden(lab: Lab) -> None:
    break_(lab)
    service = lab.cloud().image
    service.update_image(service.find_image(NAME), is_hidden=True)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a whole qcow2": _image("qcow2", _images.qcow2()),
        "a raw disk with the path of a base in its data": _image(
            "raw", bytes(1024) + BASE.encode().ljust(64512, b"\0")
        ),
        "an image that is hidden already": _hidden,
    },
    approve="disruptive",
    variables={"stackmend_image_content": "all"},
)
