# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of its image's properties that nova keeps with each server: judged like an image, remedied by nova-manage.

A change of the image does not reach it (FAULTS.md F11). nova tells it from microversion 2.98 on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._model import Evidence, Finding, Remedy, Risk, Target

Server = Mapping[str, Any]

# Those that nova-manage image_property set takes, and a running one, which can be stopped for it.
_STATES = ("active", "stopped", "shelved", "shelved_offloaded")


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """Whether nova-manage can be run here."""
    return {"nova_manage": True} if evidence["nova_manage"] else None


def where(evidence: Evidence) -> Optional[str]:
    """The inventory name of a host that has nova-manage; None where none was read."""
    return min((name for name, seen in evidence["hosts"].items() if seen and seen.get("nova_manage")), default=None)


def servers(evidence: Evidence) -> list[dict[str, Any]]:
    """The servers whose copy can be judged and mended, reduced to what that takes."""
    return [
        {
            **{key: server[key] for key in ("id", "name", "image", "project", "vm_state")},
            "flavor": flavor(server),
            "properties": server["image_properties"],
        }
        for server in evidence["servers"]["servers"]
        if server["image_properties"] is not None and server["vm_state"] in _STATES and not server["task_state"]
    ]


def flavor(server: Server) -> dict[str, Any]:
    """What a server's flavor says of CPUs."""
    return {key: server["flavor"][key] for key in ("name", "vcpus", "extra_specs")}


def as_image(server: Server) -> dict[str, Any]:
    """A server's copy in the form of an image that nobody else uses."""
    return {
        "id": server["id"],
        "name": server["name"],
        "owner": server["project"],
        "visibility": "private",
        "status": "active",
        "properties": server["properties"],
    }


def named(servers: list[Server], image: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """What a finding on an image says of the servers that keep the property as it is now."""
    keep = [
        server["name"]
        for server in servers
        if server["image"] == image["id"] and server["properties"].get(subject) == image["properties"].get(subject)
    ]
    return {"servers that keep it": sorted(keep)[:20]} if keep else {}


def finding(found: Finding, server: Server, host: Optional[str], values: Mapping[str, Optional[str]]) -> Finding:
    """The finding that a server's copy deserves.

    found: what the fault finds in `as_image`. values: what the properties shall be; nova-manage can set and not remove.
    """
    running = server["vm_state"] == "active"
    wishes = {name: value for name, value in values.items() if value is not None}
    reason, remedy = found.reason, None
    if not wishes:
        reason = reason or "nova-manage can set a property and not remove one"
    elif host is None:
        reason = "no host with nova-manage and nova's API database was read: it is set there (nova-manage image_property set)"
    else:
        reason = "the server is stopped for it and started again" if running else "the guest meets other hardware"
        wish = {
            "server": server["id"],
            "properties": wishes,
            "expect": {name: server["properties"].get(name) for name in wishes},
            "subject": f"{server['id']} {found.subject}",
        }
        remedy = Remedy(
            "server_image_properties", Risk.DISRUPTIVE, {"server_image_properties_wishes": [wish]}, host=host
        )
    evidence = {**found.evidence, "source": "nova, the image's properties as the server keeps them"}
    for key in ("visibility", "owner"):
        evidence.pop(key, None)
    return dataclasses.replace(
        found,
        target=Target("server", server["id"], server["name"]),
        summary=found.summary.replace(
            f"Image {server['name']!r}", f"Server {server['name']!r}, by its image's properties,"
        ),
        evidence=evidence,
        remedy=remedy,
        reason=reason,
    )


def wished(found: Finding) -> dict[str, Optional[str]]:
    """The properties that the remedy of an image wishes, and their values."""
    if found.remedy is None:
        return {}
    return {wish["property"]: wish["value"] for wish in found.remedy.vars["image_properties_wishes"]}


def judged(evidence: Evidence) -> Iterator[tuple[Server, dict[str, Any]]]:
    """(server, its copy as an image) of all servers that the cloud told of."""
    for server in evidence["cloud"].get("servers", ()):
        yield server, as_image(server)
