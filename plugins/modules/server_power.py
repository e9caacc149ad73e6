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
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils import _server_power as power
from ansible_collections.stackmend.openstack.plugins.module_utils import _session
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import (
    ARGUMENTS,
    JournalError,
    open_journal,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._session import BadCloud, ChangeFailed, connect


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            **_session.ARGUMENTS,
            "servers": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    before, after = ("ACTIVE", "SHUTOFF") if params["state"] == "stopped" else ("SHUTOFF", "ACTIVE")
    changed: list[str] = []
    diff = []
    try:
        cloud = connect(
            params["cloud"], params["clouds_file"], writable=not module.check_mode, timeout=params["api_timeout"]
        )
        journal = open_journal(params)
        for server in dict.fromkeys(params["servers"]):
            now = power.read(cloud, server)
            if now is None or now["status"] != before:
                continue
            changed.append(server)
            title = f"server {server} ({now['name']})"
            diff.append({"before_header": title, "after_header": title, "before": f"{before}\n", "after": f"{after}\n"})
            if not module.check_mode:
                # Only a stop is to be taken back: a start brings back what was before it.
                if after == "SHUTOFF":
                    journal.record("server_power", id=server, name=now["name"], before=before)
                power.bring(cloud, server, after)
    except (BadCloud, JournalError, Unavailable, ChangeFailed) as error:
        module.fail_json(msg=str(error), servers=changed)
    module.exit_json(changed=bool(changed), diff=diff, servers=changed, run_id=journal.run_id)


if __name__ == "__main__":
    main()
