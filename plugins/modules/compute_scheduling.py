#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module compute_scheduling: whether the scheduler may choose a compute for new servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_scheduling
short_description: Keep new servers away from a compute, or let them come again
version_added: 0.1.0
description:
  - Disables or enables nova-compute of a host in nova's API. Its servers are not affected.
  - A service that is disabled already is left as it is, with the reason that somebody gave.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
  - stackmend.openstack.cloud
options:
  hosts:
    description: The computes, by the name under which nova knows them.
    type: list
    elements: str
    required: true
  status:
    description: Whether new servers may come.
    type: str
    choices: [enabled, disabled]
    required: true
  reason:
    description: Why they may not, for those who look at the service.
    type: str
    default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: No new servers while the disk is cleared
  stackmend.openstack.compute_scheduling:
    hosts: [compute1]
    status: disabled
    reason: its disk is full
  delegate_to: localhost
"""

RETURN = r"""
hosts:
  description: The computes whose status was changed.
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

from ansible_collections.stackmend.openstack.plugins.module_utils import _compute_scheduling as scheduling
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Give the services their status, and leave alone those that have it."""
    changed, diff = [], []
    wished = params["status"]
    for host in dict.fromkeys(params["hosts"]):
        now = scheduling.read(cloud, host)
        if now is None:
            raise ChangeFailed(
                f"nova knows no nova-compute of {host!r}: give the name that `openstack compute service list` has"
            )
        if now["status"] == wished:
            continue
        changed.append(host)
        diff.append(difference(f"nova-compute of {host}", f"{now['status']}\n", f"{wished}\n"))
        if not check_mode:
            reason = params["reason"] if wished == "disabled" else ""
            before = {"status": now["status"], "reason": now["reason"]}
            journal.record("compute_scheduling", name=host, before=before, after={"status": wished, "reason": reason})
            scheduling.write(cloud, host, now["id"], wished, reason)
    return {"changed": bool(changed), "diff": diff, "hosts": changed}


def main() -> None:
    change_cloud(
        apply,
        {
            "hosts": {"type": "list", "elements": "str", "required": True},
            "status": {"type": "str", "choices": ["enabled", "disabled"], "required": True},
            "reason": {"type": "str", "default": ""},
        },
    )


if __name__ == "__main__":
    main()
