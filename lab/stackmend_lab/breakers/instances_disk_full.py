# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fill the file system of a compute's instances, with a base image on it that no disk rests on any more."""

from __future__ import annotations

from ..hosts import Hosts
from ._breaker import Breaker

HOST = "compute1"
PATH = "/var/lib/nova/instances"
OTHER = "/srv/lab"
USED, UNUSED = "a" * 40, "b" * 40
# The disk of a server that is shut off: a qcow2 header that names its backing file is all that shows that it needs it.
_DISK = """
import os, struct, sys
disk, backing = sys.argv[1:]
name = os.fsencode(backing)
head = struct.pack(">4sIQIIQ", b"QFI\\xfb", 3, 104, len(name), 16, 1 << 30).ljust(104, b"\\0") + name
with open(disk, "wb") as file:
    file.write(head)
"""


def break_(hosts: Hosts) -> None:
    """Of four GiB less than two are left, and more would be without an image that nobody uses."""
    fill(hosts, server="1750M")


def fill(hosts: Hosts, server: str) -> None:
    """A file system of 4 GiB with a server of this size and two base images, of which the server needs the smaller."""
    hosts.mount_disk(HOST, PATH, 4096)
    hosts.must(HOST, ["chown", "nova:nova", PATH])
    folder = f"{PATH}/7d1f1c1e-90c8-4b3d-9c84-0d5a5c3f4d10"
    make = (
        f"mkdir -p {PATH}/_base {folder}; fallocate -l 100M {PATH}/_base/{USED}; yes | head -c 300M >{PATH}/_base/{UNUSED};"
        f" fallocate -l {server} {folder}/disk.eph0; touch -d '3 days ago' {PATH}/_base/*"
    )
    hosts.must(HOST, ["sh", "-ec", make], user="nova")
    hosts.must(HOST, ["python3", "-c", _DISK, f"{folder}/disk", f"{PATH}/_base/{USED}"], user="nova")


def mend(hosts: Hosts) -> None:
    """Take the file systems away."""
    hosts.unmount_disk(HOST, PATH)
    hosts.unmount_disk(HOST, OTHER)
    hosts.must(HOST, ["sh", "-c", f"rmdir {OTHER} 2>/dev/null; rm -rf /var/lib/stackmend/quarantine"])


def symptom(hosts: Hosts) -> str | None:
    """What nova gets for a disk of 2 GiB that it allocates at once ([libvirt] preallocate_images = space)."""
    if hosts.ssh(HOST, ["mountpoint", "-q", PATH]).returncode:
        return None
    file = f"{PATH}/preallocated"
    done = hosts.ssh(HOST, ["sh", "-c", f"fallocate -l 2G {file}; status=$?; rm -f {file}; exit $status"], user="nova")
    if done.returncode:
        return done.stderr.strip()
    lost = hosts.ssh(HOST, ["test", "-e", f"{PATH}/_base/{USED}"]).returncode
    return "a server that is shut off has lost the image that its disk rests on" if lost else None


def full_cache_with_room(hosts: Hosts) -> None:
    """Unused base images, and room enough: nova clears them in its own time."""
    fill(hosts, server="100M")


def other_file_system(hosts: Hosts) -> None:
    """Another file system is full to the last block."""
    hosts.mount_disk(HOST, OTHER, 64)
    hosts.must(HOST, ["sh", "-c", f"head -c 64M /dev/zero >{OTHER}/full 2>/dev/null; true"])


BREAKER = Breaker(
    fault="instances_disk_full",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "unused images where there is room": full_cache_with_room,
        "another file system that is full": other_file_system,
    },
    approve="destructive",
)
