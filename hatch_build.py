# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put the collection, and the lab's inventory, into the wheel.

Only into a real wheel: an editable install finds them in the checkout, and a copy beside it would go stale unnoticed.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COLLECTION = "ansible_collections/stackmend/openstack"


class CollectionHook(BuildHookInterface):
    """Adds files to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; version is "standard" or "editable"."""
        if version == "standard":
            for name in ("plugins", "roles", "playbooks", "meta", "galaxy.yml", "README.md", "COPYING"):
                build_data["force_include"][name] = f"{COLLECTION}/{name}"
            build_data["force_include"]["inventories/lab"] = "stackmend_lab/inventory"
