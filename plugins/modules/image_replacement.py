#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module image_replacement: put a new image with the right format in the place of one, and hide the old."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_replacement
short_description: Replace an image by one with the right disk format
version_added: 0.1.0
description:
  - The disk format of an image cannot be changed once it has content. This makes a new image of the same content with the
    right format, and takes over name, properties, tags, minimal sizes, owner, members, visibility and protection.
  - The content passes through the machine that runs the module, block by block, and is compared by size and checksum.
  - Then the old image is hidden. It stays, because servers, volumes and snapshots may rest on it.
  - Without a format the image is only hidden.
  - What was done is written to a journal first; undoing it shows the old image again and deletes the new one.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.cloud
  - stackmend.openstack.journal
options:
  wishes:
    description: The images to replace or to hide.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Id of the image.
        type: str
        required: true
      disk_format:
        description: The format of the new image; without one the image is only hidden.
        type: str
      expect:
        description: The format that the image must still have.
        type: str
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Replace an ISO that was uploaded as qcow2
  stackmend.openstack.image_replacement:
    cloud: production
    wishes:
      - id: 0b4a2a5c-6c2e-4b8a-9d54-6c0d0a7d2f11
        expect: qcow2
        disk_format: iso
"""

RETURN = r"""
replaced:
  description: The id of the new image, by that of the old one.
  returned: success
  type: dict
waiting:
  description: The projects that must accept the new image anew, by its id.
  returned: success
  type: dict
gone:
  description: The subjects of wishes whose image had changed meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _image_properties as images
from ansible_collections.stackmend.openstack.plugins.module_utils import _image_replacement as replacement
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_cloud, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._session import Cloud


def apply(cloud: Cloud, journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Replace or hide the images as wished; a hidden image has been seen to already."""
    diff: list[dict[str, str]] = []
    gone: list[str] = []
    replaced: dict[str, str] = {}
    waiting: dict[str, list[str]] = {}
    for wish in params["wishes"]:
        now = images.read(cloud, wish["id"])
        if now is not None and now.get("os_hidden"):
            continue
        if (
            now is None
            or now["status"] != "active"
            or (wish["expect"] and now["disk_format"] != wish["expect"])
            or now["disk_format"] == wish["disk_format"]
        ):
            gone.append(wish["subject"] or wish["id"])
            continue
        title = f"image {now['id']} ({now.get('name')})"
        shown = [f"{now['id']}: disk_format={now['disk_format']}"]
        after = [f"{shown[0]} (hidden)"] + (
            [f"new image: disk_format={wish['disk_format']}"] * bool(wish["disk_format"])
        )
        diff.append(difference(title, lines(shown), lines(after)))
        if check_mode:
            continue
        new = str(uuid.uuid4()) if wish["disk_format"] else None
        journal.record("image_replacement", id=now["id"], name=now.get("name"), new=new)
        if new:
            undecided = replacement.replace(cloud, now, new, wish["disk_format"])
            replaced[now["id"]] = new
            if undecided:
                waiting[new] = undecided
        replacement.hide(cloud, now, True)
    return {"changed": bool(diff), "diff": diff, "gone": gone, "replaced": replaced, "waiting": waiting}


def main() -> None:
    change_cloud(
        apply,
        {
            "wishes": wishes(
                {
                    "id": {"type": "str", "required": True},
                    "disk_format": {"type": "str"},
                    "expect": {"type": "str"},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
