# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_video_unsupported (F12): an image asks for a graphics model that computes do not have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._evidence import _image_property_names as known
from .._model import Certainty, Evidence, Fault, Finding, Risk
from . import _config, _copies, _images

PROPERTY = "hw_video_model"
TRAIT = "COMPUTE_GRAPHICS_MODEL_"


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """Whether a nova-scheduler here sends images only to computes that have their graphics model; and nova-manage."""
    seen = _copies.observe_host(evidence) or {}
    scheduler = evidence["scheduler"]
    if scheduler is not None:
        value = scheduler["options"].get("scheduler.image_metadata_prefilter", "false")
        seen["prefilter"] = value.strip().lower() in _config.TRUE
    return seen or None


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The images that name a graphics model, and which computes report which models."""
    models = evidence["graphics_models"]["models"]
    reporting = {name for names in models.values() for name in names}
    keep = ("id", "name", "owner", "visibility", "properties")
    return {
        "project": evidence["images"]["project"],
        "images": [
            {key: image[key] for key in keep}
            for image in evidence["images"]["images"]
            if image["status"] == "active" and image["properties"].get(PROPERTY) in known.CHOICES[PROPERTY]
        ],
        "servers": [
            server
            for server in _copies.servers(evidence)
            if server["properties"].get(PROPERTY) in known.CHOICES[PROPERTY]
        ],
        "computes": [
            {
                "name": row["name"],
                "architecture": row["architecture"],
                "models": sorted(model for model, names in models.items() if row["name"] in names),
                "reports": row["name"] in reporting,
            }
            for row in evidence["hypervisors"]["hypervisors"]
            if row["status"] == "enabled"
        ],
    }


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    for image in cloud["images"]:
        found = _judge(image, evidence)
        if found:
            kept = _copies.named(cloud.get("servers", []), image, PROPERTY)
            yield dataclasses.replace(found, evidence={**found.evidence, **kept})
    for server, copy in _copies.judged(evidence):
        found = _judge(copy, evidence)
        if found:
            # What nova chooses by itself (virt/libvirt/driver.py, _get_video_type), where a compute has it.
            value = "vga" if _images.architecture(copy).startswith("ppc") else "virtio"
            values = {PROPERTY: value if value in found.evidence["models"] else None}
            yield _copies.finding(found, server, _copies.where(evidence), values)


def _judge(image: _images.Image, evidence: Evidence) -> Optional[Finding]:
    cloud = evidence["cloud"]
    schedulers = [host["prefilter"] for host in evidence["hosts"].values() if host and "prefilter" in host]
    model = image["properties"][PROPERTY]
    if model == "none" or _images.of_other_hypervisor(image):
        return None  # "none" is no device at all: for a GPU that is passed through
    wanted = _images.architecture(image)
    computes = [row for row in cloud["computes"] if not wanted or row["architecture"] in ("", wanted)]
    telling = [row for row in computes if row["reports"]]
    lacking = [row["name"] for row in telling if model not in row["models"]]
    everywhere = len(lacking) == len(computes)
    # The scheduler then sends it only where the model is.
    chosen = (schedulers and all(schedulers)) or image["properties"].get(f"trait:{TRAIT}{model.upper()}") == "required"
    if not lacking or (chosen and not everywhere):
        return None
    return _finding(image, model, sorted(lacking), telling, everywhere, cloud["project"])


def _finding(
    image: _images.Image,
    model: str,
    lacking: list[str],
    telling: list[Mapping[str, Any]],
    everywhere: bool,
    project: str,
) -> Finding:
    where = "no compute has it" if everywhere else f"{len(lacking)} of {len(telling)} computes that tell do not have it"
    others = _images.not_ours(image, project)
    changes: dict[str, Optional[str]] = {PROPERTY: None}
    if image["properties"].get("hw_video_ram") is not None:
        others = others or "its hw_video_ram was chosen for this model"
    trait = f"trait:{TRAIT}{model.upper()}"
    if image["properties"].get(trait) == "required":
        changes[trait] = None
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=Certainty.CERTAIN if everywhere else Certainty.PROBABLE,
        subject=PROPERTY,
        summary=f"Image {image['name']!r} asks for the graphics model {model}, and {where}: its servers do not start there",
        evidence={
            "source": "glance, traits of placement",
            "without": lacking[:20],
            "models": sorted({name for row in telling for name in row["models"]}),
            "visibility": image["visibility"],
            "owner": image["owner"],
        },
        expected=f"no {PROPERTY}, so that nova chooses one that the compute has",
        actual=f"{PROPERTY}={model}",
        remedy=_images.remedy(image, changes, PROPERTY, Risk.DISRUPTIVE if others else Risk.SAFE),
        reason=others,
    )


FAULT = Fault(
    id="image_video_unsupported",
    reference="F12",
    title="Image with a graphics model that computes do not have",
    scope="cloud",
    severity="high",
    symptom="Servers go to ERROR; nova-compute logs 'Cirrus VGA not available' or that the video type is not valid. Where "
    "[scheduler] image_metadata_prefilter is set, no valid host is found.",
    cause="The image names a graphics model, often cirrus, that the QEMU of the computes was built without. nova before Yoga "
    "also chose cirrus by itself. From Ussuri on each compute reports its models as traits.",
    fix="Remove hw_video_model, so that nova chooses (virtio on x86 and aarch64, vga on POWER). It reaches servers that are "
    "created or rebuilt afterwards; on approval a server is stopped, given a model with nova-manage image_property set, and "
    "started.",
    host_evidence=("scheduler", "nova_manage"),
    cloud_evidence=("images", "hypervisors", "graphics_models", "servers"),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
