#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module stuck_server: delete servers that will never be built."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stuck_server
short_description: Delete servers that wait for a host and will never get one
version_added: 0.1.0
description:
  - Deletes a server only if it still is in BUILD with task state scheduling, has no host.
  - Nothing was ever built of such a server, so no disk is lost; its id, addresses and description are. What it was is kept in the
    journal; it cannot be brought back.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  wishes:
    description: The servers to delete.
    type: list
    elements: dict
    required: true
    suboptions:
      server:
        description: Uuid of the server.
        type: str
        required: true
      name:
        description: Its name, for the difference shown.
        type: str
        default: ''
      created:
        description: When it was asked for, as nova tells it.
        type: str
        required: true
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Delete a server that was never built
  stackmend.openstack.stuck_server:
    cloud: production
    wishes:
      - server: 5f0a3b3e-8e0c-4c1b-9d5e-0d7f0b1b2c3d
        created: '2026-01-05T03:12:44Z'
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose server is deleted, or has come further, meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which what was deleted is remembered.
  returned: success
  type: str
"""

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud

DELETE_SECONDS = 60.0


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Delete the servers that still are as they were seen."""
    diff = []
    gone: list[str] = []
    version = cloud.newest_microversion("compute", "2.79")
    for wish in params["wishes"]:
        path = f"/servers/{wish['server']}"
        response = cloud.request("GET", "compute", path, microversion=version)
        server = response.json()["server"] if response.ok else {}
        if not (
            server.get("status") == "BUILD"
            and server.get("OS-EXT-STS:task_state") == "scheduling"
            and not server.get("OS-EXT-SRV-ATTR:host")
            and server.get("created") == wish["created"]
        ):
            gone.append(wish["subject"] or wish["server"])
            continue
        title = f"server {wish['server']} ({server.get('name')})"
        diff.append(difference(title, "BUILD, scheduling\n", ""))
        if check_mode:
            continue
        journal.record("server_delete", id=wish["server"], name=server.get("name"), before=_description(server))
        answer = cloud.request("DELETE", "compute", path, microversion=version)
        if answer.status_code not in (204, 404):
            raise ChangeFailed(f"{title} was not deleted: nova answered {answer.status_code}")
        end = time.monotonic() + DELETE_SECONDS
        while cloud.request("GET", "compute", path, microversion=version).status_code != 404:
            if time.monotonic() > end:
                raise ChangeFailed(f"{title} is still there {DELETE_SECONDS:.0f} s after it was deleted")
            time.sleep(0.5)
    return {"changed": bool(diff), "diff": diff, "gone": gone}


def _description(server: dict[str, Any]) -> dict[str, Any]:
    """What its owner needs to ask for it again; no user data, which may hold passwords."""
    keep = ("name", "tenant_id", "user_id", "created", "flavor", "image", "key_name", "security_groups", "description")
    return {name: server.get(name) for name in keep}


def main() -> None:
    change_cloud(
        apply,
        {
            "wishes": wishes(
                {
                    "server": {"type": "str", "required": True},
                    "name": {"type": "str", "default": ""},
                    "created": {"type": "str", "required": True},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
