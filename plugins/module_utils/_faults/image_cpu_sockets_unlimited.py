# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_cpu_sockets_unlimited (F20): Windows gets more CPU sockets than its edition uses."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._evidence import _image_property_names as known
from .._model import Certainty, Evidence, Fault, Finding, Risk, Target
from . import _copies, _images
from .image_property_unknown import meant

PROPERTY = "hw_cpu_max_sockets"
# nova, virt/hardware.py: what "no limit" means
UNLIMITED = 65536
_WHAT = ("sockets", "cores", "threads")
_MISSPELT_KEYS = {"hw:max_sockets": "hw:cpu_max_sockets", "hw:cpu_maxsockets": "hw:cpu_max_sockets"}
_SERVER = re.compile(r"(?:win(?:dows)?|server|srv)[\s_.-]*(?:server|srv)?[\s_.-]*(20\d\d|2k\d+)")
_CLIENT = re.compile(r"win(?:dows)?[\s_.-]*(xp|vista|7|8\.1|8|10|11)(?![\d.])")


class Edition(NamedTuple):
    """What Windows an image holds and how many sockets it uses; `sure` where that could be told."""

    name: str
    sockets: int
    sure: bool


def edition(image: _images.Image) -> Edition:
    """The edition of a Windows image, by os_distro, os_version and its name (FAULTS.md F20, Microsoft's limits)."""
    image = image.get("image") or image
    properties = image["properties"]
    version = str(properties.get("os_version", "")).strip().lower()
    text = " ".join((str(properties.get("os_distro", "")), f"windows {version}", image["name"])).lower()
    server = _SERVER.search(text)
    if server:
        # libosinfo writes 2k8 and 2k12r2
        year = 2000 + int(server[1][2:]) if "k" in server[1] else int(server[1])
        if year >= 2012:
            return Edition(f"Windows Server {year}", 64, True)
        if "datacenter" in text:
            return Edition(f"Windows Server {year} Datacenter", 64, True)
        if "enterprise" in text:
            return Edition(f"Windows Server {year} Enterprise", 8, True)
        return Edition(f"Windows Server {year} Standard", 4, True)
    client = _CLIENT.search(text)
    if client:
        if "workstation" in text:
            return Edition(f"Windows {client[1]} Pro for Workstations", 4, True)
        if re.search(r"\bhome\b", text):
            return Edition(f"Windows {client[1]} Home", 1, True)
        return Edition(f"Windows {client[1]} Pro or Enterprise", 2, True)
    return Edition("a Windows that the image does not name closer", 2, False)


