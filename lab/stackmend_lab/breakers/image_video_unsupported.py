# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F12: an image asks for a graphics model that no compute reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..lab import Lab
from ._breaker import Breaker
from ._changes import Changes
from ._images import HEALTHY, ask_nova

FAULT = "image_video_unsupported"
NAME = "broken-video"
PREFIX = "COMPUTE_GRAPHICS_MODEL_"
REFUSAL = "qemu-system-x86_64: Cirrus VGA not available"
MODERN = ("bochs", "none", "vga", "virtio")


def _report(lab: Lab, **special: Sequence[str]) -> None:
    """Let the computes report models as nova's libvirt driver does on RHEL 9; FakeDriver reports none."""
    models = {host: special.get(host.replace("-", "_"), MODERN) for host in lab.layout.computes}
    traits = {host: [PREFIX + model.upper() for model in has] for host, has in models.items()}
    Changes(lab, FAULT).set_traits(PREFIX, traits)


def break_(lab: Lab) -> None:
    _report(lab)
    Changes(lab, FAULT).create_image(NAME, hw_video_model="cirrus", **HEALTHY)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """What placement answers when the scheduler asks for a compute with the image's graphics model."""
    answer = ask_nova(lab, NAME)
    if answer is None or answer["video_trait"] is None:
        return None
    placement = lab.cloud().placement
    told = placement.get(f"/traits?name=startswith:{PREFIX}&associated=true", microversion="1.18").json()["traits"]
    wish = f"/allocation_candidates?resources=VCPU:1&required={answer['video_trait']}"
    candidates = placement.get(wish, microversion="1.29").json()["allocation_requests"]
    if candidates or not told:
        return None
    return f"placement has no compute with {answer['video_trait']}, which {NAME} asks for; QEMU: {REFUSAL}"


def _near_miss(properties: dict[str, str], **special: Sequence[str]) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        _report(lab, **special)
        Changes(lab, FAULT).create_image(NAME, **{**HEALTHY, **properties})

    return make


def _prefiltered(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    _report(lab, HOST_34=("cirrus", *MODERN))
    path = "/etc/nova/nova.conf"
    changes.edit("labctl", path, "[scheduler]\n", "[scheduler]\nimage_metadata_prefilter = True\n")
    changes.create_image(NAME, hw_video_model="cirrus", **HEALTHY)


def _no_reports(lab: Lab) -> None:
    Changes(lab, FAULT).create_image(NAME, hw_video_model="cirrus", **HEALTHY)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a model that every compute has": _near_miss({"hw_video_model": "virtio"}),
        "no device at all, for a GPU that is passed through": _near_miss({"hw_video_model": "none"}),
        "the image asks for computes that have it": _near_miss(
            {"hw_video_model": "cirrus", f"trait:{PREFIX}CIRRUS": "required"}, HOST_34=("cirrus", *MODERN)
        ),
        "the scheduler looks for a compute that has it": _prefiltered,
        "computes that report no models (before Ussuri, or no libvirt)": _no_reports,
    },
    recorded="QEMU's refusal: the lab has FakeDriver computes, and their traits are set in placement as nova's libvirt driver "
    "sets them. The trait that the image needs is computed by nova's scheduler, and placement says who has it.",
)
