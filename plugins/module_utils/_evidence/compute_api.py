# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how new nova is, by the newest microversion of its API."""

from __future__ import annotations

from typing import Any

from .._session import Cloud


def read(cloud: Cloud) -> dict[str, Any]:
    """{"newest": [2, 104]}: the newest microversion of the compute API."""
    version = cloud.newest_microversion("compute", "2.9999")
    return {"newest": [int(part) for part in version.split(".")]}
