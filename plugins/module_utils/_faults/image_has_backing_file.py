# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_has_backing_file (F31): an image is only the difference to a file that no compute has."""

from __future__ import annotations

from collections.abc import Iterator

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk
from . import _images


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"images": ..., "image_content": ...}."""
    contents = evidence["image_content"]["images"]
    for image in evidence["images"]["images"]:
        content = contents.get(image["id"])
        if content and content["refers"] and not image["hidden"]:
            yield Finding(
                fault=FAULT.id,
                target=_images.target(image),
                certainty=Certainty.CERTAIN,
                subject="content",
                summary=f"Image {image['name']!r} is not whole: it refers to {content['refers']}, which no compute has and nova "
                "refuses",
                evidence={
                    "source": "glance, the beginning of the content",
                    "formats": content["formats"],
                    "read because": content["why"] or "all images are read",
                    "visibility": image["visibility"],
                    "owner": image["owner"],
                },
                expected="an image that holds all its data",
                actual=f"{'+'.join(content['formats'])} that refers to {content['refers']}",
                remedy=Remedy(
                    "image_replacement",
                    Risk.DISRUPTIVE,
                    {"image_replacement_wishes": [_images.hiding(image, "content")]},
                ),
                reason="it cannot be repaired from outside: convert it where its base is (qemu-img convert -O qcow2) and upload "
                "that; approved, it is only hidden from users",
            )


FAULT = Fault(
    id="image_has_backing_file",
    reference="F31",
    title="Image that is only a difference to another file",
    scope="cloud",
    severity="high",
    symptom="Servers of the image go to ERROR: 'Image ... is unacceptable: fmt=qcow2 backed by: ...' or, from nova 30 on, "
    "'Image does not pass safety check'.",
    cause="A qcow2 with a backing file (or a data file, or a VMDK with extents of its own) was uploaded. It names a path of the "
    "machine where it was made. glance before 2025.1 takes it.",
    fix="Convert it where its base is and upload the whole. On approval the image is hidden from users; it stays for "
    "servers that name it.",
    cloud_evidence=("images", "image_content"),
    detect=detect,
)
