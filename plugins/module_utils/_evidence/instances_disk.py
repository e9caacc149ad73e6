# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how full the file system of nova's instances is, and which of nova's own files on it nobody needs any more.

Candidates are named only where nothing can rest on them: no open file descriptor on this host, a day old, and not on a
file system that other computes use too. A base image is one only if every disk of the host could be read and none,
running or shut off, has it as its backing file. Directories of instances are never candidates: which of them has no
server is for the APIs of all cells to say, and those of shelved, resized and evacuated servers look left over.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._model import Unavailable
from .._numbers import whole
from . import _oslo_files, compute, oslo_config, services
from ._tree import Tree

# nova's own age for what it cleans up ([image_cache] remove_unused_original_minimum_age_seconds).
AGE_SECONDS = 86400
# nova/virt/images.py, fetch_to_raw: a download is <base>.part, its conversion <base>.converted.
_TEMPORARY = re.compile(r"\.(part|converted)$")
_BASE = re.compile(r"^[0-9a-f]{40}(_[0-9]+)?$")
_VOLUMES = "/var/lib/docker/volumes/nova_compute/_data", "/var/lib/containers/storage/volumes/nova_compute/_data"
LIMIT = 1000


def read(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """The file system that carries the instances; None for a host that is no compute with libvirt.

    options: as for `compute`, and instances_path, where it is on this host when that cannot be told from nova.conf.
    Returns {"host": nova's name of the host, "path", "mount", "kind", "shared", "read_only", "bytes", "inodes": {"size",
    "free"} or None for a directory that stands for a host or a file system that does not count them, "reserved",
    "largest": bytes, "cache": path, "stale", "unused": [{"path", "bytes", "modified"}], "unsure": why no base image is judged
    or ""}. free is what nova's user may use, without the blocks reserved for root. bytes of a file: what it takes up.
    """
    known = compute.read(tree, options)
    if known is None or not (known["driver"] or "libvirt").startswith("libvirt"):
        return None
    places = _places(tree, options)
    path = places["path"]
    here = path
    while not tree.exists(here) and here != "/":
        here = os.path.dirname(here)
    kind = compute.filesystem(tree, here)
    result: dict[str, Any] = {
        "host": known["host"],
        **places,
        "kind": kind,
        "shared": bool(compute.SHARED.match(kind)),
        "mount": "",
        "read_only": False,
        "bytes": None,
        "inodes": None,
        "largest": 0,
        "stale": [],
        "unused": [],
        "unsure": "",
    }
    if not tree.is_live:
        return result
    try:
        space = os.statvfs(here)
    except OSError as error:
        raise Unavailable(f"how full {here} is could not be read: {error.strerror}") from error
    result["mount"] = _mount(here)
    result["read_only"] = bool(space.f_flag & os.ST_RDONLY)
    result["bytes"] = {"size": space.f_blocks * space.f_frsize, "free": space.f_bavail * space.f_frsize}
    if space.f_files:
        result["inodes"] = {"size": space.f_files, "free": space.f_favail}
    result["largest"] = max(
        (entry.stat().st_size for entry in _files(places["cache"]) if _BASE.match(entry.name)), default=0
    )
    if not result["shared"]:
        found = candidates(path, places["cache"])
        result.update(found)
    return result


def _places(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """Where nova keeps its instances and image cache, and how much it leaves free: nova.conf with oslo.config's rules."""
    nova = next(service for service in services.find(tree, options) if service.name == "nova")
    view = next((view for view in nova.views if "nova-compute" in view.programs), nova.views[0])
    config = _oslo_files.Effective([(path, oslo_config.read_file(tree, path)) for path in view.files], view.environment)
    state = config.text("DEFAULT", "state_path") or "/var/lib/nova"
    path = config.text("DEFAULT", "instances_path") or "$state_path/instances"
    path = os.path.normpath(path.replace("${state_path}", state).replace("$state_path", state))
    contained = any(program.container and program.name.endswith("compute") for program in services.installed(tree))
    volume = next((volume for volume in _VOLUMES if tree.exists(volume)), None)
    if contained and volume and path.startswith("/var/lib/nova/"):
        path = volume + path[len("/var/lib/nova") :]
    path = str(options.get("instances_path") or path)
    # [DEFAULT] until Ussuri (nova/conf/imagecache.py)
    name = (
        config.text("image_cache", "subdirectory_name")
        or config.text("DEFAULT", "image_cache_subdirectory_name")
        or "_base"
    )
    reserved = config.text("DEFAULT", "reserved_host_disk_mb") or "0"
    return {
        "path": path,
        "cache": os.path.join(path, name),
        "reserved": (whole(reserved) or 0) << 20,
    }


def candidates(path: str, cache: str) -> dict[str, Any]:
    """{"stale", "unused", "unsure"} of a local file system, as `read` gives them."""
    now = time.time()
    old = [entry for entry in _files(cache) if now - entry.stat().st_mtime > AGE_SECONDS]
    temporary = [entry for entry in old if _TEMPORARY.search(entry.name)]
    bases = [entry for entry in old if _BASE.match(entry.name)]
    opened = open_files() if temporary or bases else set()
    used: set[str] = set()
    unsure = ""
    if bases:
        try:
            used = backing_files(path)
        except Unavailable as error:
            unsure, bases = str(error), []
    return {
        "stale": [_described(entry) for entry in temporary if _identity(entry) not in opened][:LIMIT],
        "unused": [
            _described(entry)
            for entry in bases
            if _identity(entry) not in opened and os.path.realpath(entry.path) not in used
        ][:LIMIT],
        "unsure": unsure,
    }


def backing_files(path: str) -> set[str]:
    """The real paths of all files that a disk below `path` rests on, whether its server runs or not.

    Raises Unavailable when one disk cannot be read: then nothing can be said of any base image.
    """
    found = set()
    for here, _directories, names in os.walk(path, onerror=_cannot_list):
        for name in names:
            disk = os.path.join(here, name)
            backing = backing_file(disk)
            if backing:
                found.add(os.path.realpath(os.path.join(here, backing)))
    return found


def backing_file(disk: str) -> str:
    """The backing file in the header of a qcow2 disk (QEMU, docs/interop/qcow2.txt), "" where there is none."""
    try:
        # O_NONBLOCK: a fifo, such as a serial console's, must not hang.
        with open(disk, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return ""
            head = file.read(20)
            if head[:4] != b"QFI\xfb" or len(head) < 20:
                return ""
            _version, offset, length = struct.unpack(">IQI", head[4:])
            # A raw disk holds what its server wrote, such as an offset that leads nowhere.
            if not 0 < offset < status.st_size:
                return ""
            file.seek(offset)
            name = file.read(min(length, 1023)).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Unavailable(
            f"{disk} cannot be read ({error.strerror}), so it is not known which base images are in use"
        ) from error
    if "\0" in name:
        return ""
    if name.startswith("json:"):
        raise Unavailable(
            f"{disk} names its backing file in a way that is not understood, so base images are not judged"
        )
    return name[5:] if name.startswith("file:") else name


def open_files() -> set[tuple[int, int]]:
    """(device, inode) of every file that a process of this host, in a container or not, has open."""
    found = set()
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            with os.scandir(f"/proc/{pid}/fd") as descriptors:
                for descriptor in descriptors:
                    try:
                        status = os.stat(descriptor.path)
                    except OSError:
                        continue
                    if stat.S_ISREG(status.st_mode):
                        found.add((status.st_dev, status.st_ino))
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError as error:
            raise Unavailable("which files are open can only be seen by root: use become") from error
    return found


def _cannot_list(error: OSError) -> None:
    raise Unavailable(
        f"{error.filename} cannot be listed ({error.strerror}), so it is not known which base images are in use"
    )


def _files(directory: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from sorted((e for e in entries if e.is_file(follow_symlinks=False)), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unavailable(f"{directory} cannot be listed: {error.strerror}") from error


def _identity(entry: os.DirEntry[str]) -> tuple[int, int]:
    status = os.stat(entry.path, follow_symlinks=False)  # DirEntry's own has no device on every system
    return status.st_dev, status.st_ino


def _described(entry: os.DirEntry[str]) -> dict[str, Any]:
    status = entry.stat()
    return {"path": entry.path, "bytes": status.st_blocks * 512, "modified": int(status.st_mtime)}


def _mount(path: str) -> str:
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path
