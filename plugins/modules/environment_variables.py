#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module environment_variables: variables in files of assignments, such as the locale of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_variables
short_description: Set or remove environment variables in files of assignments
version_added: 0.1.0
description:
  - Edits files such as C(/etc/default/locale), C(/etc/locale.conf), C(/etc/environment), scripts of C(/etc/profile.d), or a
    file of credentials that is read into a shell.
  - Only unconditional assignments count (at the beginning of a line, with or without C(export)).
  - All other lines stay as they are.
  - It changes what new sessions get. Nothing is restarted.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  variables:
    description: The variables.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - The file. It is made, mode 0644, where it is missing and a variable is to be set.
          - Without it the locale file of the system, C(/etc/default/locale) on Debian and C(/etc/locale.conf) elsewhere.
        type: path
        default: ''
      variable:
        description: Name of the variable.
        type: str
        required: true
      state:
        description: Whether it is to be set or removed.
        type: str
        choices: [present, absent]
        default: present
      value:
        description: The value, when it is to be set.
        type: str
      expect:
        description: The value that is to be changed. Where another one is found, the variable is left alone.
        type: str
      subject:
        description: The finding that the wish remedies, for RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: New sessions can print names of all languages
  stackmend.openstack.environment_variables:
    variables:
      - variable: LANG
        value: C.UTF-8
      - path: /etc/environment
        variable: LC_ALL
        state: absent
"""

RETURN = r"""
edited:
  description: The files that were changed.
  returned: success
  type: list
  elements: str
gone:
  description: The subjects of wishes whose value had changed meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._environment_files import value_in, with_value
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the variables of each file to what is wished."""
    tree = journal.tree
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    missing: set[str] = set()
    gone = []
    shown: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for wish in params["variables"]:
        path = wish["path"] or ("/etc/default/locale" if tree.exists("/etc/debian_version") else "/etc/locale.conf")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", wish["variable"]):
            raise ChangeFailed(f"{wish['variable']!r} is no name of a variable; nothing was changed")
        if wish["value"] is not None and re.search(r"[\n\0]", wish["value"]):
            raise ChangeFailed(f"the value of {wish['variable']} has more than one line; nothing was changed")
        if path not in before:
            try:
                before[path] = tree.read_text(path)
            except FileNotFoundError:
                before[path] = ""
                missing.add(path)
            after[path] = before[path]
        now = value_in(after[path], wish["variable"])
        value = wish["value"] if wish["state"] == "present" else None
        if now == value:
            continue
        if wish["expect"] is not None and now != wish["expect"]:
            gone.append(wish["subject"] or f"{path} {wish['variable']}")
            continue
        after[path] = with_value(after[path], wish["variable"], value)
        # Only this variable: others of the same line may be secret.
        old, new = shown.setdefault(path, ({}, {}))
        old[wish["variable"]], new[wish["variable"]] = now, value
        if value_in(after[path], wish["variable"]) != value:
            raise ChangeFailed(
                f"{wish['variable']} in {path} is set in a way that is not understood; nothing was changed. Edit it by hand"
            )
    edited = [path for path in after if after[path] != before[path]]
    if not check_mode:
        for path in edited:
            content = after[path].encode("utf-8", "surrogateescape")
            journal.write_file(path, content, mode=0o644 if path in missing else None)
    return {
        "changed": bool(edited),
        "edited": edited,
        "diff": [difference(path, lines(old), lines(new)) for path, (old, new) in shown.items()],
        "gone": gone,
    }


def main() -> None:
    change_host(
        apply,
        {
            "variables": wishes(
                {
                    "path": {"type": "path", "default": ""},
                    "variable": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "value": {"type": "str"},
                    "expect": {"type": "str"},
                }
            )
            | {"required_if": [("state", "present", ["value"])]},
        },
    )


if __name__ == "__main__":
    main()
