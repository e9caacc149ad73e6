# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readers of a cloud's evidence by name. A reader is loaded when it is first asked."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Optional


class CloudReader:
    """Gives the evidence of a cloud by the reader's name, and remembers what was seen on the way.

    settings: those of the run that say what is read ("image_content").
    objects: how many objects of each kind were read. addresses: {service host: address that nova uses for it}.
    """

    def __init__(self, cloud: Any, settings: Optional[Mapping[str, Any]] = None) -> None:
        self.cloud = cloud
        self._settings = settings or {}
        self._known: dict[str, Any] = {}  # some readers start from what others read
        self.objects: dict[str, int] = {}
        self.addresses: dict[str, str] = {}

    def __call__(self, name: str) -> Any:
        if name not in self._known:
            reading = self._known[name] = _reader(name).read(self.cloud, *self._before(name))
            self.objects.update(reading.get("objects", {}))
            if name == "hypervisors":
                self.addresses = {row["host"]: row["address"] for row in reading["hypervisors"]}
        return self._known[name]

    def _before(self, name: str) -> tuple[Any, ...]:
        """What a reader starts from: others' evidence, or this reader itself where that depends on what it meets."""
        if name in ("candidates", "consumers"):
            return (self,)
        if name in ("servers", "stuck_servers"):
            return (self("compute_services"),)
        if name == "inventories":
            return (self("placement")["providers"],)
        if name == "image_content":
            which = self._settings.get("image_content", "suspects")
            return which, self("images")["images"], self("servers")["servers"]
        return ()


def _reader(name: str) -> Any:
    return importlib.import_module(f"{__package__}._evidence.{name}")


def _shipped() -> None:
    """Never called: Ansible ships to a host what it sees imported, wherever in a file that stands."""
    from ._evidence import (  # noqa: F401
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
