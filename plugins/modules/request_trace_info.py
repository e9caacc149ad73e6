#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module request_trace_info: all that one host says of some requests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: request_trace_info
short_description: Read what a host's logs say of some requests or servers
version_added: 0.1.0
description:
  - Goes through the logs of the host once, for the lines that hold one of the ids, and masks what may be secret in them.
  - Says also in what state nova's processes are, what waits in nova's queues where RabbitMQ runs, and whether nova's API
    answers on this host itself. Those tell why a request went no further.
  - It never writes to the host.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.read_only
  - stackmend.openstack.logs
attributes:
  action:
    description: It has an action plugin beside it, which measures by how much the host's clock is wrong.
    support: full
options:
  ids:
    description: Request ids, global request ids, and uuids of servers.
    type: list
    elements: str
    required: true
  since:
    description: Seconds since 1970 from which on logs are read.
    type: float
    required: true
  until:
    description: Seconds since 1970 up to which logs are read; without it, up to now.
    type: float
  root:
    description: A directory that stands for the host's file system.
    type: path
    default: /
  api_urls:
    description:
      - The URLs of nova's API on this very host, each asked once.
      - Without any, the addresses are asked that the host listens on at O(api_port).
    type: list
    elements: str
    default: []
  api_port:
    description: The port of nova's API.
    type: int
    default: 8774
  log_lines:
    description: How many lines are returned at most; the newest ones, when there are more.
    type: int
    default: 5000
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Read what this host knows of a request
  stackmend.openstack.request_trace_info:
    ids: [req-0b9f877d-be4e-4896-8d7f-f6aa55c35aeb]
    since: "{{ now(utc=true).timestamp() - 3600 }}"
  register: trace
"""

RETURN = r"""
asked:
  description: The ids that were looked for.
  returned: success
  type: list
  elements: str
lines:
  description:
    - The lines, in the order of their time, each with C(ids), C(file), C(service), C(time), C(level), C(logger),
      C(request_id), C(global_request_id) and C(line).
  returned: success
  type: list
  elements: dict
passed_over:
  description: How many other requests, which only looked at a server and succeeded, were counted and not returned.
  returned: success
  type: int
left_out:
  description: How many further lines there were.
  returned: success
  type: int
services:
  description: The services whose logs this host has.
  returned: success
  type: list
  elements: str
gaps:
  description: What of the logs could not be read, each with C(reason).
  returned: success
  type: list
  elements: dict
read:
  description: How many C(files) and C(bytes) were read.
  returned: success
  type: dict
processes:
  description: Nova's processes with C(program), C(pid) and C(state); null for a directory that stands for a host.
  returned: success
  type: list
  elements: dict
queues:
  description: Nova's queues with C(queue), C(messages), C(unacknowledged) and C(consumers); null where no RabbitMQ tells.
  returned: success
  type: list
  elements: dict
api:
  description: What nova's API answered on this host, with C(url), C(status), C(seconds) and C(error).
  returned: success
  type: list
  elements: dict
began:
  description: The host's own time when it began, in seconds since 1970.
  returned: success
  type: float
ended:
  description: The host's own time when it ended.
  returned: success
  type: float
clock:
  description: By how many seconds the host's clock is ahead (C(offset)), and how wrong that may be (C(uncertainty)).
  returned: success
  type: dict
"""

import re
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import logs, request_path
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ids": {"type": "list", "elements": "str", "required": True},
    "since": {"type": "float", "required": True},
    "until": {"type": "float"},
    "root": {"type": "path", "default": "/"},
    "api_urls": {"type": "list", "elements": "str", "default": []},
    "api_port": {"type": "int", "default": 8774},
    "log_paths": {"type": "list", "elements": "str", "default": []},
    "log_lines": {"type": "int", "default": 5000},
    "log_seconds": {"type": "float", "default": 120},
}
# Clients poll: a server that was looked at for a week has more such lines than any limit, and they say nothing.
_LOOKED_AT = re.compile(r'"(?:GET|HEAD) (?!/allocation_candidates)[^"]*" (?:status: )?[23]\d\d\b')


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a host says of the ids, as the module returns it. Raises NotADirectoryError for a wrong root."""
    began = time.time()
    tree = Tree(params["root"])
    if not tree.is_dir("/"):
        raise NotADirectoryError(f"root {params['root']} is not a directory on this host")
    requests = [identifier for identifier in params["ids"] if identifier.startswith("req-")]

    def passed_over(line: str) -> bool:
        return _LOOKED_AT.search(line) is not None and not any(request in line for request in requests)

    followed = logs.follow(
        tree,
        params["ids"],
        params["since"],
        params["until"],
        params,
        passed_over,
    )
    return {
        "asked": params["ids"],
        **followed,
        "processes": request_path.processes(tree),
        "queues": request_path.queues(tree),
        "api": request_path.backends(tree, params["api_urls"], params["api_port"]),
        "began": began,
        "ended": time.time(),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if not any(module.params["ids"]):
        module.fail_json(msg="ids is empty: give request ids or uuids of servers")
    try:
        result = look(module.params)
    except NotADirectoryError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
