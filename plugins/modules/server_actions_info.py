#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module server_actions_info: what nova's API keeps of the requests about some servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_actions_info
short_description: Read the actions, the fault and the migrations of servers
version_added: 0.1.0
description:
  - Reads the newest actions of each server with their events, also of a server that was deleted, its fault and its
    migrations, and for a server without a host what placement holds for it.
  - Reads the state of nova's services too, and whether the API's endpoint answers.
  - An API that does not answer is told as a gap, so that logs can be read without it.
  - It sends no request other than GET and HEAD, the issue of a token apart.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.read_only
  - stackmend.openstack.cloud
options:
  servers:
    description: Uuids of the servers; without any, only nova itself is looked at.
    type: list
    elements: str
    default: []
  must_exist:
    description: Whether to fail for a server that nova knows nothing of.
    type: bool
    default: true
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Read what was done to a server
  stackmend.openstack.server_actions_info:
    cloud: production
    servers: [80754a34-44f0-499c-938c-34e623431d50]
  delegate_to: localhost
  run_once: true
  register: actions
"""

RETURN = r"""
cloud:
  description: Name of the cloud.
  returned: success
  type: str
servers:
  description:
    - Each server that nova knows, with C(id), C(server), C(actions), C(migrations), C(waits_on) and C(gaps).
    - C(server) is null for a server that was deleted.
  returned: success
  type: list
  elements: dict
services:
  description: Nova's services with C(binary), C(host), C(state), C(status) and C(forced_down); null where nova does not tell.
  returned: success
  type: list
  elements: dict
endpoint:
  description: What the API's endpoint answered, with C(url), C(status), C(seconds) and C(error); null where none is known.
  returned: success
  type: dict
clock:
  description: By how many seconds the API's clock is ahead (C(offset)), and how wrong that may be (C(uncertainty)).
  returned: success
  type: dict
gaps:
  description: What could not be read, each with C(reason).
  returned: success
  type: list
  elements: dict
"""

import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils import _clock
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import (
    compute_services,
    request_path,
    server_actions,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._session import ARGUMENTS, BadCloud, Cloud, open_cloud

OPTIONS: dict[str, dict[str, Any]] = {
    **ARGUMENTS,
    "servers": {"type": "list", "elements": "str", "default": []},
    "must_exist": {"type": "bool", "default": True},
}


class NoSuchServer(LookupError):
    """A server that nova knows nothing of; the sentence says what to do."""


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """What nova keeps of servers, as the module returns it. Raises BadCloud and NoSuchServer."""
    cloud = open_cloud(params)
    gaps: list[dict[str, str]] = []
    services: Optional[list[dict[str, Any]]] = None
    clock: Optional[dict[str, float]] = None
    try:
        sent = time.time()
        read = compute_services.read(cloud)
        received = time.time()
        services = [
            {name: row[name] for name in ("binary", "host", "state", "status", "forced_down")}
            for row in read["services"]
        ]
        gaps += read["gaps"]
        if read["now"] is not None:
            # the header has whole seconds
            clock = _clock.offset(sent, read["now"], read["now"] + 1, received)
            clock["uncertainty"] = round((received - sent + 1) / 2, 3)
    except Unavailable as error:
        gaps.append({"reason": str(error)})
    found = []
    for uuid in params["servers"]:
        try:
            kept = server_actions.read(cloud, uuid)
        except Unavailable as error:
            gaps.append({"reason": f"the actions of server {uuid} were not read: {error}"})
            continue
        if kept is not None:
            found.append(kept)
        elif params["must_exist"]:
            raise NoSuchServer(
                f"nova of cloud {cloud.name} has no server {uuid}, nor any action of it: check the id and the cloud, or give "
                "the request id (req-...) that the client was told"
            )
    return {
        "cloud": cloud.name,
        "servers": found,
        "services": services,
        "endpoint": _endpoint(cloud),
        "clock": clock,
        "gaps": gaps,
    }


def _endpoint(cloud: Cloud) -> Optional[dict[str, Any]]:
    """What the API's address in the catalog answers, which normally is the balancer's."""
    try:
        cloud.access  # noqa: B018 - without a token there is no catalog
        url = cloud.client("compute").get_endpoint()
    except Exception:  # what keystone and its client may raise is told by the readers above
        return None
    scheme, _separator, rest = (url or "").partition("://")
    return request_path.asked(f"{scheme}://{rest.split('/')[0]}/") if rest else None


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        result = look(module.params)
    except (BadCloud, NoSuchServer) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
