# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which python-openstackclient a host has: it decides the compute API version of a call that names none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._tree import Tree

_PLACES = (
    "/usr/lib/python3*/site-packages",
    "/usr/lib/python3*/dist-packages",
    "/usr/lib/python3/dist-packages",
    "/usr/local/lib/python3*/site-packages",
    "/usr/local/lib/python3*/dist-packages",
    "/opt/*/lib/python3*/site-packages",
    "/openstack/venvs/*/lib/python3*/site-packages",
)


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """{"versions": [[major, minor], ...]} of the clients that are installed, oldest first."""
    found = set()
    for place in _PLACES:
        for path in tree.glob(f"{place}/python_openstackclient-*-info"):
            match = re.search(r"python_openstackclient-(\d+)\.(\d+)", path)
            if match:
                found.add((int(match.group(1)), int(match.group(2))))
    return {"versions": [list(version) for version in sorted(found)]}
