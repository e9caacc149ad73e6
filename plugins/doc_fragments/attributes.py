# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attributes that every module of the collection states."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes; a module gives the support of each."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and says what would change, without changing anything.
  diff_mode:
    description: Shows in diff mode what has changed or would change, secrets masked.
  idempotent:
    description: When run twice in a row outside check mode, the second run changes nothing.
  platform:
    description: Target systems that are supported.
"""

    # For modules that change what they are told, and show it.
    CHANGES = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
"""

    # For modules that only read.
    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: It only reads.
  diff_mode:
    support: N/A
    details: It only reads.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
"""
