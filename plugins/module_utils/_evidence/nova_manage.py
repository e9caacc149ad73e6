# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell whether nova-manage can be run here: on a host that has nova and its API database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model import Unavailable
from . import nova_cells
from ._tree import Tree


def read(tree: Tree, options: Mapping[str, Any]) -> bool:
    """Whether this host is one; a host where it could not be found out is none, and another one serves."""
    try:
        return nova_cells.find(tree, options) is not None
    except Unavailable:
        return False
