# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the beginning of the content of images: of those whose metadata cannot be right, or of all."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from .._model import Unavailable
from .._session import Cloud
from . import _image_formats

Image = Mapping[str, Any]

# Formats whose content can be told; a kernel or a Docker layer is anything, a packed container is not looked into.
_FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx", "iso")
_PACKED_FORMATS = _FORMATS[1:-1]
_ENDINGS = re.compile(r"\.(iso|qcow2|vmdk|vdi|vhdx?|raw|gz|xz|zip|bz2|zst)$", re.IGNORECASE)
# nova's own words about an image it does not take: ImageUnacceptable, "fmt=qcow2 backed by: ...", and the log's.
_UNACCEPTABLE = re.compile(
    r"image (\S{36}) (?:is unacceptable|expected to be \S+ but detected as)|fmt=\S+ (?:backed by|由)", re.IGNORECASE
)
MOST_SUSPECTS = 50
SECONDS = 600.0
AT_ONCE = 8


def read(cloud: Cloud, mode: str, images: Iterable[Image], servers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """{"images": {id: {"format", "formats", "refers", "packing", "why"}}, "gaps": [...], "objects": {...}}.

    mode: "suspects", "all" or "none". format, formats, refers and packing are as `_image_formats` tells them; why says
    what made this image a suspect ("" when all are read). What could not be read, or not in time, is a gap.
    """
    readable = {image["id"]: image for image in images if _is_readable(image)}
    if mode == "suspects":
        why = suspects(readable.values(), servers)
    else:
        why = dict.fromkeys(readable if mode == "all" else (), "")
    gaps: list[dict[str, Any]] = []
    wanted = sorted(why) if mode == "all" else sorted(why)[:MOST_SUSPECTS]
    if len(wanted) < len(why):
        reason = (
            f"{len(why)} images have metadata that does not go together, and the content of {MOST_SUSPECTS} was read"
        )
        gaps.append({"reason": f"{reason}: set stackmend_image_content to all for the others"})
    deadline = time.monotonic() + SECONDS
    found: dict[str, Any] = {}

    def head_of(image_id: str) -> tuple[str, bytes | str]:
        return image_id, _head(cloud, image_id, deadline)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for image_id, head in pool.map(head_of, wanted):
            if isinstance(head, bytes):
                content = _image_formats.identify(head)
                found[image_id] = {
                    "format": content.format,
                    "formats": list(content.formats),
                    "refers": content.refers,
                    "packing": _image_formats.packing(head),
                    "why": why[image_id],
                }
            elif head:
                target = {"type": "image", "id": image_id, "name": readable[image_id]["name"]}
                gaps.append({"reason": head, "target": target})
    return {"images": found, "gaps": gaps, "objects": {"image content": len(found)}}


def suspects(images: Iterable[Image], servers: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """{image id: what in its metadata, or in the fault of a server, does not go with its format}."""
    images = list(images)
    blamed = {}
    for server in servers:
        match = _UNACCEPTABLE.search(server["fault"])
        if match:
            blamed[match[1] or server["image"]] = f"server {server['id']} failed: {match[0]}"
    # A glance that computes the virtual size of a format (from Wallaby on) leaves it out where the content is another.
    computed: dict[str, str] = {}
    for image in images:
        form, created = image["disk_format"], image["created"]
        if image["virtual_size"] and created < computed.get(form, "9"):
            computed[form] = created
    found = {}
    for image in images:
        reason = blamed.get(image["id"]) or _oddity(image, computed)
        if reason:
            found[image["id"]] = reason
    return found


def _oddity(image: Image, computed: Mapping[str, str]) -> str:
    form, size, virtual = image["disk_format"], image["size"], image["virtual_size"]
    named = {name: value for name, value in image["properties"].items() if name.startswith("os_")}
    for where, text in {"name": image["name"], **named}.items():
        ending = _ENDINGS.search(str(text))
        if ending and ending[1].lower() != form:
            return f"its {where} ends in {ending[0]}"
    if form in _PACKED_FORMATS:
        if virtual and virtual == size:
            return f"its virtual size is that of the file, which no {form} has"
        if not virtual and image["created"] > computed.get(form, "9"):
            return f"glance could not compute its virtual size, and could that of an earlier {form}"
    if form == "raw" and size % 512:
        return "its size is no multiple of 512, as that of a disk is"
    if form == "iso" and size % 2048:
        return "its size is no multiple of 2048, as that of a disc is"
    return ""


def _is_readable(image: Image) -> bool:
    return (
        image["status"] == "active"
        and not image["hidden"]
        and image["container_format"] == "bare"
        and image["disk_format"] in _FORMATS
        and bool(image["size"])
    )


def _head(cloud: Cloud, image_id: str, deadline: float) -> bytes | str:
    """The beginning of a content; as text why it could not be read, "" for an image that is gone meanwhile."""
    if time.monotonic() > deadline:
        return f"its content was not read: the time for that, {SECONDS:.0f} s, was over. Narrow stackmend_image_content"
    try:
        head = _fetch(cloud, image_id, _image_formats.HEAD)
        if head is not None and _image_formats.needed(head) > len(head) == _image_formats.HEAD:
            head = _fetch(cloud, image_id, _image_formats.needed(head))
    except Unavailable as reason:
        return f"its content could not be read: {reason}"
    return "" if head is None else head


def _fetch(cloud: Cloud, image_id: str, length: int) -> Optional[bytes]:
    """The first bytes: by Range, and cut off by us where glance or what stands before it sends everything."""
    path = f"/images/{image_id}/file"
    response = cloud.request("GET", "image", path, headers={"Range": f"bytes=0-{length - 1}"}, stream=True)
    try:
        if response.status_code in (404, 410):
            return None
        if response.status_code in (204, 416):
            return b""
        if not response.ok:
            raise Unavailable(f"glance of cloud {cloud.name} answered GET {path} with {response.status_code}")
        data = b""
        for chunk in response.iter_content(length):
            data += chunk
            if len(data) >= length:
                break
        return data[:length]
    except OSError as error:  # requests' exceptions are of that kind
        raise Unavailable(f"the content was cut off ({type(error).__name__})") from error
    finally:
        response.close()
