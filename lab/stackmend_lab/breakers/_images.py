# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the breakers of images have in common: asking nova about an image, and images that only look alike."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

from ..lab import Lab, LabError
from ._changes import Changes

HEALTHY = {"os_type": "linux", "hw_qemu_guest_agent": "yes"}


def ask_nova(lab: Lab, name: str, vcpus: int = 1, **extra_specs: str) -> dict[str, Any] | None:
    """What nova's libvirt driver makes of an image (programs/ask_nova_about_image.py); None where there is none."""
    image = lab.cloud().image.find_image(name)
    if image is None:
        return None
    done = lab.ask_nova(
        "ask_nova_about_image.py",
        lab.nova_conf,
        lab.layout.url("glance"),
        image.id,
        str(vcpus),
        json.dumps(extra_specs),
    )
    if done.returncode:
        raise LabError(f"nova could not be asked about image {name}:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def image(fault: str, name: str, disk_format: str = "raw", **properties: str) -> Callable[[Lab], None]:
    """A near miss: an image with these properties beside the healthy ones."""

    def make(lab: Lab) -> None:
        Changes(lab, fault).create_image(name, disk_format, **{**HEALTHY, **properties})

    return make


def refusal(lab: Lab, name: str) -> str | None:
    """What nova's inspection says of the first image that it does not take, of those with this name that users see."""
    for found in lab.cloud().image.images(name=name):
        done = lab.ask_nova("ask_nova_to_inspect_image.py", lab.nova_conf, lab.layout.url("glance"), found.id)
        if done.returncode:
            raise LabError(f"nova could not inspect image {name}:\n{done.stderr[-2000:]}")
        if done.stdout.strip():
            return str(done.stdout.strip().splitlines()[-1])
    return None


def remove(lab: Lab, name: str) -> None:
    """Delete the images of this name that a remedy left, hidden ones too."""
    service = lab.cloud().image
    for hidden in (False, True):
        for found in service.images(name=name, is_hidden=hidden):
            service.delete_image(found.id)


def iso(partitioned: bool = False) -> bytes:
    """A disc; partitioned, it also boots as a disk."""
    disc = bytearray(64 << 10)
    disc[32768:32775] = b"\x01CD001\x01"
    if partitioned:
        disc[446:512] = _partition() + bytes(48) + b"\x55\xaa"
    return bytes(disc)


def disk() -> bytes:
    """A partitioned disk."""
    return bytes(446) + _partition() + bytes(48) + b"\x55\xaa" + bytes((64 << 10) - 512)


def _partition() -> bytes:
    return struct.pack("<BBBBBBBBII", 0x80, 0, 2, 0, 0x83, 0, 0, 0, 1, 127)


def qcow2(backing: str = "") -> bytes:
    """An empty qcow2 (version 3) of 1 GiB: header, refcount table and block, L1 table, in clusters of 64 KiB."""
    cluster, size, name = 1 << 16, 1 << 30, backing.encode()
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 112 if name else 0, len(name), 16, size)
    head += struct.pack(">IIQQIIQ", 0, size // (cluster * cluster // 8), 3 * cluster, cluster, 1, 0, 0)
    head += struct.pack(">QQQII", 0, 0, 0, 4, 104) + bytes(8) + name
    parts = (head, struct.pack(">Q", 2 * cluster), struct.pack(">4H", 1, 1, 1, 1), b"")
    return b"".join(part.ljust(cluster, b"\0") for part in parts)
