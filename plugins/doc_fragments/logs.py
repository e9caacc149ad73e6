# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that read the logs of a host."""

from __future__ import annotations


class ModuleDocFragment:
    """Which logs beside the known ones, and when to stop."""

    DOCUMENTATION = r"""
options:
  log_paths:
    description: Patterns of further log files, beside those of packages, kolla and TripleO.
    type: list
    elements: str
    default: []
  log_seconds:
    description: Seconds after which reading logs ends; what was not read is then told as a gap.
    type: float
    default: 120
"""
