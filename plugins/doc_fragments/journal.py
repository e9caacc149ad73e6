# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that change something and can undo it."""

from __future__ import annotations


class ModuleDocFragment:
    """Where what was there before is kept."""

    DOCUMENTATION = r"""
options:
  run_id:
    description:
      - Names the run in the journal. M(stackmend.openstack.journal_rollback) undoes the run of that name.
      - Without it a new name is made, and returned.
    type: str
  journal_dir:
    description: Directory, below O(root), that keeps what is needed to undo the run.
    type: path
    default: /var/lib/stackmend/journal
  root:
    description: The directory that stands for the host's file system.
    type: path
    default: /
"""
