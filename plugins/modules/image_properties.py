#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module image_properties: set and remove properties of images."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_properties
short_description: Set and remove properties of images, and nothing else of them
version_added: 0.1.0
description:
  - Sets or removes single properties of images by id. Visibility, protection, members, tags and all other properties
    stay as they are.
  - All wishes for one image become one request.
  - What each property was is written to a journal first.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  wishes:
    description: The properties to set or remove.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Id of the image.
        type: str
        required: true
      property:
        description: Name of the property.
        type: str
        required: true
      value:
        description: The value it shall have; without one the property is removed.
        type: str
      guarded:
        description: Change the property only if it still is as O(wishes[].expect) says.
        type: bool
        default: false
      expect:
        description: With O(wishes[].guarded), the value that the property must still have; without one, that it must be absent.
        type: str
      unshared:
        description: Change the image only if it has no members, that is, is shared with no other project.
        type: bool
        default: false
      subject:
        description: What to call the wish in RV(gone) and RV(left).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Let nova choose the bus of the CD-ROM, and give the guest agent its channel
  stackmend.openstack.image_properties:
    cloud: production
    wishes:
      - id: 0b4a2a5c-6c2e-4b8a-9d54-6c0d0a7d2f11
        property: hw_cdrom_bus
      - id: 0b4a2a5c-6c2e-4b8a-9d54-6c0d0a7d2f11
        property: hw_qemu_guest_agent
        value: 'yes'
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose image or property had changed meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
left:
  description: The wishes that were left alone because the image is shared with others, each with C(subject) and C(reason).
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

from ansible_collections.stackmend.openstack.plugins.module_utils import _image_properties as images
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the images as wished; before and after are all that `changed` and `diff` are made of."""
    diff = []
    gone: list[str] = []
    left: list[dict[str, str]] = []
    for image, properties in images.group(params["wishes"]).items():
        now = images.read(cloud, image)
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for name, wish in properties.items():
            there = now.get(name) if now is not None else None
            if now is not None and there == wish["value"]:
                continue
            if now is None or (wish["guarded"] and there != wish["expect"]):
                gone.append(wish["subject"] or f"{image} {name}")
            else:
                before[name], after[name] = there, wish["value"]
        if not after or now is None:
            continue
        if any(properties[name]["unshared"] for name in after):
            others = images.members(cloud, image)
            if others:
                reason = f"it is shared with {len(others)} other projects that rely on it: agree with them and change it by hand"
                left.extend({"subject": properties[name]["subject"] or name, "reason": reason} for name in after)
                continue
        title = f"image {image} ({now.get('name')})"
        diff.append(difference(title, lines(before), lines(after)))
        if not check_mode:
            journal.record("image_properties", id=image, name=now.get("name"), before=before, after=after)
            images.patch(cloud, image, now, after)
    return {"changed": bool(diff), "diff": diff, "gone": gone, "left": left}


def main() -> None:
    change_cloud(
        apply,
        {
            "wishes": wishes(
                {
                    "id": {"type": "str", "required": True},
                    "property": {"type": "str", "required": True},
                    "value": {"type": "str"},
                    "guarded": {"type": "bool", "default": False},
                    "unshared": {"type": "bool", "default": False},
                    "expect": {"type": "str"},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
