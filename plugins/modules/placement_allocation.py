#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module placement_allocation: give back what placement has allocated to nobody."""

from __future__ import annotations

DOCUMENTATION = r"""
module: placement_allocation
short_description: Give back what placement has allocated to nobody
version_added: 0.1.0
description:
  - Removes the allocations of a consumer that is neither a server nor a migration under way, or, of a server at rest, those
    on other hosts than its own.
  - Whether nothing uses them is judged anew here, from all of nova's servers and migrations; nothing is changed while a cell
    does not answer, and nothing that something uses, whatever is wished for.
  - The change is guarded by the consumer's generation. What was allocated is written to a journal first.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  wishes:
    description: The consumers whose unused allocations are given back.
    type: list
    elements: dict
    required: true
    suboptions:
      consumer:
        description: Id of the consumer; that of a server or migration, alive or gone.
        type: str
        required: true
      keep:
        description: Ids of the resource providers on which the consumer keeps what it holds; all others are given back.
        type: list
        elements: str
        default: []
      expect:
        description: Give it back only if the consumer still holds exactly this, resource provider to resource class to amount.
        type: dict
      subject:
        description: What to call the wish in RV(gone) and RV(left).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Give back what a server left behind that is gone
  stackmend.openstack.placement_allocation:
    cloud: production
    wishes:
      - consumer: 5f2c1c0e-0f52-4b0c-8f1b-7c60ea3fd1c4
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose consumer had changed meanwhile, or is in use; they were left alone.
  returned: success
  type: list
  elements: str
left:
  description: The wishes that were left alone for a reason, each with C(subject) and C(reason).
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

from ansible_collections.stackmend.openstack.plugins.module_utils import _allocations
from ansible_collections.stackmend.openstack.plugins.module_utils import _placement_allocation as placement
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Give back what nothing uses; before and after are all that `changed` and `diff` are made of."""
    diff = []
    gone: list[str] = []
    left: list[dict[str, str]] = []
    evidence = placement.look(cloud, (wish["consumer"] for wish in params["wishes"]))
    leaks = {leak.consumer: leak for leak in _allocations.leaks(evidence)}
    used: dict[str, dict[str, int]] = {}
    for wish in params["wishes"]:
        consumer = wish["consumer"]
        subject = wish["subject"] or consumer
        now = evidence["consumers"]["asked"][consumer]
        if set(now["holds"]) <= set(wish["keep"]):
            continue
        leak = leaks.get(consumer)
        if leak is None or (wish["expect"] is not None and now["holds"] != wish["expect"]):
            gone.append(subject)
            continue
        if leak.why_not or set(leak.keeps) != set(wish["keep"]):
            left.append(
                {"subject": subject, "reason": leak.why_not or "it is to keep what nothing uses, or to lose more"}
            )
            continue
        after = {provider: now["holds"][provider] for provider in leak.keeps}
        for provider in leak.extra:
            if provider not in used:
                used[provider] = placement.usages(cloud, provider)
        shown = _difference(consumer, now["holds"], leak, used, evidence["placement"]["providers"])
        if not check_mode:
            kept = {key: now[key] for key in ("project", "user", "type")}
            journal.record("placement_allocation", id=consumer, before=now["holds"], after=after, **kept)
            if not placement.put(cloud, consumer, after, now, now["generation"]):
                gone.append(subject)
                continue
        diff.append(shown)
        for provider, resources in leak.extra.items():
            for name, amount in resources.items():
                used[provider][name] -= amount
    return {"changed": bool(diff), "diff": diff, "gone": gone, "left": left}


def _difference(
    consumer: str,
    holds: _allocations.Holds,
    leak: _allocations.Leak,
    used: Mapping[str, Mapping[str, int]],
    providers: Mapping[str, Any],
) -> dict[str, str]:
    """What the consumer holds, and what is used of each provider that gets something back, before and after."""
    before, after = [], []
    for provider, resources in sorted(holds.items(), key=lambda item: str(providers[item[0]]["name"])):
        name = providers[provider]["name"]
        for kind, amount in sorted(resources.items()):
            line = f"{name} {kind}: {amount}"
            if provider in leak.extra:
                whole = used[provider][kind]
                before.append(f"{line}, of {whole} used")
                after.append(f"{name} {kind}: 0, of {whole - amount} used")
            else:
                before.append(line)
                after.append(line)
    title = f"allocations of consumer {consumer}"
    return difference(title, lines(before), lines(after))


def main() -> None:
    change_cloud(
        apply,
        {
            "wishes": wishes(
                {
                    "consumer": {"type": "str", "required": True},
                    "keep": {"type": "list", "elements": "str", "default": []},
                    "expect": {"type": "dict"},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
