# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_findings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_findings
short_description: Bring together what hosts and cloud found
version_added: 0.1.0
description:
  - Takes the results of M(stackmend.openstack.host_fault_info), by host, and that of
    M(stackmend.openstack.cloud_fault_info), and judges the faults that need more than one place.
  - A host that failed or could not be reached becomes one unknown check per fault; it never counts as healthy.
options:
  _input:
    description: Registered result of each host, by its inventory name.
    type: dict
    required: true
  cloud:
    description: Registered result for the cloud; nothing when no cloud was read.
    type: dict
  no_cloud:
    description: Why no cloud was read.
    type: str
    default: ''
  faults:
    description: Ids of the faults that were looked for; all when empty.
    type: list
    elements: str
    default: []
  min_certainty:
    description: Leave out findings that are less certain.
    type: str
    choices: [possible, probable, certain]
    default: possible
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Judge what was found
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: faults} | stackmend.openstack.fleet_findings(cloud=cloud_faults) }}"
"""

RETURN = r"""
_value:
  description: C(findings), C(unknown) and C(checked), as in the report.
  type: dict
"""

from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import select
from ansible_collections.stackmend.openstack.plugins.module_utils._fleet import correlate
from ansible_collections.stackmend.openstack.plugins.module_utils._report import first_line


def fleet_findings(
    hosts: dict[str, Any],
    cloud: Optional[dict[str, Any]] = None,
    no_cloud: str = "",
    faults: Optional[list[str]] = None,
    min_certainty: str = "possible",
) -> dict[str, Any]:
    if cloud is not None and "observations" not in cloud:
        cloud, no_cloud = None, str(cloud.get("msg") or no_cloud)
    return correlate(
        select(list(faults or [])),
        {name: _answer(result) for name, result in hosts.items()},
        cloud,
        no_cloud=no_cloud,
        min_certainty=min_certainty,
    )


def _answer(result: Any) -> dict[str, Any]:
    """The result of a host that answered, or why it did not."""
    if not result:
        return {"failed": "the host was not looked at"}
    if result.get("unreachable"):
        return {"failed": f"the host could not be reached: {first_line(result)}"}
    if "observations" not in result:
        return {"failed": f"the checks could not be run on the host: {first_line(result)}"}
    return result


class FilterModule:
    """Brings together what hosts and cloud found."""

    def filters(self) -> dict[str, Any]:
        return {"fleet_findings": fleet_findings}
