#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module file_modes: the permissions of single files, each as it was found."""

from __future__ import annotations

DOCUMENTATION = r"""
module: file_modes
short_description: Set the permissions of single files and directories, and remember what they were
version_added: 0.1.0
description:
  - Sets the permission bits of each path, and of nothing below it. Set-user-ID, set-group-ID and sticky bits and the owner stay.
  - A symbolic link is refused.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  files:
    description: The files and directories.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The path.
        type: path
        required: true
      mode:
        description: The permission bits in octal, such as V('0644').
        type: str
        required: true
      expect:
        description: The mode that is to be changed. Where another one is found, the path is left alone.
        type: str
      subject:
        description: The finding that the wish remedies, for RV(gone).
        type: str
        default: ''
  restarts:
    description:
      - Units that are started after this, so that a rollback restarts them once the old modes are back.
      - This module starts nothing.
    type: list
    elements: str
    default: []
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Everybody can read a module
  stackmend.openstack.file_modes:
    files:
      - path: /usr/lib/python3/dist-packages/simplegeneric.py
        mode: '0644'
"""

RETURN = r"""
changed_paths:
  description: The paths whose mode was changed.
  returned: success
  type: list
  elements: str
gone:
  description: The subjects of wishes whose file is gone or has another mode meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import os
import re
import stat
from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Give each file its mode, if it still is as it was found."""
    planned: dict[str, tuple[int, int]] = {}
    gone = []
    for wish in params["files"]:
        path, wanted = wish["path"], _mode(wish["mode"])
        real = os.path.join(journal.tree.path(os.path.dirname(path)), os.path.basename(path))
        try:
            status = os.lstat(real)
        except FileNotFoundError:
            gone.append(wish["subject"] or path)
            continue
        if stat.S_ISLNK(status.st_mode):
            raise ChangeFailed(f"{path} is a symbolic link; nothing was changed. Name the file that it leads to")
        now = stat.S_IMODE(status.st_mode)
        after = now & 0o7000 | wanted
        if now == after:
            continue
        if wish["expect"] is not None and now != int(wish["expect"], 8):
            gone.append(wish["subject"] or path)
            continue
        planned[path] = (now, after)
    if planned and not check_mode:
        for unit in params["restarts"]:
            journal.restart(["systemctl", "restart", unit], [unit])
        for path, (_before, after) in planned.items():
            journal.set_mode(path, after)
    return {
        "changed": bool(planned),
        "changed_paths": list(planned),
        "diff": [difference(path, f"{before:04o}\n", f"{after:04o}\n") for path, (before, after) in planned.items()],
        "gone": list(dict.fromkeys(gone)),
    }


def _mode(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ChangeFailed(f"{text!r} is no mode; nothing was changed. Give permission bits in octal, such as '0644'")
    return int(text, 8)


def main() -> None:
    change_host(
        apply,
        {
            "files": wishes(
                {
                    "path": {"type": "path", "required": True},
                    "mode": {"type": "str", "required": True},
                    "expect": {"type": "str"},
                }
            ),
            "restarts": {"type": "list", "elements": "str", "default": []},
        },
    )


if __name__ == "__main__":
    main()
