# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F07: the virtual size of an image is larger than the disk of the flavor that it is booted with."""

from __future__ import annotations

from ..lab import Lab
from ..programs.seed_cloud import qcow2_disk
from ._breaker import Breaker
from ._changes import Changes

FAULT = "flavor_smaller_than_image"
FLAVOR, IMAGE, SERVER = "broken-small", "larger", "too-small"
SIZE = 3 << 30  # bytes; the file has a few hundred KiB, which is all that nova's API compares
HEALTHY = {"os_type": "linux", "hw_qemu_guest_agent": "yes", "hw_disk_bus": "virtio", "hw_vif_model": "virtio"}


def break_(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    changes.create_flavor(FLAVOR)
    changes.create_image(IMAGE, "qcow2", qcow2_disk(SIZE), **HEALTHY)
    changes.boot_in_vain(SERVER, IMAGE, FLAVOR)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """What nova says of servers that were not built for want of room."""
    with lab.cloud() as cloud:
        for server in cloud.compute.servers(name=f"^{SERVER}$", all_projects=True):
            if server.status == "ERROR" and "too small" in (server.fault or {}).get("message", ""):
                return str(server.fault["message"])
    return None


def _nobody_uses_both(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    changes.create_flavor(FLAVOR)
    changes.create_image(IMAGE, "qcow2", qcow2_disk(SIZE), **HEALTHY)


def _no_limit(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    changes.create_flavor(FLAVOR, disk=0)
    changes.create_image(IMAGE, "qcow2", qcow2_disk(SIZE), **HEALTHY)
    changes.boot(SERVER, image=IMAGE, flavor=FLAVOR)


def _large_enough(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    changes.create_flavor(FLAVOR, disk=3)
    changes.create_image(IMAGE, "qcow2", qcow2_disk(SIZE), **HEALTHY)
    changes.boot(SERVER, image=IMAGE, flavor=FLAVOR)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a small flavor and a large image that nobody uses together": _nobody_uses_both,
        "a flavor without a limit, for volumes": _no_limit,
        "a flavor of just the image's size": _large_enough,
    },
    report_only=True,
    recorded="what the compute compares: the lab's driver has no disk image to look at, and asks glance for the virtual size "
    "that libvirt's image backend reads from the file; the refusal, and all that follows from it, are nova's.",
)
