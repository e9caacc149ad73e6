# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How changes are undone that take more than files: by the APIs, and by nova's own programs; by the kind of entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import (
    _catalog_service,
    _cell_mappings,
    _compute_scheduling,
    _database_grants,
    _flavor_extra_specs,
    _image_properties,
    _image_replacement,
    _placement_allocation,
    _server_image_properties,
    _server_power,
    _service_role,
)
from ._journal import Undo
from ._session import Cloud

# (cloud, entry, check mode) -> (status, reason), as Journal.undo has them. Raises ChangeFailed or Unavailable.
CloudUndo = Callable[[Cloud, Mapping[str, Any], bool], tuple[str, str]]

CLOUD_UNDO: dict[str, CloudUndo] = {
    "catalog_service": _catalog_service.undo,
    "compute_scheduling": _compute_scheduling.undo,
    "flavor_extra_specs": _flavor_extra_specs.undo,
    "image_properties": _image_properties.undo,
    "image_replacement": _image_replacement.undo,
    "placement_allocation": _placement_allocation.undo,
    "server_power": _server_power.undo,
    "role_assignment": _service_role.undo,
}
# Where nova's own programs are (_nova_programs.py), and where the database server is.
NOVA_UNDO: dict[str, Undo] = {
    "database_grant": _database_grants.undo,
    "host_mapping": _cell_mappings.undo_host,
    "server_image_properties": _server_image_properties.undo,
    "server_mapping": _cell_mappings.undo_server,
}
