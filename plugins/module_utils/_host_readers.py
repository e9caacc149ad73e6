# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readers of a host's evidence by name. A reader is loaded when it is first asked."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from ._evidence._tree import Tree


def host_reader(tree: Tree, options: Mapping[str, Any]) -> Callable[[str], Any]:
    """Give the evidence of a host by the reader's name; options are the settings of host_fault_info."""

    def read(name: str) -> Any:
        if name == "config_files":
            return _reader("oslo_config").read_files(tree, options)
        return _reader(name).read(tree, options)

    return read


def _reader(name: str) -> Any:
    return importlib.import_module(f"{__package__}._evidence.{name}")


def _shipped() -> None:
    """Never called: Ansible ships to a host what it sees imported, wherever in a file that stands."""
    from ._evidence import (  # noqa: F401
        accounts,
        backends,
        ceph,
        compute,
        compute_process,
        consoles,
        databases,
        instances_disk,
        locale_settings,
        logs,
        memcached,
        network_managers,
        nova_cells,
        nova_manage,
        openstack_client,
        oslo_config,
        port_bindings,
        scheduler,
        scripts,
        service_processes,
        ssh,
        unreadable_packages,
    )
