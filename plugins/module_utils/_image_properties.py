# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change properties of images, and nothing else of them; and undo it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ._model import ChangeFailed
from ._session import Cloud

_PATCH = "application/openstack-images-v2.1-json-patch"


# Strings, or what else glance has of an image (visibility, os_hidden); None removes.
Properties = Mapping[str, Any]


def group(wishes: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """{image id: {property: wish}}. Raises ChangeFailed when two wishes for one property contradict each other."""
    images: dict[str, dict[str, Mapping[str, Any]]] = {}
    for wish in wishes:
        properties = images.setdefault(wish["id"], {})
        other = properties.setdefault(wish["property"], wish)
        if other["value"] != wish["value"]:
            raise ChangeFailed(
                f"image {wish['id']}: {wish['property']} is wanted as {other['value']!r} and as {wish['value']!r}; "
                "nothing was changed"
            )
    return images


def read(cloud: Cloud, image: str) -> Optional[dict[str, Any]]:
    """The image as glance has it now, None when there is none."""
    return cloud.find("image", f"/images/{image}")


def members(cloud: Cloud, image: str) -> list[str]:
    """The projects that an image is shared with and that did not decline."""
    document = cloud.get("image", f"/images/{image}/members")
    return [member["member_id"] for member in document["members"] if member["status"] != "rejected"]


def patch(cloud: Cloud, image: str, now: Mapping[str, Any], wanted: Properties) -> None:
    """Set (or with None remove) properties in one request.

    glance's PATCH has no "test" operation (glance 33, api/v2/images.py: add, remove, replace), so "replace" and
    "remove", which fail where the property is not there, are all the guard it offers; the caller has just read `now`.
    Raises ChangeFailed.
    """
    operations = []
    for name, value in sorted(wanted.items()):
        path = "/" + name.replace("~", "~0").replace("/", "~1")
        if value is None:
            operations.append({"op": "remove", "path": path})
        else:
            operations.append({"op": "replace" if name in now else "add", "path": path, "value": value})
    failure = (
        f"image {image} ({now.get('name')}) could not be changed (where that is a 403, a property protection rule of "
        "glance, or another project's ownership, forbids it to these credentials)"
    )
    cloud.change("PATCH", "image", f"/images/{image}", failure, json=operations, headers={"Content-Type": _PATCH})


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one journal entry of kind image_properties: {"id", "before": {property: value or None}, "after": {...}}."""
    now = read(cloud, entry["id"])
    if now is None:
        return "conflict", f"image {entry['id']} is gone"
    before, after = entry["before"], entry["after"]
    wanted = {name: value for name, value in before.items() if now.get(name) != value}
    if not wanted:
        return "unchanged", ""
    changed_since = sorted(name for name in wanted if now.get(name) != after[name])
    if changed_since:
        return (
            "conflict",
            f"{', '.join(changed_since)} of image {entry['id']} was changed after the run and was left alone",
        )
    if not check_mode:
        patch(cloud, entry["id"], now, wanted)
    return ("would_restore" if check_mode else "restored"), ""
