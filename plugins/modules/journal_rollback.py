#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module journal_rollback: undo what a run changed here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: journal_rollback
short_description: Undo what a run changed
version_added: 0.1.0
description:
  - Restores what the journal of a run holds, newest change first, byte for byte, with mode, owner and label.
  - It works for a run that was killed half-way too, and may be repeated.
  - What somebody changed after the run is left alone and reported as a conflict.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.cloud
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: What would be restored may hold secrets; RV(undone) names it.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
options:
  run_id:
    description: The run to undo.
    type: str
    required: true
  journal_dir:
    description: Directory, below O(root), that keeps the journals.
    type: path
    default: /var/lib/stackmend/journal
  root:
    description: The directory that stands for the host's file system.
    type: path
    default: /
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Undo a run on this host
  stackmend.openstack.journal_rollback:
    run_id: 20261121T030000Z-4f9a2c
"""

RETURN = r"""
exists:
  description: Whether this host has a journal of the run.
  returned: success
  type: bool
undone:
  description:
    - One entry for each change, with C(what), C(status) and C(reason).
    - The status is C(restored), C(would_restore), C(unchanged), C(conflict) or C(failed).
  returned: success
  type: list
  elements: dict
"""

import functools
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import (
    DIRECTORY,
    Journal,
    JournalError,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._session import (
    ARGUMENTS,
    BadCloud,
    Cloud,
    open_cloud,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._undo import CLOUD_UNDO, NOVA_UNDO


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "run_id": {"type": "str", "required": True},
            "journal_dir": {"type": "path", "default": DIRECTORY},
            "root": {"type": "path", "default": "/"},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    params = module.params

    # Only a journal that holds changes of API objects needs a cloud at all.
    @functools.lru_cache(maxsize=None)
    def cloud() -> Cloud:
        try:
            return open_cloud(params, writable=not module.check_mode)
        except BadCloud as error:
            raise Unavailable(str(error)) from error

    def undo_in_cloud(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
        return CLOUD_UNDO[entry["kind"]](cloud(), entry, check_mode)

    try:
        journal = Journal(params["journal_dir"], params["run_id"], params["root"])
        undone = journal.undo(
            check_mode=module.check_mode, others={**dict.fromkeys(CLOUD_UNDO, undo_in_cloud), **NOVA_UNDO}
        )
    except JournalError as error:
        module.fail_json(msg=str(error))
    changed = any(entry["status"] in ("restored", "would_restore") for entry in undone)
    module.exit_json(changed=changed, exists=journal.exists(), undone=undone)


if __name__ == "__main__":
    main()
