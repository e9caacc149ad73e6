# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_format_mismatch (F31): the content of an image is not of the format that the image says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk
from . import _images

# What glance's disk_format is for a content: a partitioned disk is raw to it.
_DISK_FORMATS = {name: name for name in ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx", "iso")} | {"gpt": "raw"}


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"images": ..., "image_content": ...}."""
    contents = evidence["image_content"]["images"]
    for image in evidence["images"]["images"]:
        content = contents.get(image["id"])
        if content and not content["refers"] and not image["hidden"]:
            found = _judge(image, content, evidence["images"]["project"])
            if found:
                yield found


def _judge(image: _images.Image, content: Mapping[str, Any], project: str) -> Optional[Finding]:
    said, there = image["disk_format"], content["format"]
    as_said = said == there or (said == "raw" and there == "gpt")
    if as_said and not (said == "raw" and content["packing"]):
        return None
    if there == "luks" and said == "raw" and _is_encrypted(image["properties"]):
        return None  # a volume that cinder encrypted and uploaded
    remedy, reason = _remedy(image, content, project)
    what = content["packing"] or there or " and ".join(content["formats"]) + " at once"
    fixed_vhd = said == "vhd" and _DISK_FORMATS.get(there) == "raw"
    if fixed_vhd:
        remedy, reason = None, "a VHD of fixed size has its mark at its end only; nova from 30 on does not take that"
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=Certainty.PROBABLE if fixed_vhd or content["packing"] else Certainty.CERTAIN,
        subject="disk_format",
        summary=f"Image {image['name']!r} says that it is {said}, and its content is {what}",
        evidence={
            "source": "glance, the beginning of the content",
            "formats": content["formats"],
            "read because": content["why"] or "all images are read",
            "visibility": image["visibility"],
            "owner": image["owner"],
        },
        expected=f"disk_format={_DISK_FORMATS.get(there, 'that of the content')}",
        actual=f"disk_format={said}",
        remedy=remedy,
        reason=reason,
    )


def _is_encrypted(properties: Mapping[str, Any]) -> bool:
    return bool(properties.get("cinder_encryption_key_id") or properties.get("hw_ephemeral_encryption_format"))


def _remedy(image: _images.Image, content: Mapping[str, Any], project: str) -> tuple[Optional[Remedy], str]:
    if content["packing"]:
        return None, f"unpack it ({content['packing']}) and upload the disk that is in it"
    right = _DISK_FORMATS.get(content["format"])
    if len(content["formats"]) > 1 and not content["format"]:
        return None, "a content with the marks of several formats may be made to deceive: ask its owner"
    if right is None:
        return None, f"glance has no disk_format for {content['format']}: convert it and upload it anew"
    if right == "raw" and image["size"] % 512:
        return None, "its content is no disk at all: upload it anew"
    wish = {**_images.hiding(image, "disk_format"), "disk_format": right}
    others = _images.not_ours(image, project)
    reason = "the id changes: servers, templates and scripts that name the old image keep it, hidden"
    return (
        Remedy("image_replacement", Risk.DISRUPTIVE, {"image_replacement_wishes": [wish]}),
        f"{others}; {reason}" if others else reason,
    )


FAULT = Fault(
    id="image_format_mismatch",
    reference="F31",
    title="Image whose content is of another format",
    scope="cloud",
    severity="high",
    symptom="Servers of the image go to ERROR: 'Image content does not match disk_format' (nova from 30 on), or an older nova "
    "boots a disk that no firmware can read.",
    cause="It was uploaded with the wrong --disk-format, such as an ISO as qcow2. glance before 2025.1 does not look at the "
    "content, and disk_format cannot be changed afterwards.",
    fix="On approval, make a new image with the right format, the same content, properties, members and visibility, verify "
    "it, and hide the old one, which servers that name it keep.",
    cloud_evidence=("images", "image_content"),
    detect=detect,
)
