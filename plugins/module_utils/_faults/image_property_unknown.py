# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_property_unknown (F20): a property that nova reads past without a word, or a value that it refuses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._evidence import _image_property_names as known
from .._model import Certainty, Evidence, Fault, Finding, Risk
from . import _images, image_guest_agent_missing

# Spellings that people use and nova never had: the first stood in nova's own docstrings of 2014, the second in many posts.
_MEANT = {
    **{f"hw_cpu_max{what}": f"hw_cpu_max_{what}" for what in ("sockets", "cores", "threads")},
    **{f"hw_max_{what}": f"hw_cpu_max_{what}" for what in ("sockets", "cores", "threads")},
}
_OURS = re.compile(r"(?:hw|os|img)[_:-]", re.IGNORECASE)
NEAR = 0.85  # as alike as hw_qemu_guest_agnt and hw_qemu_guest_agent
CLEAR = 0.04  # how much nearer the nearest must be than the next, so that there is no doubt which was meant


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"images": ..., "compute_api": {"newest"}, "settings": {"guest_agent"}}."""
    project = evidence["images"]["project"]
    for image in evidence["images"]["images"]:
        if image["status"] == "active":
            yield from _judge(image, project, evidence)


def _judge(image: _images.Image, project: str, evidence: Evidence) -> Iterator[Finding]:
    properties = image["properties"]
    spoken_of = image_guest_agent_missing.misspelt(properties, evidence["settings"]["guest_agent"])
    # What is set, or about to be set by another finding: a second property cannot become it.
    taken = {known.FORMER_NAMES.get(name, name) for name in properties if known.is_known(name)}
    if spoken_of:
        taken.add(image_guest_agent_missing.PROPERTY)
    for name, value in sorted(properties.items()):
        if value is None or name == spoken_of:
            continue
        if known.is_known(name):
            if not known.takes(name, value):
                yield _refused(image, project, name, str(value))
            elif name in known.AFTER_ZED and tuple(evidence["compute_api"]["newest"]) <= known.ZED_MICROVERSION:
                yield _too_new(image, name)
        elif _OURS.match(name) and not known.is_of_others(name.lower()):
            right = meant(name)
            if right is None and (":" in name or _images.of_other_hypervisor(image)):
                continue  # a namespace of somebody's own, or a key of that hypervisor's driver
            if right is None:
                yield _unheard_of(image, name)
            else:
                yield _misspelt(image, project, name, right, str(value), right in taken)
                taken.add(right)


def meant(name: str) -> Optional[str]:
    """The property that was meant by a name nova does not know; None where none is beyond doubt."""
    plain = re.sub(r"[^a-z0-9_.]", "_", name.strip().lower())
    if plain in _MEANT:
        return _MEANT[plain]
    if known.is_known(plain):
        return plain
    near = difflib.get_close_matches(plain, sorted(known.NAMES), 2, NEAR)
    if not near:
        return None
    if len(near) == 2:
        first, second = (difflib.SequenceMatcher(None, plain, other).ratio() for other in near)
        if first - second < CLEAR:
            return None
    return near[0]


def _misspelt(image: _images.Image, project: str, name: str, right: str, value: str, is_taken: bool) -> Finding:
    fits = known.takes(right, value)
    remedy, reason = None, ""
    others = _images.not_ours(image, project)
    if is_taken:
        reason = f"the image has {right} as well: remove {name} once it is clear which of the two values is meant"
    elif not fits:
        reason = f"nova would refuse {value!r} for {right}: which value was meant is the operator's to say"
    else:
        remedy = _images.remedy(image, {right: value, name: None}, name, Risk.DISRUPTIVE if others else Risk.SAFE)
        reason = others
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=Certainty.CERTAIN,
        subject=name,
        summary=f"Image {image['name']!r} has {name}, which nova does not know and silently ignores; it knows {right}",
        evidence=_evidence(image),
        expected=f"{right}={value}" if fits else right,
        actual=f"{name}={value}",
        remedy=remedy,
        reason=reason,
    )


def _refused(image: _images.Image, project: str, name: str, value: str) -> Finding:
    """A value that is none of those nova takes: no server can be made of the image."""
    right = known.FORMER_NAMES.get(name, name)
    choices = known.CHOICES.get(right, ())
    plain = re.sub(r"[\s_]+", "-", value.strip().lower())
    same = [choice for choice in choices if choice.lower().replace("_", "-") == plain]
    near = same or difflib.get_close_matches(value.strip().lower(), choices, 1, 0.75)
    others = _images.not_ours(image, project)
    waits = others or ("" if same else f"{near[0]!r} is only the nearest of the values" if near else "")
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=Certainty.CERTAIN,
        severity="high",
        subject=name,
        summary=f"Image {image['name']!r} sets {name} to {value!r}, which nova refuses: no server can be made of it",
        evidence=_evidence(image),
        expected=f"{name} one of {', '.join(choices)}" if choices else f"{name} a whole number",
        actual=f"{name}={value}",
        remedy=_images.remedy(image, {name: near[0]}, name, Risk.DISRUPTIVE if waits else Risk.SAFE) if near else None,
        reason=waits if near else "which value was meant is the operator's to say",
    )


def _too_new(image: _images.Image, name: str) -> Finding:
    return _without_effect(
        image,
        name,
        summary=f"Image {image['name']!r} has {name}, which this nova does not know yet and silently ignores",
        expected="a nova later than Zed, or no such property",
        reason="it works once nova is upgraded",
    )


def _unheard_of(image: _images.Image, name: str) -> Finding:
    return _without_effect(
        image,
        name,
        summary=f"Image {image['name']!r} has {name}, which looks like a property of nova's and is none",
        expected="a property that nova knows, or a name of your own without its prefixes hw_, os_ and img_",
        reason="no property of nova's comes close enough to say what was meant; it may be read by something else",
    )


def _without_effect(image: _images.Image, name: str, summary: str, expected: str, reason: str) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=Certainty.POSSIBLE,
        severity="low",
        subject=name,
        summary=summary,
        evidence=_evidence(image),
        expected=expected,
        actual=f"{name}={image['properties'][name]}",
        reason=reason,
    )


def _evidence(image: _images.Image) -> Mapping[str, Any]:
    return {"source": "glance", "visibility": image["visibility"], "owner": image["owner"]}


FAULT = Fault(
    id="image_property_unknown",
    reference="F20",
    title="Image property that nova does not know, or refuses",
    scope="cloud",
    severity="medium",
    symptom="What the property asks for does not happen, without any message: servers of an image with hw_max_sockets get a "
    "socket for each vCPU. With a value that nova does not take, it answers 'Invalid image metadata'.",
    cause="nova reads the properties that it knows by their exact names and ignores all others, and takes of some only "
    "certain values. hw_max_sockets never existed; its name is hw_cpu_max_sockets.",
    fix="Give the value to the property that was meant and remove the wrong one, where there is no doubt which; correct a "
    "value that is merely spelt otherwise. It reaches servers that are created or rebuilt afterwards.",
    cloud_evidence=("images", "compute_api"),
    detect=detect,
)
