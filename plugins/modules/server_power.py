#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module server_power: stop or start servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_power
short_description: Stop or start servers, and tell which
version_added: 0.1.0
description:
  - Stops or starts servers through nova and waits until it is done. A server in any other state is left alone.
  - What a server was is written to a journal first; undoing it brings the server back to that, unless it is so already.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  servers:
    description: Uuids of the servers.
    type: list
    elements: str
    required: true
  state:
    description: What they shall be.
    type: str
    choices: [started, stopped]
    required: true
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Stop a server
  stackmend.openstack.server_power:
    cloud: production
    servers: [0b4a2a5c-6c2e-4b8a-9d54-6c0d0a7d2f11]
    state: stopped
"""

RETURN = r"""
servers:
  description: The servers that were stopped or started.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _server_power as power
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed, Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Stop or start the servers that are in the opposite state, and leave all others alone."""
    before, after = ("ACTIVE", "SHUTOFF") if params["state"] == "stopped" else ("SHUTOFF", "ACTIVE")
    changed: list[str] = []
    diff = []
    try:
        for server in dict.fromkeys(params["servers"]):
            now = power.read(cloud, server)
            if now is None or now["status"] != before:
                continue
            changed.append(server)
            diff.append(difference(f"server {server} ({now['name']})", f"{before}\n", f"{after}\n"))
            if not check_mode:
                # Only a stop is to be taken back: a start brings back what was before it.
                if after == "SHUTOFF":
                    journal.record("server_power", id=server, name=now["name"], before=before)
                power.bring(cloud, server, after)
    except (ChangeFailed, Unavailable) as failure:
        raise ChangeFailed(str(failure), servers=changed) from failure
    return {"changed": bool(changed), "diff": diff, "servers": changed}


def main() -> None:
    change_cloud(
        apply,
        {
            "servers": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
        },
    )


if __name__ == "__main__":
    main()
