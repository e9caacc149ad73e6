#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module oslo_config: set, remove, rename and move options in the configuration files of OpenStack services."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oslo_config
short_description: Edit configuration files as oslo.config reads them
version_added: 0.1.0
description:
  - Sets, removes, renames and moves options in files such as C(nova.conf), by the rules of C(oslo.config) and not of
    other ini files. The line that is changed is the one that counts, which is the last of several. Section names are
    compared without regard to case, but C([DEFAULT]) is only C([DEFAULT]). There are no comments behind a value.
  - Comments, order, spacing, line ends, mode, owner and label of a file stay as they are.
  - All wishes for a host are one call. What the files were is in the journal before they are changed.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.journal
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the changed lines and their sections only. Values of options that look like secrets are masked.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
options:
  edits:
    description:
      - What the files should say.
      - Like every module's arguments a value is written to the log of the host. Use C(no_log) where it is a secret.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The file. It must exist.
        type: path
        required: true
      section:
        description: The section.
        type: str
        default: DEFAULT
      option:
        description: The option, with underscores.
        type: str
        required: true
      state:
        description:
          - V(present) gives the option O(edits[].value).
          - V(absent) removes every line that sets it.
          - V(renamed) gives it the name O(edits[].new_option) and the section O(edits[].new_section). Its value stays.
        type: str
        choices: [present, absent, renamed]
        default: present
      value:
        description: The value, on one line, as C(oslo.config) should read it. Required when O(edits[].state=present).
        type: str
      new_section:
        description: The section to move the option to. Without it the section stays.
        type: str
      new_option:
        description: The new name. Without it the name stays.
        type: str
      multi:
        description: Whether the option may be set more than once, so that every line of it counts.
        type: bool
        default: false
      secret:
        description: Whether to mask the value in the diff, also when the name of the option does not sound like a secret.
        type: bool
        default: false
      expect:
        description:
          - Fingerprint of the value that is to be changed, as a finding gives it. With it the option is left alone, and
            returned in RV(gone), when its value has become another one.
        type: str
      line:
        description: The line where the value was found, for the reader of a report. The option is sought by its name.
        type: int
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
  restarts:
    description:
      - Commands that make the changed options take effect. They are not run but kept in the journal, when something is
        changed, so that undoing the run makes them too.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: What is restarted.
        type: str
        required: true
      command:
        description: The command and its arguments.
        type: list
        elements: str
        required: true
      unit:
        description: The systemd unit that is restarted, if it is one.
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Nova's compute waits for network events, and a line that nothing reads is gone
  stackmend.openstack.oslo_config:
    edits:
      - path: /etc/nova/nova.conf
        option: vif_plugging_is_fatal
        value: 'true'
      - path: /etc/nova/nova.conf
        section: api
        option: auth_strategy
        state: absent

- name: Correct a misspelt option
  stackmend.openstack.oslo_config:
    edits:
      - path: /etc/nova/nova.conf
        option: vif_pluging_timeout
        state: renamed
        new_option: vif_plugging_timeout
"""

RETURN = r"""
edited:
  description: The files that were changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/nova/nova.conf]
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

from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _oslo_edits
from ansible_collections.stackmend.openstack.plugins.module_utils._change import (
    RESTARTS,
    change_host,
    difference,
    lines,
    write,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._oslo_files import ParseError
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.oslo_config import host_key
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def plan(tree: Tree, edits: list[dict[str, Any]]) -> dict[str, _oslo_edits.Outcome]:
    """What becomes of each file; nothing is written before every wish is known to be possible."""
    outcomes = {}
    key = host_key(tree)
    for path in dict.fromkeys(wish["path"] for wish in edits):
        mine = [wish for wish in edits if wish["path"] == path]
        try:
            outcomes[path] = _oslo_edits.apply(tree.read_text(path), mine, key)
        except FileNotFoundError:
            if any(not wish["expect"] for wish in mine):
                raise ChangeFailed(
                    f"{path} does not exist; nothing was changed. Correct the path or create the file"
                ) from None
            outcomes[path] = _oslo_edits.Outcome("", [], [wish["subject"] or path for wish in mine])
        except ParseError as error:
            raise ChangeFailed(
                f"{path} line {error.line} cannot be parsed ({error.reason}); nothing was changed. "
                "Correct that line first"
            ) from None
        except ChangeFailed as error:
            raise ChangeFailed(f"{path}: {error}; nothing was changed") from None
    return outcomes


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Carry the wishes out, or only tell what they would do."""
    outcomes = plan(journal.tree, params["edits"])
    edited = {path: outcome for path, outcome in outcomes.items() if outcome.changes}
    if edited and not check_mode:
        write(journal, {path: outcome.text for path, outcome in edited.items()}, params["restarts"])
    diff = [
        difference(
            path,
            lines(line for change in outcome.changes for line in change.before),
            lines(line for change in outcome.changes for line in change.after),
        )
        for path, outcome in edited.items()
    ]
    gone = [subject for outcome in outcomes.values() for subject in outcome.gone]
    return {"changed": bool(edited), "edited": list(edited), "diff": diff, "gone": gone}


def main() -> None:
    change_host(
        apply,
        {
            "edits": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "section": {"type": "str", "default": "DEFAULT"},
                    "option": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["present", "absent", "renamed"], "default": "present"},
                    "value": {"type": "str"},
                    "new_section": {"type": "str"},
                    "new_option": {"type": "str"},
                    "multi": {"type": "bool", "default": False},
                    "secret": {"type": "bool", "default": False, "no_log": False},
                    "expect": {"type": "str"},
                    "line": {"type": "int"},
                    "subject": {"type": "str", "default": ""},
                },
                "required_if": [
                    ("state", "present", ["value"]),
                    ("state", "renamed", ["new_section", "new_option"], True),
                ],
            },
            "restarts": RESTARTS,
        },
    )


if __name__ == "__main__":
    main()
