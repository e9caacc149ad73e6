# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What faults of images have in common: whose an image is, and the wish that mends one of its properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from .._model import Remedy, Risk, Target

Image = Mapping[str, Any]

# nova.objects.fields.FlexibleBoolean reads a property through oslo_utils.strutils.bool_from_string.
TRUE = ("1", "t", "true", "on", "y", "yes")
FALSE = ("0", "f", "false", "off", "n", "no")
_OTHER_HYPERVISORS = re.compile(r"vmware|hyperv|xen|lxc|lxd|ironic|baremetal|zvm|uml|docker|vz|phyp", re.IGNORECASE)


def target(image: Image) -> Target:
    return Target("image", image["id"], image["name"])


def is_windows(image: Image) -> bool:
    properties = image["properties"]
    return "windows" in (
        str(properties.get("os_type", "")).lower(),
        str(properties.get("os_distro", "")).lower(),
    ) or str(properties.get("os_distro", "")).lower().startswith("win")


def of_other_hypervisor(image: Image) -> bool:
    """Whether an image says that it is for another hypervisor than QEMU."""
    properties = image["properties"]
    return bool(
        _OTHER_HYPERVISORS.search(str(properties.get("img_hv_type") or properties.get("hypervisor_type") or ""))
    )


def architecture(image: Image) -> str:
    """The architecture that an image names, as nova spells it; empty where it names none."""
    return canonical(image["properties"].get("hw_architecture") or image["properties"].get("architecture") or "")


def canonical(name: Any) -> str:
    """nova.objects.fields.Architecture.canonicalize, for the names that matter here."""
    lowered = str(name).lower()
    return {"amd64": "x86_64", "i386": "i686", "i486": "i686", "i586": "i686", "arm64": "aarch64"}.get(lowered, lowered)


def not_ours(image: Image, project: str) -> str:
    """Why somebody else has a say in this image; empty for an image of the credentials' own project.

    "shared" is glance's default and says nothing by itself; whether it has members is seen before it is changed.
    """
    if image["owner"] != project:
        return "it belongs to another project"
    if image["visibility"] == "community":
        return "it is a community image, which other projects may rely on"
    return ""


def hiding(image: Image, subject: str) -> dict[str, Any]:
    """The wish that takes an image out of the users' lists, provided that it still is what was seen."""
    return {
        "id": image["id"],
        "expect": image["disk_format"],
        "subject": f"{image['id']} {subject}",
    }


def remedy(image: Image, changes: Mapping[str, Optional[str]], subject: str, risk: str = Risk.SAFE) -> Remedy:
    """Set properties of an image (or remove them: None), provided that they still are as they were seen."""
    wishes = [
        {
            "id": image["id"],
            "property": name,
            "value": value,
            "expect": image["properties"].get(name),
            "guarded": True,
            "unshared": image["visibility"] == "shared",
            "subject": f"{image['id']} {subject}",
        }
        for name, value in changes.items()
    ]
    return Remedy("image_properties", risk, {"image_properties_wishes": wishes})
