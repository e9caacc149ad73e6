# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F27: as many servers as there are hosts take most of their memory, and one more is refused."""

from __future__ import annotations

from ..lab import Lab
from . import _placement
from ._breaker import Breaker
from ._changes import Changes

FAULT = "placement_capacity_exhausted"
NAME = "too-many"
FLAVOR = "most-of-a-host"
MIB = 20480


def fill(lab: Lab) -> None:
    _placement.flavor(lab, FLAVOR, ram=MIB)
    for number, host in enumerate(lab.layout.computes):
        Changes(lab, FAULT).boot(f"large-{number}", host, flavor=FLAVOR)


def break_(lab: Lab) -> None:
    fill(lab)
    Changes(lab, FAULT).boot_in_vain(NAME, "cirros", FLAVOR)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()
    _placement.no_flavor(lab, FLAVOR)


def symptom(lab: Lab) -> str | None:
    """The server in ERROR and why, as long as another try would end like it."""
    server = lab.cloud().compute.find_server(NAME, all_projects=True, details=True)
    if server is None or server.status != "ERROR":
        return None
    ram = lab.cloud().compute.get_server(server.id).flavor.ram
    if any(_placement.candidates(lab, f"MEMORY_MB:{ram}", host) for host in lab.layout.computes):
        return None
    return f"server {NAME} is in ERROR: {lab.cloud().compute.get_server(server.id).fault['message']}"


def room_again(lab: Lab) -> None:
    break_(lab)
    for server in lab.cloud().compute.servers(all_projects=True, name="^large-"):
        lab.delete_server(server.id)


def no_such_processor(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    changes.create_image("for-arm", os_type="linux", hw_qemu_guest_agent="yes", hw_architecture="aarch64")
    changes.boot_in_vain(NAME, "for-arm")


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "hosts that are full, and nobody was refused": fill,
        "a server that was refused, and there is room again": room_again,
        "a server that a filter refused, with room on every host": no_such_processor,
    },
    report_only=True,
)
