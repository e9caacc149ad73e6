# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read every image that glance shows: all visibilities, the hidden ones too."""

from __future__ import annotations

from typing import Any

from .._session import Cloud

# What glance itself says of an image; every other key of the API's answer is a property (glance 33, schemas of images).
OWN = frozenset(
    [
        "checksum",
        "container_format",
        "created_at",
        "direct_url",
        "disk_format",
        "file",
        "id",
        "locations",
        "min_disk",
        "min_ram",
        "name",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "owner",
        "protected",
        "schema",
        "self",
        "size",
        "status",
        "stores",
        "tags",
        "updated_at",
        "virtual_size",
        "visibility",
    ]
)


def read(cloud: Cloud) -> dict[str, Any]:
    """{"project": id of the credentials' project, "images": [...], "gaps": [...]}.

    An image is {id, name, owner, visibility, status, disk_format, container_format, protected, hidden, created (RFC 3339),
    size, virtual_size (bytes; 0 where glance does not know), min_disk (GiB), min_ram (MiB), properties: {name: value}}.
    """
    images = {}
    # One request a thousand images; "all" adds the community images that a plain list leaves out.
    for hidden in ("false", "true"):
        params = {"limit": 1000, "visibility": "all", "os_hidden": hidden}
        for image in cloud.pages("image", "/images", "images", params=params):
            images[image["id"]] = _image(image)
    gaps = []
    if not cloud.is_admin:
        gaps.append(
            {
                "reason": f"the credentials of cloud {cloud.name} have no admin role: images of other projects that are "
                "private were not seen"
            }
        )
    found = list(images.values())
    return {"project": cloud.project_id, "images": found, "gaps": gaps, "objects": {"image": len(found)}}


def _image(image: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": image["id"],
        "name": image.get("name") or "",
        "owner": image.get("owner") or "",
        "visibility": image.get("visibility", ""),
        "status": image.get("status", ""),
        "disk_format": image.get("disk_format") or "",
        "container_format": image.get("container_format") or "",
        "protected": bool(image.get("protected")),
        "hidden": bool(image.get("os_hidden")),
        "created": image.get("created_at") or "",
        "size": image.get("size") or 0,
        "virtual_size": image.get("virtual_size") or 0,
        "min_disk": image.get("min_disk") or 0,
        "min_ram": image.get("min_ram") or 0,
        "properties": {name: value for name, value in image.items() if name not in OWN},
    }
