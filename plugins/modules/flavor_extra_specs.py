#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module flavor_extra_specs: give extra specs of flavors their scope, or remove them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flavor_extra_specs
short_description: Give extra specs of flavors their scope, or remove them, and nothing else
version_added: 0.1.0
description:
  - Moves single extra specs under a scope (C(key) becomes C(scope:key), with the same value), or removes them.
  - The new key is there before the old one goes, so that the flavor is at no time without both.
  - The flavor itself is never recreated, unlike with C(openstack.cloud.compute_flavor) - it keeps its id, its access list and
    all its other extra specs.
  - Servers that exist keep the flavor as it was when they were created or last resized.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  wishes:
    description: The extra specs to move or remove.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Id of the flavor.
        type: str
        required: true
      key:
        description: The extra spec, as it is called now.
        type: str
        required: true
      scope:
        description: The scope to move it under; without one it is removed.
        type: str
      expect:
        description: The value that it must still have; without one, any.
        type: str
      subject:
        description: What to call the wish in RV(gone) and RV(left).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Say that ssd is meant for aggregates
  stackmend.openstack.flavor_extra_specs:
    cloud: production
    wishes:
      - id: 0b4a2a5c-6c2e-4b8a-9d54-6c0d0a7d2f11
        key: ssd
        scope: aggregate_instance_extra_specs
        expect: 'true'
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose flavor or extra spec had changed meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
left:
  description: The wishes whose scoped key is there already with another value, each with C(subject) and C(reason).
  returned: success
  type: list
  elements: dict
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils import _flavor_extra_specs as flavors
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Move or remove, flavor by flavor; before and after are all that `changed` and `diff` are made of."""
    diff = []
    gone: list[str] = []
    left: list[dict[str, str]] = []
    for flavor in dict.fromkeys(wish["id"] for wish in params["wishes"]):
        now = flavors.read(cloud, flavor)
        before: dict[str, Optional[str]] = {}
        after: dict[str, Optional[str]] = {}
        for wish in (wish for wish in params["wishes"] if wish["id"] == flavor):
            key, subject = wish["key"], wish["subject"] or f"{flavor} {wish['key']}"
            scoped = f"{wish['scope']}:{key}" if wish["scope"] else None
            if now is not None and key not in now and (scoped is None or scoped in now):
                continue
            if now is None or key not in now or wish["expect"] not in (None, now[key]):
                gone.append(subject)
            elif scoped and now.get(scoped, now[key]) != now[key]:
                reason = f"{scoped} is there already, with the value {now[scoped]!r}: decide which of the two is meant"
                left.append({"subject": subject, "reason": reason})
            else:
                before[key], after[key] = now[key], None
                if scoped and scoped not in now:
                    before[scoped], after[scoped] = None, now[key]
        if not after:
            continue
        title = f"flavor {flavor}"
        diff.append(difference(title, lines(before), lines(after)))
        if not check_mode:
            journal.record("flavor_extra_specs", id=flavor, before=before, after=after)
            flavors.change(cloud, flavor, after)
    return {"changed": bool(diff), "diff": diff, "gone": gone, "left": left}


def main() -> None:
    change_cloud(
        apply,
        {
            "wishes": wishes(
                {
                    "id": {"type": "str", "required": True},
                    "key": {"type": "str", "required": True, "no_log": False},
                    "scope": {"type": "str"},
                    "expect": {"type": "str"},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
