# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter faults_resting_on."""

from __future__ import annotations

DOCUMENTATION = r"""
name: faults_resting_on
short_description: Those of some faults for which hosts, the cloud or databases have to be read
version_added: 0.1.0
description:
  - A run that looks for faults of the APIs alone need not connect to any host, and one that looks for faults of hosts alone to no
    cloud.
  - V(databases) are those of nova and placement, for faults of which these can tell about what the APIs are to be asked.
options:
  _input:
    description: Ids of faults.
    type: list
    elements: str
    required: true
  _place:
    description: What would be read.
    type: str
    choices: [hosts, cloud, databases]
    required: true
positional: _place
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Say which of two faults show on hosts
  ansible.builtin.debug:
    msg: "{{ ['locale_not_utf8', 'image_format_mismatch'] | stackmend.openstack.faults_resting_on('hosts') }}"
    # ['locale_not_utf8']
"""

RETURN = r"""
_value:
  description: The ids of those that rest on that place.
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS


def faults_resting_on(ids: list[str], place: str) -> list[str]:
    return [fault for fault in ids if FAULTS[fault].rests_on(place)]


class FilterModule:
    """Tells where faults show."""

    def filters(self) -> dict[str, Any]:
        return {"faults_resting_on": faults_resting_on}
