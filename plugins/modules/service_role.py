#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module service_role: give the users of services a role in their project."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_role
short_description: Give the user of a service a role in its project
version_added: 0.1.0
description:
  - Assigns a role to a user in a project, all by id. Other assignments stay as they are.
  - nova takes the events of other services from users with the role C(service).
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  wishes:
    description: The assignments.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description: Id of the user.
        type: str
        required: true
      project:
        description: Id of the project.
        type: str
        required: true
      role:
        description: Id of the role.
        type: str
        required: true
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Let neutron tell nova of ports
  stackmend.openstack.service_role:
    cloud: production
    wishes:
      - user: 8bcaca39338a45879748ad350495e10d
        project: 329b34930a8c4a25b2f4d3fbaad2f483
        role: a50b8352a2c44a6eb269fb4e2b4b9fa8
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose user, project or role is there no more.
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

from ansible_collections.stackmend.openstack.plugins.module_utils import _service_role as roles
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Give each user the role it lacks."""
    diff = []
    gone: list[str] = []
    for wish in params["wishes"]:
        if roles.exists(cloud, wish):
            continue
        if roles.missing(cloud, wish):
            gone.append(wish["subject"] or wish["user"])
            continue
        title = f"user {wish['user']} in project {wish['project']}"
        diff.append(difference(title, "", f"role {wish['role']}\n"))
        if not check_mode:
            grant = {name: wish[name] for name in ("user", "project", "role")}
            journal.record("role_assignment", id=wish["user"], **grant)
            roles.change(cloud, wish, given=True)
    return {"changed": bool(diff), "diff": diff, "gone": gone}


def main() -> None:
    change_cloud(
        apply,
        {
            "wishes": wishes(
                {
                    "user": {"type": "str", "required": True},
                    "project": {"type": "str", "required": True},
                    "role": {"type": "str", "required": True},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
