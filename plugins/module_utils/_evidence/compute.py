# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how nova-compute is set up here: under which name nova knows it, and what its servers get by default."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import Any, Optional

from .._model import Unavailable
from . import _oslo_files, oslo_config, services
from ._tree import Tree


def read(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """{"host", "driver", "address", "architecture", "machine_types", "images_type", "storage"}; None for no compute.

    machine_types: {architecture: type}. storage: where servers' disks are: "shared", "local", or "" where it cannot be told.

    host is `[DEFAULT] host` or the host's name, address the one that other computes use for cold migration, driver
    `[DEFAULT] compute_driver`. A host is a compute when its group says so (options["compute_groups"]) or when its
    nova-compute is running or enabled.
    """
    config = configuration(tree, options)
    if config is None:
        return None
    architecture = "" if not tree.is_live else os.uname().machine
    address = config.text("libvirt", "migration_inbound_addr", "$my_ip")
    if address == "$my_ip":
        address = config.text("DEFAULT", "my_ip")
    return {
        "host": config.text("DEFAULT", "host") or _hostname(tree),
        "driver": config.text("DEFAULT", "compute_driver"),
        "address": address,
        "architecture": architecture,
        "machine_types": _machine_types(config.text("libvirt", "hw_machine_type")),
        "images_type": config.text("libvirt", "images_type", "default"),
        "storage": _storage(tree, config),
    }


def configuration(tree: Tree, options: Mapping[str, Any]) -> Optional[_oslo_files.Effective]:
    """What nova-compute makes of its files and environment; None for no compute."""
    nova = next((service for service in services.find(tree, options) if service.name == "nova"), None)
    if nova is None:
        return None
    view = next((view for view in nova.views if "nova-compute" in view.programs), None)
    if view is None:
        if not set(options.get("groups") or ()) & set(options.get("compute_groups") or ()):
            return None
        view = nova.views[0]
    return _oslo_files.Effective([(path, oslo_config.read_file(tree, path)) for path in view.files], view.environment)


# File systems that several hosts mount at once (nova's own check is whether the server's directory is there).
SHARED = re.compile(r"^(?:nfs4?|ceph|fuse\.(?:ceph|gluster\S*)|glusterfs|gpfs|lustre|ocfs2|gfs2|cifs|beegfs)$")


def _storage(tree: Tree, config: _oslo_files.Effective) -> str:
    if config.text("libvirt", "images_type", "default") == "rbd":
        return "shared"
    state = config.text("DEFAULT", "state_path") or "/var/lib/nova"
    path = config.text("DEFAULT", "instances_path") or "$state_path/instances"
    kind = filesystem(tree, path.replace("$state_path", state).replace("${state_path}", state))
    return "" if not kind else "shared" if SHARED.match(kind) else "local"


def filesystem(tree: Tree, path: str) -> str:
    """The type of the file system that a path is on: from the kernel's table, or from fstab for a directory."""
    for table in ("/proc/self/mounts", "/proc/mounts") if tree.is_live else ("/proc/mounts", "/etc/fstab"):
        try:
            mounts = mount_points(tree.read_text(table))
        except (OSError, Unavailable):
            continue
        over = [(point, kind) for point, kind in mounts if path == point or path.startswith(point.rstrip("/") + "/")]
        if over:
            # Of those on one point, as autofs and what it mounted, the last is on top.
            return max(reversed(over), key=lambda mount: len(mount[0]))[1]
    return ""


def mount_points(text: str) -> list[tuple[str, str]]:
    """(mount point, type of the file system) of each line of a table as fstab(5) describes it, in its order."""
    mounts = []
    for line in text.split("\n"):
        fields = re.split(r"[ \t]+", line.strip(" \t\r"))
        if len(fields) >= 3 and not fields[0].startswith("#"):
            # Blanks, line ends and backslashes stand there as \040, \011, \012 and \134.
            point = re.sub(r"\\([01][0-7]{2})", lambda escape: chr(int(escape[1], 8)), fields[1])
            mounts.append((point, fields[2]))
    return mounts


def _machine_types(value: str) -> dict[str, str]:
    """`[libvirt] hw_machine_type`: "x86_64=q35,aarch64=virt" (nova.virt.libvirt.utils.get_default_machine_type)."""
    pairs = (part.strip().partition("=") for part in value.split(","))
    return {architecture: machine for architecture, equals, machine in pairs if equals and machine}


def _hostname(tree: Tree) -> str:
    if tree.is_live:
        return socket.gethostname()
    try:
        return tree.read_text("/etc/hostname").strip()
    except FileNotFoundError:
        return ""
