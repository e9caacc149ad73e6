#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module evacuate_microversion: let nova find out by itself where the disks of an evacuated server are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evacuate_microversion
short_description: Let scripts evacuate servers at a compute API version that needs no word about storage
version_added: 0.1.0
description:
  - Takes C(--shared-storage) out of calls of C(openstack server evacuate) and C(nova evacuate), and lets them speak compute API
    version 2.29, at which nova finds out by itself where the disks are.
  - A line is changed only if it still is the one that was judged; mode, owner and label of the script stay.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
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
      client:
        description: The command line client that is called.
        type: str
        choices: [openstack, nova]
        required: true
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
- name: Leave it to nova
  stackmend.openstack.evacuate_microversion:
    calls:
      - path: /usr/local/bin/evacuate.sh
        line: 7
        client: openstack
        digest: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
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
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._evacuate_calls import let_nova_find_out
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._script_lines import rewrite


def at_a_newer_version(line: str, call: Mapping[str, Any]) -> Optional[str]:
    return let_nova_find_out(line, call["client"])


def by_hand(call: Mapping[str, Any]) -> str:
    return "take --shared-storage out and add --os-compute-api-version 2.29 by hand"


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    return rewrite(journal, params["calls"], at_a_newer_version, by_hand, check_mode)


def main() -> None:
    change_host(
        apply,
        {
            "calls": wishes(
                {
                    "path": {"type": "path", "required": True},
                    "line": {"type": "int", "required": True},
                    "client": {"type": "str", "required": True, "choices": ["openstack", "nova"]},
                    "digest": {"type": "str", "required": True},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
