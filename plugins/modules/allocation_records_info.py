#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module allocation_records_info: which allocations the databases of nova and placement do not explain."""

from __future__ import annotations

DOCUMENTATION = r"""
module: allocation_records_info
short_description: Read from the databases of nova and placement which allocations nothing explains
version_added: 0.1.0
description:
  - Reads, on a controller whose services are given both databases, the consumers of placement, and the servers and
    migrations of every cell.
  - What comes out is a hint for M(stackmend.openstack.cloud_fault_info), which then asks the APIs about a few consumers where it
    would list every server and every allocation of the cloud.
  - It runs the services' own interpreters, as their own users, for a few C(SELECT) statements. No URL of a database is in what it
    returns, nor in a message.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.read_only
  - stackmend.openstack.discovery
options:
  root:
    description: A directory that stands for the host's file system.
    type: path
    default: /
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Read whose allocations nothing explains
  stackmend.openstack.allocation_records_info:
  register: allocations
"""

RETURN = r"""
records:
  description:
    - What the databases say; null on a host that is not given both, or where they do not tell, of which RV(reason) has the
      cause.
    - Its C(doubted) are consumers to ask the APIs about, C(servers) those among them of which nova has a record, C(newest) and
      C(providers) what shows that the databases are a cloud's own, C(count) how many objects of each kind there are.
  returned: success
  type: dict
reason:
  description: Why the databases do not tell; empty otherwise.
  returned: success
  type: str
  sample: the database of cell cell1 did not answer (OperationalError)
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils import _discovery
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import allocation_records
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable

ARGUMENTS: dict[str, dict[str, Any]] = {
    "root": {"type": "path", "default": "/"},
    **_discovery.ARGUMENTS,
}


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the databases of this host say, as the module returns it."""
    try:
        return {"records": allocation_records.read(Tree(params["root"]), params), "reason": ""}
    except Unavailable as reason:
        return {"records": None, "reason": str(reason)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    module.exit_json(changed=False, **look(module.params))


if __name__ == "__main__":
    main()
