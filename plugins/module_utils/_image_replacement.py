# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a new image of an image's content under another format, verify it, and hide the old one; and undo it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Optional

from . import _image_properties as images
from ._evidence.images import OWN
from ._model import ChangeFailed, Unavailable
from ._session import Cloud

_BLOCK = 1 << 20
# What the new image takes over as it is; the rest is computed by glance, or follows once the content is verified.
_KEPT = ("name", "container_format", "min_disk", "min_ram", "owner", "tags")
_RESERVED = "os_glance_"


class _Content:
    """The content of an image as a file of known length, hashed while it passes; never held as a whole."""

    def __init__(self, response: Any, length: int, algorithm: str) -> None:
        self._response = response
        self._length = length
        self._hash = hashlib.new(algorithm)
        self.seen = 0

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = _BLOCK) -> bytes:
        block: bytes = self._response.raw.read(size if size and size > 0 else _BLOCK)
        self._hash.update(block)
        self.seen += len(block)
        return block

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def replace(cloud: Cloud, old: Mapping[str, Any], new_id: str, disk_format: str) -> list[str]:
    """Make the new image, active and with the old one's members and visibility; returns the members that must accept anew.

    old: the image as glance has it now. The content passes through here, block by block. Raises ChangeFailed, and then
    leaves no new image behind.
    """
    body = {name: old[name] for name in _KEPT if old.get(name) is not None}
    body.update({name: value for name, value in old.items() if name not in OWN and not name.startswith(_RESERVED)})
    body.update({"id": new_id, "disk_format": disk_format, "visibility": "private"})
    cloud.change("POST", "image", "/images", f"no image could be made in place of {old['id']}", json=body)
    try:
        _copy(cloud, old, new_id)
        waiting = _share(cloud, old, new_id) if old["visibility"] == "shared" else []
        now = images.read(cloud, new_id) or {}
        last = {"visibility": old["visibility"], "protected": old.get("protected", False)}
        # "shared" and "private" differ only in that the first may have members
        images.patch(cloud, new_id, now, {name: value for name, value in last.items() if now.get(name) != value})
    except (ChangeFailed, Unavailable):
        _delete(cloud, new_id)
        raise
    return waiting


def _copy(cloud: Cloud, old: Mapping[str, Any], new_id: str) -> None:
    algorithm = old.get("os_hash_algo") or "sha512"
    source = cloud.request("GET", "image", f"/images/{old['id']}/file", stream=True)
    try:
        if not source.ok:
            raise ChangeFailed(
                f"the content of image {old['id']} could not be read: glance answered {source.status_code}"
            )
        content = _Content(source, old["size"], algorithm)
        headers = {"Content-Type": "application/octet-stream"}
        cloud.change(
            "PUT",
            "image",
            f"/images/{new_id}/file",
            f"glance did not take the content of image {old['id']} under the new format",
            data=content,
            headers=headers,
        )
    finally:
        source.close()
    new = images.read(cloud, new_id) or {}
    same_hash = new.get("os_hash_value") == content.digest if new.get("os_hash_algo") == algorithm else True
    if (
        new.get("status") != "active"
        or not new.get("size") == content.seen == old["size"]
        or not same_hash
        or old.get("os_hash_value", content.digest) != content.digest
        or (old.get("checksum") and new.get("checksum") != old["checksum"])
    ):
        raise ChangeFailed(f"the copy of image {old['id']} is not what the image is; it was removed again")


def _share(cloud: Cloud, old: Mapping[str, Any], new_id: str) -> list[str]:
    """Share the new image with the same projects; those for whom it could not be accepted are returned."""
    now = images.read(cloud, new_id) or {}
    images.patch(cloud, new_id, now, {"visibility": "shared"})
    waiting = []
    for member in cloud.get("image", f"/images/{old['id']}/members")["members"]:
        project, status = member["member_id"], member["status"]
        cloud.change(
            "POST", "image", f"/images/{new_id}/members", f"{new_id} could not be shared", json={"member": project}
        )
        if status != "pending":
            path = f"/images/{new_id}/members/{project}"
            try:
                cloud.change(
                    "PUT", "image", path, f"project {project} must accept image {new_id}", json={"status": status}
                )
            except (ChangeFailed, Unavailable):
                waiting.append(project)  # only the project itself may, unless glance's policy says otherwise
    return waiting


def hide(cloud: Cloud, now: Mapping[str, Any], hidden: bool) -> None:
    """Take an image out of the users' lists, or put it back. Raises ChangeFailed."""
    images.patch(cloud, now["id"], now, {"os_hidden": hidden})


def _delete(cloud: Cloud, image: str) -> None:
    now = images.read(cloud, image)
    if now is None:
        return
    if now.get("protected"):
        images.patch(cloud, image, now, {"protected": False})
    cloud.change("DELETE", "image", f"/images/{image}", f"image {image} could not be deleted")


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one journal entry of kind image_replacement: {"id", "new": id or None}: show the old image, delete the new one."""
    old = images.read(cloud, entry["id"])
    if old is None:
        return "conflict", f"image {entry['id']} is gone, so {entry['new'] or 'nothing'} was left in its place"
    new: Optional[dict[str, Any]] = images.read(cloud, entry["new"]) if entry["new"] else None
    if not old.get("os_hidden") and new is None:
        return "unchanged", ""
    if not check_mode:
        if old.get("os_hidden"):
            hide(cloud, old, False)
        if new is not None:
            _delete(cloud, new["id"])
    return ("would_restore" if check_mode else "restored"), ""
