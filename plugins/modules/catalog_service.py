#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module catalog_service: enable, disable and delete services of keystone's catalogue, by id."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalog_service
short_description: Enable, disable or delete a service of keystone's catalogue by its id
version_added: 0.1.0
description:
  - Unlike C(openstack.cloud.catalog_service), which finds a service by name and type and fails when two match, this one
    takes the id, so that one of two twins can be disabled.
  - A disabled service is left out of the catalogue of new tokens and loses nothing; enabling it again undoes that.
  - A service is deleted only when it is disabled already. keystone deletes its endpoints with it and never gives it its
    id again, so that cannot be undone; the journal keeps the service, its endpoints, its registered limits and the
    endpoint groups that name it.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  wishes:
    description: The services, and what shall become of them.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Id of the service.
        type: str
        required: true
      state:
        description: What the service shall be.
        type: str
        choices: [enabled, disabled, absent]
        default: disabled
      without_endpoints:
        description: Change the service only if it has no endpoint at all.
        type: bool
        default: false
      twin:
        description: Id of another service; change this one only if that one is enabled and has an enabled endpoint.
        type: str
      subject:
        description: What to call the wish in RV(gone) and RV(left).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Take the empty one of two network services out of the catalogue
  stackmend.openstack.catalog_service:
    cloud: production
    wishes:
      - id: 5a1c0b6f0a5d4f7c9f6a4f2c0e7b9d31
        state: disabled
        without_endpoints: true
        twin: c2b0f1d0a7f94c0e8e4f55a8d1f0b6aa

- name: Delete it when nobody has missed it for a month
  stackmend.openstack.catalog_service:
    cloud: production
    wishes:
      - id: 5a1c0b6f0a5d4f7c9f6a4f2c0e7b9d31
        state: absent
        without_endpoints: true
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose service, endpoints or twin had changed meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
left:
  description: The services that were not deleted because they are enabled, each with C(subject) and C(reason).
  returned: success
  type: list
  elements: dict
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _catalog_service as services
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the services as wished; what each wish rests on is read again right before."""
    diff = []
    gone: list[str] = []
    left: list[dict[str, str]] = []
    for wish in params["wishes"]:
        subject = wish["subject"] or wish["id"]
        now = services.read(cloud, wish["id"])
        if now is None:
            if wish["state"] != "absent":
                gone.append(subject)
            continue
        before = services.state(now)
        if before == wish["state"]:
            continue
        has = services.endpoints(cloud, wish["id"])
        if (wish["without_endpoints"] and has) or (wish["twin"] and not services.works(cloud, wish["twin"])):
            gone.append(subject)
            continue
        if wish["state"] == "absent" and before == "enabled":
            reason = "it is enabled: disable it first, and delete it when nobody has missed it"
            left.append({"subject": subject, "reason": reason})
            continue
        title = f"service {wish['id']} ({now.get('name')}, {now.get('type')})"
        count = f"endpoints: {len(has)}\n"
        after = "" if wish["state"] == "absent" else f"{wish['state']}\n{count}"
        diff.append(difference(title, f"{before}\n{count}", after))
        if not check_mode:
            kept = services.remains(cloud, now) if wish["state"] == "absent" else {}
            journal.record(
                "catalog_service", id=wish["id"], name=now.get("name"), before=before, after=wish["state"], **kept
            )
            services.change(cloud, wish["id"], wish["state"])
    return {"changed": bool(diff), "diff": diff, "gone": gone, "left": left}


def main() -> None:
    change_cloud(
        apply,
        {
            "wishes": wishes(
                {
                    "id": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["enabled", "disabled", "absent"], "default": "disabled"},
                    "without_endpoints": {"type": "bool", "default": False},
                    "twin": {"type": "str"},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
