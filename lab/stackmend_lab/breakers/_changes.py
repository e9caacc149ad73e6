# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a breaker changed, kept beside the lab so that any later process can undo it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..lab import LabError
from . import _placement

if TYPE_CHECKING:
    from ..lab import Lab


class Changes:
    """The record of one breaker's changes; every entry is written before the change it undoes."""

    def __init__(self, lab: Lab, fault: str) -> None:
        self.lab = lab
        self.record = lab.layout.state / "breakers" / f"{fault}.json"

    def write(self, host: str, path: str, text: str, mode: int | None = None) -> None:
        """Write a file of a host's tree, `path` as the host sees it; without `mode` an existing one keeps its own."""
        target = self.lab.host_root(host) / path.lstrip("/")
        for directory in reversed([parent for parent in target.parents if not parent.exists()]):
            self._remember({"directory": str(directory)})
            directory.mkdir()
        if target.exists():
            content, present = base64.b64encode(target.read_bytes()).decode(), target.stat().st_mode & 0o7777
        else:
            content, present = None, 0o640
        self._remember({"file": str(target), "content": content, "mode": present})
        _replace(target, text.encode(), present if mode is None else mode)

    def edit(self, host: str, path: str, old: str, new: str) -> None:
        """Replace one passage of a file, which has to be there exactly once. Raises ValueError."""
        text = self.read(host, path)
        if text.count(old) != 1:
            raise ValueError(f"{path} of {host} holds {old!r} {text.count(old)} times, not once; mend the lab first.")
        self.write(host, path, text.replace(old, new))

    def append(self, host: str, path: str, text: str) -> None:
        self.write(host, path, self.read(host, path) + text)

    def read(self, host: str, path: str) -> str:
        return (self.lab.host_root(host) / path.lstrip("/")).read_text()

    def create_image(self, name: str, disk_format: str = "raw", content: bytes | None = None, **properties: Any) -> str:
        """Upload a small image of the administrator's project; returns its id."""
        image_id = str(uuid.uuid4())
        self._remember({"image": image_id})
        container = disk_format if disk_format in ("aki", "ari") else "bare"
        self.lab.cloud().image.create_image(
            id=image_id,
            name=name,
            disk_format=disk_format,
            container_format=container,
            visibility="private",
            data=_content(disk_format) if content is None else content,
            **properties,
        )
        return image_id

    def will_boot(self, name: str) -> None:
        """Remember a server that the caller is about to ask for."""
        self._remember({"server": name})

    def boot(self, name: str, host: str | None = None, image: str = "cirros", flavor: str = "m1.tiny") -> str:
        """Boot a server (on a host); returns its id."""
        self._remember({"server": name})
        return str(self.lab.boot(name, host=host, image=image, flavor=flavor).id)

    def boot_in_vain(self, name: str, image: str, flavor: str = "m1.tiny") -> str:
        """Ask for a server that no host can have; returns its id once it is in ERROR. Raises LabError when it boots."""
        self._remember({"server": name})
        return self.lab.boot_in_vain(name, image=image, flavor=flavor)

    def create_old_image(
        self, name: str, disk_format: str, taken: bytes, content: bytes, virtual_size: int | None, **properties: Any
    ) -> str:
        """An image whose content only a glance before 2025.1 took; returns its id.

        glance 33 refuses it: `taken`, of the same length, is uploaded, and then its file in the store and what glance
        remembers of it are those of `content`. virtual_size is what the older glance made of it.
        """
        if len(taken) != len(content):
            raise ValueError(f"{name}: the two contents have {len(taken)} and {len(content)} bytes")
        image_id = self.create_image(name, disk_format, taken, **properties)
        data = self.lab.layout.data
        (data / "images" / image_id).write_bytes(content)
        with contextlib.closing(sqlite3.connect(data / "glance.sqlite", timeout=60)) as connection, connection:
            connection.execute(
                "update images set checksum = ?, os_hash_value = ?, virtual_size = ? where id = ?",
                (hashlib.md5(content).hexdigest(), hashlib.sha512(content).hexdigest(), virtual_size, image_id),
            )
        return image_id

    def boot_many(self, name: str, count: int, **wishes: str) -> None:
        """Ask for so many servers at once, and wait until all are ACTIVE. Raises LabError.

        wishes: what else the request holds, such as host or availability_zone.
        """
        self._remember({"server": f"{name}-.*"})
        with self.lab.cloud() as cloud:
            wish = {
                "name": name,
                "imageRef": cloud.image.find_image("cirros", ignore_missing=False).id,
                "flavorRef": cloud.compute.find_flavor("m1.tiny", ignore_missing=False).id,
                "networks": "none",
                "min_count": count,
                **wishes,
            }
            answer = cloud.compute.post("/servers", json={"server": wish}, microversion="2.74")
            if not answer.ok:
                raise LabError(f"nova refuses {count} servers {name}: {answer.json()}")
            for server in list(cloud.compute.servers(name=f"^{name}-", all_projects=True)):
                if self.lab.wait_for_server(server.id, 300).status != "ACTIVE":
                    raise LabError(f"Server {server.name} was not built.")

    def create_flavor(self, name: str, vcpus: int = 1, disk: int = 1, **extra_specs: str) -> None:
        """Create a public flavor; a colon in the name of an extra spec is written as two underscores."""
        self._remember({"flavor": name})
        compute = self.lab.cloud().compute
        flavor = compute.create_flavor(name=name, ram=512, disk=disk, vcpus=vcpus)
        if extra_specs:
            specs = {key.replace("__", ":", 1): value for key, value in extra_specs.items()}
            compute.create_flavor_extra_specs(flavor, specs)

    def create_aggregate(self, name: str, hosts: Iterable[str] = (), **metadata: str) -> None:
        """Create a host aggregate without an availability zone."""
        self._remember({"aggregate": name})
        with self.lab.cloud() as cloud:
            aggregate = cloud.compute.create_aggregate(name=name)
            if metadata:
                cloud.compute.set_aggregate_metadata(aggregate, metadata)
            for host in hosts:
                cloud.compute.add_host_to_aggregate(aggregate, host)

    def create_service(self, name: str, kind: str, **fields: Any) -> str:
        """Create a service in keystone's catalogue, without endpoints; returns its id."""
        self._remember({"catalog_service": name})
        with self.lab.cloud() as cloud:
            return str(cloud.identity.create_service(name=name, type=kind, **fields).id)

    def set_traits(self, prefix: str, traits: dict[str, list[str]]) -> None:
        """Give computes these traits in place of those they have of the prefix: {compute: [trait]}."""
        placement = self.lab.cloud().placement
        for provider in placement.get("/resource_providers", microversion="1.18").json()["resource_providers"]:
            if provider["name"] in traits:
                path = f"/resource_providers/{provider['uuid']}/traits"
                before = placement.get(path, microversion="1.18").json()["traits"]
                self._remember({"traits_of": path, "before": before})
                kept = [trait for trait in before if not trait.startswith(prefix)]
                _put_traits(placement, path, kept + traits[provider["name"]])

    def allocate(self, consumer: str, holds: _placement.Holds, consumer_type: str | None = None) -> None:
        """Make the allocations of a consumer these."""
        self._remember({"allocations": consumer, "holds": _placement.holds(self.lab, consumer)})
        _placement.allocate(self.lab, consumer, holds, consumer_type)

    def share_disk(self, name: str, hosts: Sequence[str]) -> str:
        """Make a sharing provider of disk for some hosts; returns its id."""
        uuid_ = str(uuid.uuid4())
        self._remember({"sharing": uuid_, "hosts": list(hosts)})
        _placement.share_disk(self.lab, uuid_, name, hosts)
        return uuid_

    def undo(self) -> None:
        """Put everything back, last change first."""
        for entry in reversed(self._entries()):
            if "file" in entry:
                target = Path(entry["file"])
                if entry["content"] is None:
                    target.unlink(missing_ok=True)
                else:
                    _replace(target, base64.b64decode(entry["content"]), entry["mode"])
            elif "directory" in entry:
                if Path(entry["directory"]).is_dir():
                    Path(entry["directory"]).rmdir()
            elif "image" in entry:
                self.lab.cloud().image.delete_image(entry["image"])
            elif "flavor" in entry:
                flavor = self.lab.cloud().compute.find_flavor(entry["flavor"])
                if flavor:
                    self.lab.cloud().compute.delete_flavor(flavor)
            elif "aggregate" in entry:
                with self.lab.cloud() as cloud:
                    for aggregate in [one for one in cloud.compute.aggregates() if one.name == entry["aggregate"]]:
                        for host in aggregate.hosts or ():
                            cloud.compute.remove_host_from_aggregate(aggregate, host)
                        cloud.compute.delete_aggregate(aggregate)
            elif "catalog_service" in entry:
                for service in list(self.lab.cloud().identity.services(name=entry["catalog_service"])):
                    self.lab.cloud().identity.delete_service(service)
            elif "allocations" in entry:
                if _placement.holds(self.lab, entry["allocations"]) != entry["holds"]:
                    _placement.allocate(self.lab, entry["allocations"], entry["holds"])
            elif "sharing" in entry:
                _placement.unshare_disk(self.lab, entry["sharing"], entry["hosts"])
            elif "traits_of" in entry:
                _put_traits(self.lab.cloud().placement, entry["traits_of"], entry["before"])
            elif "server" in entry:
                for server in self.lab.cloud().compute.servers(name=f"^{entry['server']}$", all_projects=True):
                    self.lab.delete_server(server.id)
        self.record.unlink(missing_ok=True)

    def _entries(self) -> list[dict[str, Any]]:
        return json.loads(self.record.read_text()) if self.record.exists() else []

    def _remember(self, entry: dict[str, Any]) -> None:
        self.record.parent.mkdir(exist_ok=True, mode=0o700)
        _replace(self.record, json.dumps([*self._entries(), entry]).encode(), 0o600)


def _put_traits(placement: Any, path: str, traits: list[str]) -> None:
    """Set the traits of a provider. nova's resource tracker keeps what it did not put there itself, and writes nothing
    while what it knows of has not changed (nova 34, scheduler/client/report.py, update_from_provider_tree)."""
    generation = placement.get(path, microversion="1.18").json()["resource_provider_generation"]
    body = {"resource_provider_generation": generation, "traits": traits}
    placement.put(path, json=body, microversion="1.18").raise_for_status()


def _replace(path: Path, content: bytes, mode: int) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".stackmend-")
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        file.write(content)
    os.replace(draft, path)


def _content(disk_format: str) -> bytes:
    """What glance accepts as an image of that format."""
    if disk_format == "iso":
        return (bytes(0x8000) + b"\x01CD001\x01").ljust(1 << 16, b"\0")
    return b"stackmend".ljust(1 << 16, b"\0")
