# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter undone."""

from __future__ import annotations

DOCUMENTATION = r"""
name: undone
short_description: What a rollback did, everywhere
version_added: 0.1.0
description:
  - Brings the results of M(stackmend.openstack.journal_rollback) together. A host that did not answer is a failure.
options:
  _input:
    description: The result on the control node.
    type: dict
    required: true
  hosts:
    description: The result of each host, by its inventory name.
    type: dict
    required: true
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Bring together what was undone
  ansible.builtin.debug:
    msg: "{{ undone_here | stackmend.openstack.undone({inventory_hostname: undone_there}) }}"
"""

RETURN = r"""
_value:
  description: One entry for each change, with C(host), C(what), C(status) and C(reason).
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _report


def undone(control: dict[str, Any], hosts: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    return _report.undone({"control node": control, **hosts})


class FilterModule:
    """Brings together what a rollback did."""

    def filters(self) -> dict[str, Any]:
        return {"undone": undone}
