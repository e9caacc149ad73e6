# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the breakers of images have in common: asking nova about an image, and images that only look alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..lab import Lab, LabError
from ._changes import Changes

HEALTHY = {"os_type": "linux", "hw_qemu_guest_agent": "yes"}


def ask_nova(lab: Lab, name: str, vcpus: int = 1, **extra_specs: str) -> dict[str, Any] | None:
    """What nova's libvirt driver makes of an image (programs/ask_nova_about_image.py); None where there is none."""
    image = lab.cloud().image.find_image(name)
    if image is None:
        return None
    done = lab.python(
        "ask_nova_about_image.py",
        lab.nova_conf,
        lab.layout.url("glance"),
        image.id,
        str(vcpus),
        json.dumps(extra_specs),
    )
    if done.returncode:
        raise LabError(f"nova could not be asked about image {name}:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def image(fault: str, name: str, disk_format: str = "raw", **properties: str) -> Callable[[Lab], None]:
    """A near miss: an image with these properties beside the healthy ones."""

    def make(lab: Lab) -> None:
        Changes(lab, fault).create_image(name, disk_format, **{**HEALTHY, **properties})

    return make
