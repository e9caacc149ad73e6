#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module host_evacuate: rebuild the servers of one dead host elsewhere, and of no other."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_evacuate
short_description: Evacuate the servers of exactly one host
version_added: 0.1.0
description:
  - Selects servers by the exact service host, never by a pattern, so that C(HOST-34) leaves C(HOST-340) alone.
  - Refuses while the compute service is up, and until fencing of the host is confirmed by its name. A server that still
    runs on a host that only looks dead would run twice and destroy its disk.
  - Leaves servers whose local disks would be lost, unless that is approved by their id.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.cloud
attributes:
  check_mode:
    support: full
    details: Lists the servers, and what a real run would refuse.
  diff_mode:
    support: none
    details: RV(evacuated) and RV(left) name the servers.
  idempotent:
    support: full
    details: Servers that have left the host are not selected any more.
  platform:
    support: full
    platforms: posix
options:
  host:
    description: The service host, exactly as C(openstack compute service list) shows it.
    type: str
    required: true
  fenced:
    description: The same name again, as the confirmation that the host is fenced (its power is off).
    type: str
    default: ''
  shared_storage:
    description: Whether the disks of all its servers are on storage that the other computes share.
    type: bool
    default: false
  approve_data_loss:
    description: Ids of servers that may be rebuilt from their image, which loses what their local disks hold.
    type: list
    elements: str
    default: []
  target:
    description: The service host they shall go to; the scheduler chooses without it.
    type: str
  leave_stopped:
    description: Leave servers stopped at their new host, as microversion 2.95 does.
    type: bool
    default: false
  wait:
    description: Seconds to wait for all servers together.
    type: int
    default: 600
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Evacuate a host that was switched off, whose servers boot from volumes
  stackmend.openstack.host_evacuate:
    cloud: production
    host: HOST-34
    fenced: HOST-34
"""

RETURN = r"""
evacuated:
  description: The servers that were evacuated (in check mode, would be), each with C(id) and C(name).
  returned: success
  type: list
  elements: dict
left:
  description: The servers that were left on the host, each with C(id), C(name) and C(reason).
  returned: success
  type: list
  elements: dict
refused:
  description: In check mode, what would make a real run refuse.
  returned: success
  type: list
  elements: str