def sockets(vcpus: int, extra_specs: Mapping[str, Any], properties: Mapping[str, Any]) -> Optional[int]:
    """How many sockets nova gives a server; None where it refuses (nova 34, virt/hardware.py, get_best_cpu_topology)."""
    try:
        flavor_most = {what: int(extra_specs.get(f"hw:cpu_max_{what}", 0)) for what in _WHAT}
        flavor_wants = {what: int(extra_specs.get(f"hw:cpu_{what}", 0)) for what in _WHAT}
        image_most = {what: int(properties.get(f"hw_cpu_max_{what}", 0)) for what in _WHAT}
        image_wants = {what: int(properties.get(f"hw_cpu_{what}", 0)) for what in _WHAT}
    except ValueError:
        return None
    if any(flavor_most[what] and image_most[what] > flavor_most[what] for what in _WHAT):
        return None
    most = {what: image_most[what] or flavor_most[what] or UNLIMITED for what in _WHAT}
    if any(image_wants[what] > most[what] for what in _WHAT):
        return None
    wants = image_wants if any(image_wants.values()) else flavor_wants
    if wants is flavor_wants and any(flavor_wants[what] > most[what] for what in _WHAT):
        wants = dict.fromkeys(_WHAT, 0)
    best = None
    for s in (n for n in range(1, vcpus + 1) if vcpus % n == 0 and n <= most["sockets"]):
        for c in (n for n in range(1, vcpus // s + 1) if vcpus // s % n == 0 and n <= most["cores"]):
            t = vcpus // s // c
            if t <= most["threads"]:
                score = (s == wants["sockets"]) + (c == wants["cores"]) + (t == wants["threads"])
                best = max(best or (-1, 0, 0, 0), (score, s * c, s, t))
    return best[2] if best else None


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The images that hold Windows, the servers that are made of them, and what flavors say of sockets."""
    images = [
        {key: image[key] for key in ("id", "name", "owner", "visibility", "properties")}
        for image in evidence["images"]["images"]
        if image["status"] == "active" and _is_ours(image)
    ]
    of_windows = {image["id"] for image in images}
    return {
        "project": evidence["images"]["project"],
        "images": images,
        "used": [
            {"name": server["name"], "image": server["image"], "flavor": _copies.flavor(server)}
            for server in evidence["servers"]["servers"]
            if server["image"] in of_windows
        ],
        "servers": [server for server in _copies.servers(evidence) if _is_ours(_copies.as_image(server))],
        "flavors": [
            {"id": flavor["id"], "name": flavor["name"], "extra_specs": flavor["extra_specs"]}
            for flavor in evidence["flavors"]["flavors"]
            if any("max" in key and "sockets" in key for key in flavor["extra_specs"])
        ],
    }


def _is_ours(image: _images.Image) -> bool:
    if not _images.is_windows(image) or _images.of_other_hypervisor(image):
        return False
    # image_property_unknown speaks of a limit under a name that nova does not know.
    return not any(meant(name) == PROPERTY for name in image["properties"] if not known.is_known(name))


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: _copies.observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    yield from _flavors(cloud["flavors"])
    used: dict[str, list[Mapping[str, Any]]] = {}
    for server in cloud["used"]:
        used.setdefault(server["image"], []).append(server)
    images = {image["id"]: image for image in cloud["images"]}
    for image in cloud["images"]:
        found = _judge(image, used.get(image["id"], []), cloud)
        if found:
            kept = _copies.named(cloud["servers"], image, PROPERTY)
            yield dataclasses.replace(found, evidence={**found.evidence, **kept})
    for server, copy in _copies.judged(evidence):
        # nova does not tell of os_version, which it does not know: of what edition a server is, its image tells.
        found = _judge({**copy, "image": images.get(server["image"])}, [server], cloud)
        if found:
            summary = f"Server {server['name']!r} has {found.summary.partition(' get up to ')[2]}"
            found = _copies.finding(found, server, _copies.where(evidence), _copies.wished(found))
            yield dataclasses.replace(found, summary=summary)


def _judge(image: _images.Image, servers: list[Mapping[str, Any]], cloud: Mapping[str, Any]) -> Optional[Finding]:
    holds = edition(image)
    over = {}
    for server in servers:
        flavor = server["flavor"]
        given = sockets(flavor["vcpus"], flavor["extra_specs"], image["properties"])
        if given is not None and given > holds.sockets:
            over[server["name"]] = {"flavor": flavor["name"], "vcpus": flavor["vcpus"], "sockets": given}
    if not over:
        return None
    remedy, reason = _remedy(image, holds, servers, cloud)
    most = max(entry["sockets"] for entry in over.values())
    has = image["properties"].get(PROPERTY)
    return Finding(
        fault=FAULT.id,
        target=_images.target(image),
        certainty=Certainty.PROBABLE if holds.sure else Certainty.POSSIBLE,
        severity=FAULT.severity if holds.sure else "low",
        subject=PROPERTY,
        summary=f"Servers of image {image['name']!r} get up to {most} CPU sockets, and {holds.name} uses {holds.sockets}",
        evidence={
            "source": "glance, nova",
            "servers": dict(sorted(over.items())[:20]),
            "visibility": image["visibility"],
            "owner": image["owner"],
        },
        expected=f"{PROPERTY} of at most {holds.sockets}",
        actual=f"no {PROPERTY}" if has is None else f"{PROPERTY}={has}",
        remedy=remedy,
        reason=reason,
    )


def _remedy(
    image: _images.Image, holds: Edition, servers: list[Mapping[str, Any]], cloud: Mapping[str, Any]
) -> tuple[Optional[Any], str]:
    """The limit, where nova takes it with every flavor that the image is used with; else why not."""
    properties = image["properties"]
    if int(properties.get("hw_cpu_sockets", 0)) > holds.sockets:
        return None, f"the image asks for hw_cpu_sockets={properties['hw_cpu_sockets']} itself: lower that by hand"
    # A limit of the image above that of a flavor is refused (400): the smallest that a flavor has is kept to.
    limits = [_number(flavor["extra_specs"].get("hw:cpu_max_sockets")) for flavor in cloud["flavors"]]
    value = str(min([holds.sockets, *(limit for limit in limits if limit)]))
    for server in servers:
        flavor = server["flavor"]
        if sockets(flavor["vcpus"], flavor["extra_specs"], {**properties, PROPERTY: value}) is None:
            return (
                None,
                f"with {PROPERTY}={value} nova finds no topology for flavor {flavor['name']}: see its other limits",
            )
    waits = _images.not_ours(image, cloud["project"])
    if not waits and not holds.sure:
        waits = "the image does not say which Windows it is: name it in os_version, or approve this limit"
    if not waits and properties.get(PROPERTY) is not None:
        waits = f"somebody set {PROPERTY}={properties[PROPERTY]}"
    return _images.remedy(image, {PROPERTY: value}, PROPERTY, Risk.DISRUPTIVE if waits else Risk.SAFE), waits


def _number(value: Any) -> int:
    try:
        return int(value or 0)
    except ValueError:
        return 0


def _flavors(flavors: list[Mapping[str, Any]]) -> Iterator[Finding]:
    for flavor in flavors:
        for key, right in _MISSPELT_KEYS.items():
            if key in flavor["extra_specs"]:
                yield Finding(
                    fault=FAULT.id,
                    target=Target("flavor", flavor["id"], flavor["name"]),
                    certainty=Certainty.CERTAIN,
                    subject=key,
                    summary=f"Flavor {flavor['name']} has {key}, which nova does not know and silently ignores; "
                    f"it knows {right}",
                    evidence={"source": "nova"},
                    expected=f"{right}={flavor['extra_specs'][key]}",
                    actual=f"{key}={flavor['extra_specs'][key]}",
                    reason="images whose own limit is higher are refused with a limited flavor: "
                    f"see to them, then rename it (openstack flavor set --property {right}=...)",
                )


FAULT = Fault(
    id="image_cpu_sockets_unlimited",
    reference="F20",
    title="Windows with more CPU sockets than it uses",
    scope="cloud",
    severity="medium",
    symptom="Windows shows and uses fewer CPUs than the flavor has: two of four vCPUs on a Pro edition.",
    cause="nova makes each vCPU a socket of its own unless image or flavor limit that. Windows Home uses one socket, Pro and "
    "Enterprise two, Server 2008 R2 Standard four; Server 2012 and later up to 64.",
    fix="Set hw_cpu_max_sockets on the image to what the edition uses; nova then gives cores. It reaches servers that are "
    "created, rebuilt or resized afterwards; on approval a server is stopped, given the limit with nova-manage image_property "
    "set, and started. Windows may ask to be activated again.",
    host_evidence=("nova_manage",),
    cloud_evidence=("images", "servers", "flavors"),
    observe_host=_copies.observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
