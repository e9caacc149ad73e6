#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module evacuation_strict: make scripts name the host that they evacuate exactly."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evacuation_strict
short_description: Add --strict to calls of nova host-evacuate and its kin
version_added: 0.1.0
description:
  - Changes single lines of scripts that call C(nova host-evacuate), C(host-evacuate-live), C(host-servers-migrate) or
    C(host-meta), so that they act on the host with exactly the given name.
  - A line is changed only if it still is the one that was judged. Mode, owner and label of the file stay.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.journal
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: What stands behind an option for a password or token is masked.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
options:
  calls:
    description: The calls to change.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The script.
        type: path
        required: true
      line:
        description: The line, counted from 1.
        type: int
        required: true
      command:
        description: The subcommand of C(nova).
        type: str
        required: true
        choices: [host-evacuate, host-evacuate-live, host-servers-migrate, host-meta]
      argument:
        description: The host as it is written in the line; nothing when it is a variable.
        type: str
      exact:
        description: The exact hypervisor host name to put in its place.
        type: str
      digest:
        description: SHA-256 of the line as it was judged.
        type: str
        required: true
      subject:
        description: What to call the call in RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Evacuate exactly the host that is meant
  stackmend.openstack.evacuation_strict:
    calls:
      - path: /usr/local/bin/ha-evacuate.sh
        line: 4
        command: host-evacuate
        argument: compute1
        exact: compute1.example.org
        digest: 9d8b9c0a9b1f0b8e5a3f8f3f7c8f9d0b4d8b9c0a9b1f0b8e5a3f8f3f7c8f9d0b
"""

RETURN = r"""
gone:
  description: The subjects of calls whose line had changed meanwhile; they were left alone.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.scripts import (
    COMMANDS,
    make_strict,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._script_lines import rewrite


def make_exact(line: str, call: Mapping[str, Any]) -> Optional[str]:
    return make_strict(line, call["command"], call["argument"], call["exact"])


def by_hand(call: Mapping[str, Any]) -> str:
    return f"add --strict to {call['command']} by hand"


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    return rewrite(journal, params["calls"], make_exact, by_hand, check_mode)


def main() -> None:
    change_host(
        apply,
        {
            "calls": wishes(
                {
                    "path": {"type": "path", "required": True},
                    "line": {"type": "int", "required": True},
                    "command": {"type": "str", "required": True, "choices": list(COMMANDS)},
                    "argument": {"type": "str"},
                    "exact": {"type": "str"},
                    "digest": {"type": "str", "required": True},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