"""

import time
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._session import ARGUMENTS, BadCloud, Cloud, open_cloud

# 2.53 has services by uuid, 2.47 the flavor in the server, 2.14 evacuates without onSharedStorage; 2.95 stops the server.
READ = "2.53"
EVACUATE = "2.79"
EVACUATE_STOPPED = "2.95"
_STATES = ("ACTIVE", "SHUTOFF", "ERROR")


class EvacuationError(Exception):
    """An evacuation that was refused or failed; the sentence says why and what to do."""


def service_of(cloud: Cloud, host: str) -> dict[str, Any]:
    """The compute service with exactly this host. Raises EvacuationError."""
    services = cloud.get("compute", "/os-services", params={"binary": "nova-compute"}, microversion=READ)["services"]
    for service in services:
        if service["host"] == host:
            found: dict[str, Any] = service
            return found
    near = sorted(service["host"] for service in services if host.lower() in service["host"].lower())
    hint = f"; there are {', '.join(near[:5])}" if near else ""
    raise EvacuationError(f"there is no compute service with the host {host!r}{hint}: give the exact name")


def refusals(service: dict[str, Any], fenced: str) -> list[str]:
    """Why nothing may be evacuated from this host now."""
    host = service["host"]
    found = []
    if service["state"] == "up":
        found.append(
            f"the compute service of {host} is up: its servers are running there, and nova would refuse each of them"
        )
    if fenced != host:
        found.append(
            f"fencing of {host} is not confirmed: make sure that its power is off, then repeat its exact name in `fenced`"
        )
    return found


def servers_on(cloud: Cloud, host: str) -> list[dict[str, Any]]:
    """The servers whose host is exactly this one, of all projects."""
    pages = cloud.pages(
        "compute",
        "/servers/detail",
        "servers",
        params={"all_tenants": 1, "host": host, "limit": 1000},
        microversion=READ,
    )
    # The filter is exact for administrators; to others nova does not apply it at all.
    return [server for server in pages if server.get("OS-EXT-SRV-ATTR:host") == host]


def why_left(server: dict[str, Any], shared_storage: bool, approved: list[str]) -> str:
    """Why this server is not evacuated; empty when it is."""
    if server["OS-EXT-STS:task_state"] is not None:
        return f"it is busy ({server['OS-EXT-STS:task_state']})"
    if server["status"] not in _STATES:
        return f"its status is {server['status']}; nova evacuates {', '.join(_STATES)}"
    if not shared_storage and has_local_disk(server) and server["id"] not in approved:
        return "its local disks would be lost: approve that by its id, or say that the storage is shared"
    return ""


def has_local_disk(server: dict[str, Any]) -> bool:
    """Whether something of the server is on its host: a root disk from an image, an ephemeral disk or swap."""
    flavor = server["flavor"]
    return bool(server["image"] or flavor.get("ephemeral") or flavor.get("swap"))


def evacuate(cloud: Cloud, server: dict[str, Any], target: str | None, leave_stopped: bool) -> None:
    """Ask nova to evacuate one server. Raises EvacuationError."""
    response = cloud.request(
        "POST",
        "compute",
        f"/servers/{server['id']}/action",
        json={"evacuate": {"host": target} if target else {}},
        microversion=EVACUATE_STOPPED if leave_stopped else EVACUATE,
    )
    if not response.ok:
        try:
            message = next(iter(response.json().values()))["message"]
        except (ValueError, StopIteration, KeyError, TypeError):
            message = f"HTTP {response.status_code}"
        raise EvacuationError(f"nova refused to evacuate server {server['id']} ({server['name']}): {message}")


def outcome(cloud: Cloud, server: dict[str, Any], host: str) -> Optional[str]:
    """How the evacuation of a server ended: "" well, a sentence when it did not, None while it goes on.

    server: as nova shows it now. When its task is over it is not on its new host yet: nova-compute writes the host down
    afterwards, and the migration's record last (nova 34, ResourceTracker.finish_evacuation).
    """
    if server["OS-EXT-STS:task_state"] is not None:
        return None
    now, status = server["OS-EXT-SRV-ATTR:host"], server["status"]
    if now != host and status != "ERROR":
        return ""
    migrations = cloud.get(
        "compute",
        "/os-migrations",
        params={"instance_uuid": server["id"], "migration_type": "evacuation"},
        microversion=READ,
    )["migrations"]
    last = max(migrations, key=lambda migration: migration["id"], default=None)
    if last is not None and status != "ERROR" and last["status"] not in ("error", "failed"):
        return None
    fault = (server.get("fault") or {}).get("message", "").strip()
    return f"server {server['id']} ({server['name']}) is {status} on {now}" + (f": {fault}" if fault else "")


def wait_for(cloud: Cloud, servers: list[dict[str, Any]], host: str, seconds: int) -> list[str]:
    """Wait until the servers have settled elsewhere; return a sentence for each that did not."""
    waiting = {server["id"]: server["name"] for server in servers}
    problems = []
    end = time.monotonic() + seconds
    while waiting and time.monotonic() < end:
        for server_id in list(waiting):
            now = cloud.get("compute", f"/servers/{server_id}", microversion=READ)["server"]
            ended = outcome(cloud, now, host)
            if ended is not None:
                del waiting[server_id]
            if ended:
                problems.append(ended)
        if waiting:
            time.sleep(1)
    problems.extend(f"server {server_id} ({name}) was not rebuilt in time" for server_id, name in waiting.items())
    return problems


def run(cloud: Cloud, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Evacuate, or in check mode say what would be."""
    service = service_of(cloud, params["host"])
    refused = refusals(service, params["fenced"])
    if refused and not check_mode:
        raise EvacuationError("; ".join(refused))
    chosen, left = [], []
    for server in servers_on(cloud, params["host"]):
        reason = why_left(server, params["shared_storage"], params["approve_data_loss"])
        if reason:
            left.append({"id": server["id"], "name": server["name"], "reason": reason})
        else:
            chosen.append(server)
    if not check_mode:
        for server in chosen:
            evacuate(cloud, server, params["target"], params["leave_stopped"])
        problems = wait_for(cloud, chosen, params["host"], params["wait"])
        if problems:
            raise EvacuationError("; ".join(problems))
    return {
        "changed": bool(chosen),
        "evacuated": [{"id": server["id"], "name": server["name"]} for server in chosen],
        "left": left,
        "refused": refused,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "host": {"type": "str", "required": True},
            "fenced": {"type": "str", "default": ""},
            "shared_storage": {"type": "bool", "default": False},
            "approve_data_loss": {"type": "list", "elements": "str", "default": []},
            "target": {"type": "str"},
            "leave_stopped": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        result = run(open_cloud(params, writable=not module.check_mode), params, module.check_mode)
    except (BadCloud, Unavailable, EvacuationError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
