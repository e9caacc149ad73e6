# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real OpenStack on loopback for developing and proving Stackmend; see lab/README.md."""

from .lab import Lab, LabError

__all__ = ["Lab", "LabError"]
