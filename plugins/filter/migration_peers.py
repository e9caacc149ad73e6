# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter migration_peers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: migration_peers
short_description: The computes that must reach each other by ssh
version_added: 0.1.0
description:
  - Gives the option O(stackmend.openstack.host_fault_info#module:migration_peers) for hosts of the inventory.
options:
  _input:
    description: Names of the computes in the inventory.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  addresses:
    description: The address that nova knows for each compute, by service host.
    type: dict
    default: {}
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Name the peers
  ansible.builtin.set_fact:
    peers: "{{ groups['computes'] | stackmend.openstack.migration_peers(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One dictionary for each compute, with C(name), C(address) and C(port).
  type: list
  elements: dict
"""

from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils import _fleet


def migration_peers(
    names: list[str], hostvars: dict[str, Any], addresses: Optional[dict[str, str]] = None
) -> list[dict[str, Any]]:
    return _fleet.migration_peers({name: hostvars[name] for name in names}, addresses or {})


class FilterModule:
    """Names the computes that must reach each other."""

    def filters(self) -> dict[str, Any]:
        return {"migration_peers": migration_peers}
