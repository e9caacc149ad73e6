# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readers of evidence by name. They are imported when first asked, and statically, so that Ansible ships them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Optional

from ._evidence._tree import Tree


def host_reader(tree: Tree, options: Mapping[str, Any]) -> Callable[[str], Any]:
    """Give the evidence of a host by the reader's name; options are the settings of host_fault_info."""
    from ._evidence import (
        accounts,
        compute,
        compute_process,
        logs,
        nova_cells,
        nova_manage,
        openstack_client,
        oslo_config,
        scheduler,
        scripts,
        ssh,
    )

    readers: dict[str, Callable[[Tree, Mapping[str, Any]], Any]] = {
        "accounts": accounts.read,
        "compute": compute.read,
        "compute_process": compute_process.read,
        "logs": logs.read,
        "nova_cells": nova_cells.read,
        "nova_manage": nova_manage.read,
        "openstack_client": openstack_client.read,
        "config_files": oslo_config.read_files,
        "oslo_config": oslo_config.read,
        "scheduler": scheduler.read,
        "scripts": scripts.read,
        "ssh": ssh.read,
    }

    def read(name: str) -> Any:
        return readers[name](tree, options)

    return read


class CloudReader:
    """Gives the evidence of a cloud by the reader's name, and remembers what was seen on the way.

    settings: those of the run that say what is read ("image_content").
    objects: how many objects of each kind were read. addresses: {service host: address that nova uses for it}.
    """

    def __init__(self, cloud: Any, settings: Optional[Mapping[str, Any]] = None) -> None:
        self._cloud = cloud
        self._settings = settings or {}
        self._known: dict[str, Any] = {}  # some readers start from what others read
        self.objects: dict[str, int] = {}
        self.addresses: dict[str, str] = {}

    def __call__(self, name: str) -> Any:
        from ._evidence import (
            aggregates,
            candidates,
            catalog,
            compute_api,
            compute_services,
            consumers,
            flavors,
            graphics_models,
            hypervisors,
            image_content,
            images,
            inventories,
            migrations,
            network_agents,
            placement,
            resource_providers,
            server_names,
            servers,
            service_users,
            stuck_servers,
        )

        readers: dict[str, Callable[[Any], dict[str, Any]]] = {
            "aggregates": aggregates.read,
            "candidates": lambda cloud: candidates.read(cloud, self),
            "catalog": catalog.read,
            "compute_api": compute_api.read,
            "compute_services": compute_services.read,
            "consumers": lambda cloud: consumers.read(cloud, self),
            "flavors": flavors.read,
            "graphics_models": graphics_models.read,
            "hypervisors": hypervisors.read,
            "image_content": lambda cloud: image_content.read(
                cloud,
                self._settings.get("image_content", "suspects"),
                self("images")["images"],
                self("servers")["servers"],
            ),
            "images": images.read,
            "inventories": lambda cloud: inventories.read(cloud, self("placement")["providers"]),
            "migrations": migrations.read,
            "network_agents": network_agents.read,
            "placement": placement.read,
            "resource_providers": resource_providers.read,
            "server_names": server_names.read,
            "servers": lambda cloud: servers.read(cloud, self("compute_services")),
            "service_users": service_users.read,
            "stuck_servers": lambda cloud: stuck_servers.read(cloud, self("compute_services")),
        }
        if name in self._known:
            return self._known[name]
        reading = self._known[name] = readers[name](self._cloud)
        self.objects.update(reading.get("objects", {}))
        if name == "hypervisors":
            self.addresses = {row["host"]: row["address"] for row in reading["hypervisors"]}
        return reading
