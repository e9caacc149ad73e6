#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module memcached_limits: how many connections and open files memcached may have."""

from __future__ import annotations

DOCUMENTATION = r"""
module: memcached_limits
short_description: Set how many connections memcached admits
version_added: 0.1.0
description:
  - Sets the limit of connections in the file that memcached's unit reads, in the place that counts, and the unit's limit of
    open files in a drop-in where it is given.
  - Every other line and argument of the file stays as it is, the addresses on which memcached listens among them.
  - A limit that is as high already is left alone. Nothing is restarted; the restart is kept in the journal, so that undoing
    the run makes it too.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  instances:
    description: What each memcached should be given.
    type: list
    elements: dict
    required: true
    suboptions:
      unit:
        description: Its systemd unit.
        type: str
        default: memcached.service
      path:
        description: The file that sets its limit, such as C(/etc/memcached.conf) or C(/etc/sysconfig/memcached). It must exist.
        type: path
        required: true
      style:
        description:
          - How the file says it.
          - V(arguments) is Debian's C(/etc/memcached.conf), one argument a line.
          - V(environment) is C(/etc/sysconfig/memcached) of RHEL and its kin, with C(MAXCONN) and C(OPTIONS).
        type: str
        choices: [arguments, environment]
        required: true
      max_connections:
        description: How many connections it admits, at least.
        type: int
        required: true
      open_files:
        description: The unit's limit of open files; V(0) leaves it as it is.
        type: int
        default: 0
      expect:
        description:
          - The limit that was judged, V(0) where the file sets none. With it a file that says something else by now is left
            alone, and returned in RV(gone).
        type: int
      address:
        description: Where it answers, for who waits for it after a restart.
        type: str
        default: 127.0.0.1:11211
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Let memcached admit 8192 connections
  stackmend.openstack.memcached_limits:
    instances:
      - path: /etc/memcached.conf
        style: arguments
        max_connections: 8192
        open_files: 8292
"""

RETURN = r"""
edited:
  description: The units for which something was changed.
  returned: success
  type: list
  elements: str
  sample: [memcached.service]
gone:
  description: The subjects of wishes whose limit had changed meanwhile; they were left alone.
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
from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._memcached_files import (
    STYLES,
    limit_in,
    with_limit,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed

# Read after every drop-in that a deployment tool is likely to have written.
_DROP_IN = "/etc/systemd/system/{unit}.d/zz-open-files.conf"
_LIMIT = re.compile(r"^LimitNOFILE=(\d+)$", re.MULTILINE)


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Carry the wishes out, or only tell what they would do."""
    tree = journal.tree
    edited: list[str] = []
    gone: list[str] = []
    diff: list[dict[str, str]] = []
    for wish in params["instances"]:
        texts = _texts(tree, wish)
        if texts is None:
            gone.append(wish["subject"] or wish["unit"])
            continue
        changed = {path: (before, after) for path, (before, after) in texts.items() if before != after}
        if not changed:
            continue
        edited.append(wish["unit"])
        diff += [difference(path, before or "", after) for path, (before, after) in changed.items()]
        if check_mode:
            continue
        if tree.is_live:
            # Undoing makes restarts last, the latest first.
            journal.restart(["systemctl", "restart", wish["unit"]], [wish["unit"]])
            journal.restart(["systemctl", "daemon-reload"], ["systemd's units"])
        for path, (before, after) in changed.items():
            if not tree.is_dir(os.path.dirname(path)):
                journal.make_dir(os.path.dirname(path), mode=0o755, uid=os.geteuid(), gid=os.getegid())
            journal.write_file(
                path, after.encode("utf-8", "surrogateescape"), mode=None if before is not None else 0o644
            )
    return {"changed": bool(edited), "edited": edited, "gone": gone, "diff": diff}


def _texts(tree: Tree, wish: Mapping[str, Any]) -> Any:
    """{path: (text before or None, text after)} of what a wish is about; None when it is not what was judged any more."""
    path = wish["path"]
    try:
        before = tree.read_text(path)
    except FileNotFoundError:
        raise ChangeFailed(f"{path} does not exist; nothing was changed. Correct the path or create the file") from None
    now = limit_in(before, wish["style"]) or 0
    enough = now >= wish["max_connections"]
    if not enough and wish["expect"] is not None and now != wish["expect"]:
        return None
    texts = {path: (before, before if enough else with_limit(before, wish["style"], wish["max_connections"]))}
    if wish["open_files"]:
        drop_in = _DROP_IN.format(unit=wish["unit"])
        try:
            present = tree.read_text(drop_in)
        except FileNotFoundError:
            present = None
        said = _LIMIT.search(present or "")
        if not said or int(said.group(1)) < wish["open_files"]:
            texts[drop_in] = (present, f"[Service]\nLimitNOFILE={wish['open_files']}\n")
    return texts


def main() -> None:
    change_host(
        apply,
        {
            "instances": wishes(
                {
                    "unit": {"type": "str", "default": "memcached.service"},
                    "path": {"type": "path", "required": True},
                    "style": {"type": "str", "required": True, "choices": list(STYLES)},
                    "max_connections": {"type": "int", "required": True},
                    "open_files": {"type": "int", "default": 0},
                    "expect": {"type": "int"},
                    "address": {"type": "str", "default": "127.0.0.1:11211"},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
