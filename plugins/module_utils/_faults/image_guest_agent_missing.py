# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_guest_agent_missing (F19): no channel for the QEMU guest agent, because the image does not ask for one."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from .._model import Certainty, Evidence, Fault, Finding, Risk
from . import _copies, _images

PROPERTY = "hw_qemu_guest_agent"
# Formats nova's libvirt driver boots a disk from; iso, aki, ari and ami are not guests with an agent of their own.
_DISK_FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx")
_OTHER_HYPERVISORS = ("vmware", "hyperv", "xen", "lxc", "ironic", "baremetal", "zvm", "uml", "docker")


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The policy, and the images and copies of servers that do not plainly ask for the agent."""
    keep = ("id", "name", "owner", "visibility", "status", "disk_format", "container_format", "hidden", "properties")
    policy = evidence["settings"]["guest_agent"]
    asked_for = policy != "ignore"
    return {
        "policy": policy,
        "project": evidence["images"]["project"],
        "images": [
            {key: image[key] for key in keep} for image in evidence["images"]["images"] if asked_for and _lacks(image)
        ],
        "servers": [server for server in _copies.servers(evidence) if asked_for and _lacks(server)],
    }


def _lacks(thing: Mapping[str, Any]) -> bool:
    return str(thing["properties"].get(PROPERTY, "")).strip().lower() not in _images.TRUE


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: _copies.observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None or cloud["policy"] == "ignore":
        return
    for image in cloud["images"]:
        if image["status"] == "active":
            for found in _judge(image, cloud["project"], cloud["policy"]):
                kept = _copies.named(cloud["servers"], image, PROPERTY)
                yield dataclasses.replace(found, evidence={**found.evidence, **kept})
    for server, copy in _copies.judged(evidence):
        # That a server has no channel is its image's matter, unless its own snapshots fail for it.
        disk = {**copy, "disk_format": "", "container_format": "", "hidden": False}
        for found in _judge(disk, copy["owner"], "quiesce_only"):
            yield _copies.finding(found, server, _copies.where(evidence), _copies.wished(found))


def _judge(image: _images.Image, project: str, policy: str) -> Iterator[Finding]:
    properties = image["properties"]
    value = properties.get(PROPERTY)
    quiesce = str(properties.get("os_require_quiesce", "")).strip().lower() in _images.TRUE
    if value is not None:
        word = str(value).strip().lower()
        if word not in _images.TRUE + _images.FALSE:
            yield _not_boolean(image, project, str(value))
        elif word in _images.FALSE and quiesce:
            yield Finding(
                fault=FAULT.id,
                target=_images.target(image),
                certainty=Certainty.CERTAIN,
                severity="medium",
                subject=PROPERTY,
                summary=f"Image {image['name']!r} requires quiesced snapshots and switches off the guest agent that makes "
                "them: every snapshot of its servers fails",
                evidence={"source": "glance", "os_require_quiesce": properties["os_require_quiesce"]},
                expected=f"{PROPERTY}=yes, or no os_require_quiesce",
                actual=f"{PROPERTY}={value}",
                reason="which of the two was meant is the operator's to say",
            )
        return
    name = misspelt(properties, policy)
    if name:
        yield _finding(
            image,
            project,
            certainty=Certainty.CERTAIN,
            severity="medium",
            subject=name,
            summary=f"Image {image['name']!r} asks for the guest agent under a name that nova does not know, {name}",
            actual=f"{name}={properties[name]}",
            changes={PROPERTY: "yes", name: None},
        )
    elif quiesce:
        yield _finding(
            image,
            project,
            certainty=Certainty.CERTAIN,
            severity="medium",
            subject=PROPERTY,
            summary=f"Image {image['name']!r} requires quiesced snapshots but no guest agent channel: "
            "every snapshot of its servers fails",
            actual=f"os_require_quiesce={properties['os_require_quiesce']} without {PROPERTY}",
            changes={PROPERTY: "yes"},
        )
    elif policy == "required" and _is_guest_disk(image):
        yield _finding(
            image,
            project,
            certainty=Certainty.PROBABLE,
            severity="low",
            subject=PROPERTY,
            summary=f"Servers of image {image['name']!r} get no guest agent channel: "
            "no quiesced snapshots, no password set from outside",
            actual=f"no {PROPERTY}",
            changes={PROPERTY: "yes"},
        )


def _not_boolean(image: _images.Image, project: str, value: str) -> Finding:
    near = difflib.get_close_matches(value.strip().lower(), ("yes", "true", "enabled", "no", "false", "disabled"), 1)
    meant_yes = near and near[0] in ("yes", "true", "enabled")
    return _finding(
        image,
        project,
        certainty=Certainty.CERTAIN,
        severity="medium",
        subject=PROPERTY,
        summary=f"Image {image['name']!r} sets {PROPERTY} to {value!r}, which nova silently takes for no",
        actual=f"{PROPERTY}={value}",
        changes={PROPERTY: "yes"} if meant_yes else None,
        reason="" if meant_yes else "whether yes or no was meant is the operator's to say",
    )


def _finding(
    image: _images.Image,
    project: str,
    *,
    changes: dict[str, str | None] | None,
    subject: str,
    reason: str = "",
    **fields: str,
) -> Finding:
    others = _images.not_ours(image, project)
    risk = Risk.DISRUPTIVE if others else Risk.SAFE
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        subject=subject,
        evidence={
            "source": "glance",
            "disk_format": image["disk_format"],
            "visibility": image["visibility"],
            "owner": image["owner"],
        },
        expected=f"{PROPERTY}=yes",
        remedy=_images.remedy(image, changes, subject, risk) if changes else None,
        reason=reason or others,
        **fields,
    )


def misspelt(properties: Mapping[str, object], policy: str) -> str:
    """A property that was meant to be hw_qemu_guest_agent and asks for it; empty where there is none.

    This fault speaks of it, and image_property_unknown leaves it alone.
    """
    if policy == "ignore" or properties.get(PROPERTY) is not None:
        return ""
    candidates = [
        name
        for name, value in properties.items()
        if str(value).strip().lower() in _images.TRUE and ("agent" in name or "qemu" in name)
    ]
    plain = {"qemu_guest_agent", "hw_qemu_agent", "hw_guest_agent", "qemu_ga", "hw_qemu_ga"}
    spelt = [name for name in candidates if name.lower().replace("-", "_") in plain]
    return (spelt or difflib.get_close_matches(PROPERTY, candidates, 1, 0.85) or [""])[0]


def _is_guest_disk(image: _images.Image) -> bool:
    properties = image["properties"]
    hypervisor = str(properties.get("img_hv_type") or properties.get("hypervisor_type") or "").lower()
    return (
        image["disk_format"] in _DISK_FORMATS
        and image["container_format"] == "bare"
        and not image["hidden"]
        and hypervisor not in _OTHER_HYPERVISORS
    )


FAULT = Fault(
    id="image_guest_agent_missing",
    reference="F19",
    title="Image without the QEMU guest agent channel",
    scope="cloud",
    severity="low",
    symptom="The guest agent inside a server cannot start: there is no device for it. Snapshots with os_require_quiesce "
    "fail with 'QEMU guest agent is not enabled'; setting the admin password times out.",
    cause=f"nova adds the channel only when the image says {PROPERTY}=yes. A misspelt name is ignored, and a value that "
    "is no boolean is silently taken for no.",
    fix=f"Set {PROPERTY}=yes on the image. It reaches servers that are created or rebuilt afterwards; an existing one is "
    "stopped, given the property with nova-manage image_property set, and started.",
    host_evidence=("nova_manage",),
    cloud_evidence=("images", "servers"),
    observe_host=_copies.observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
