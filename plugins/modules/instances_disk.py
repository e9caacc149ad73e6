#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module instances_disk: clear away files of nova's image cache that nobody needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instances_disk
short_description: Clear away files of nova's image cache that nobody needs
version_added: 0.1.0
description:
  - Each file is looked at again immediately before. It must be in the image cache, older than a day, open nowhere and as it was
    found; an image must not be the backing file of any disk. Otherwise it is left alone.
  - An interrupted download is removed. An image is moved to another file system, from where a rollback brings it back.
  - Nothing that belongs to a server is ever touched.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  instances:
    description: Nova's C(instances_path) on this host.
    type: path
    default: /var/lib/nova/instances
  cache:
    description: The image cache below it.
    type: path
    default: /var/lib/nova/instances/_base
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      action:
        description:
          - V(remove) is for downloads and conversions (C(.part), C(.converted)) only, and cannot be undone.
          - V(quarantine) moves the file.
        type: str
        choices: [remove, quarantine]
        required: true
      modified:
        description: When it was last changed, in seconds since the epoch. Where that is another time, it is left alone.
        type: int
      bytes:
        description: What it takes up; for those who read the wish.
        type: int
      subject:
        description: The finding that the wish remedies, for RV(gone).
        type: str
        default: ''
  quarantine:
    description: The directory, on another file system, that files are moved to.
    type: path
    default: /var/lib/stackmend/quarantine
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: An interrupted download is gone
  stackmend.openstack.instances_disk:
    files:
      - path: /var/lib/nova/instances/_base/3af3bd50b7a98ec4a0c4b6b5a5c9a1d2e3f40516.part
        action: remove
"""

RETURN = r"""
cleared:
  description: The files that were removed or moved.
  returned: success
  type: list
  elements: str
gone:
  description: The subjects of wishes whose file has changed or is in use meanwhile; they were left alone.
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

from ansible_collections.stackmend.openstack.plugins.module_utils import _file_moves
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import compute
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import instances_disk as reader
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Clear away what is still as it was found."""
    if not journal.tree.is_live:
        raise ChangeFailed("which files are in use can only be seen on the running host; nothing was changed")
    allowed = _allowed(journal.tree, params["instances"], params["cache"])
    chosen, gone = [], []
    for wish in params["files"]:
        now = allowed.get((wish["action"], wish["path"]))
        if now is None or wish["modified"] not in (None, now["modified"]):
            gone.append(wish["subject"] or wish["path"])
        else:
            chosen.append(wish)
    moved = [wish["path"] for wish in chosen if wish["action"] == "quarantine"]
    removed = [wish["path"] for wish in chosen if wish["action"] == "remove"]
    if moved:
        _file_moves.check_quarantine(params["quarantine"], moved)
    if not check_mode:
        for path in removed:
            _file_moves.remove(journal, path)
        for path in moved:
            _file_moves.move(journal, path, params["quarantine"])
    where = [f"{path} (in {params['quarantine']})" for path in moved]
    return {
        "changed": bool(chosen),
        "cleared": [*removed, *moved],
        "diff": [difference(params["cache"], lines([*removed, *moved]), lines(where))] if chosen else [],
        "gone": list(dict.fromkeys(gone)),
    }


def _allowed(tree: Tree, instances: str, cache: str) -> dict[tuple[str, str], dict[str, Any]]:
    """{(action, path): what is known of the file} of all that may be cleared away now."""
    if compute.SHARED.match(compute.filesystem(tree, instances)):
        raise ChangeFailed(f"{instances} is shared with other computes, whose files look the same; nothing was changed")
    found = reader.candidates(instances, cache)
    actions = {"remove": found["stale"], "quarantine": found["unused"]}
    return {(action, entry["path"]): entry for action, entries in actions.items() for entry in entries}


def main() -> None:
    change_host(
        apply,
        {
            "instances": {"type": "path", "default": "/var/lib/nova/instances"},
            "cache": {"type": "path", "default": "/var/lib/nova/instances/_base"},
            "files": wishes(
                {
                    "path": {"type": "path", "required": True},
                    "action": {"type": "str", "choices": ["remove", "quarantine"], "required": True},
                    "modified": {"type": "int"},
                    "bytes": {"type": "int"},
                }
            ),
            "quarantine": {"type": "path", "default": "/var/lib/stackmend/quarantine"},
        },
    )


if __name__ == "__main__":
    main()
