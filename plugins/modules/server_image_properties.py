#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module server_image_properties: set the image properties that nova keeps with a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_image_properties
short_description: Set the image properties that nova keeps with servers
version_added: 0.1.0
description:
  - nova copies the properties of an image to each server that is made of it. A later change of the image does not reach
    the server; this sets the copy, by C(nova-manage image_property set) (nova from 25, Yoga, on).
  - nova-manage takes only servers that are stopped or shelved. The role of the same name stops a running one for it and
    starts it again.
  - What each property was is written to a journal first. Undoing it restores the copy exactly, also where a property was
    absent; a running server meets it when it is started anew.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.discovery
  - stackmend.openstack.journal
options:
  wishes:
    description: The properties to set, by server.
    type: list
    elements: dict
    required: true
    suboptions:
      server:
        description: Uuid of the server.
        type: str
        required: true
      properties:
        description: The properties and the values they shall have.
        type: dict
        required: true
      expect:
        description: The values that properties must still have to be changed; none for a property that must be absent.
        type: dict
        default: {}
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Give a stopped server a bus for its CD-ROM that q35 has
  stackmend.openstack.server_image_properties:
    wishes:
      - server: 0b4a2a5c-6c2e-4b8a-9d54-6c0d0a7d2f11
        properties:
          hw_cdrom_bus: sata
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose server or property had changed meanwhile; they were left alone.
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

from ansible_collections.stackmend.openstack.plugins.module_utils import _discovery, _nova_programs
from ansible_collections.stackmend.openstack.plugins.module_utils import _server_image_properties as copies
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Set the properties as wished."""
    asked, through = params["wishes"], _nova_programs.find(params)
    diff: list[dict[str, str]] = []
    gone: list[str] = []
    now = copies.read(through, sorted({wish["server"] for wish in asked}))
    for server in dict.fromkeys(wish["server"] for wish in asked):
        there = now[server]
        kept = there["properties"] if there else {}
        before: dict[str, Any] = {}
        after: dict[str, str] = {}
        for wish in (wish for wish in asked if wish["server"] == server):
            changes = {name: str(value) for name, value in wish["properties"].items() if kept.get(name) != str(value)}
            unexpected = [name for name in changes if name in wish["expect"] and kept.get(name) != wish["expect"][name]]
            if there is None or unexpected:
                gone.append(wish["subject"] or server)
                continue
            after.update(changes)
            before.update({name: kept.get(name) for name in changes})
        if not after or there is None:
            continue
        title = f"server {server} ({there['name']}), its image's properties"
        diff.append(difference(title, lines(before), lines(after)))
        if not check_mode:
            journal.record(
                "server_image_properties", id=server, name=there["name"], before=before, after=after, through=through
            )
            copies.set_properties(through, server, after)
    return {"changed": bool(diff), "diff": diff, "gone": gone}


def main() -> None:
    change_host(
        apply,
        {
            "wishes": wishes(
                {
                    "server": {"type": "str", "required": True},
                    "properties": {"type": "dict", "required": True},
                    "expect": {"type": "dict", "default": {}},
                }
            ),
            **_discovery.ARGUMENTS,
        },
    )


if __name__ == "__main__":
    main()
