# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F15: a server was sent to a host that reports, and the message to build it does not arrive."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import Any

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "server_stuck_scheduling"
NAME = "never-built"
HOST = "HOST-341"
SECONDS = 60.0


def break_(lab: Lab) -> None:
    # A compute that is started again puts such servers into ERROR (nova.compute.manager, builds that were interrupted).
    lab.deafen_compute(HOST)
    _ask_for(lab)


def mend(lab: Lab) -> None:
    touched = Changes(lab, FAULT).record.exists()
    Changes(lab, FAULT).undo()
    if touched:
        lab.restart(HOST)


def symptom(lab: Lab) -> str | None:
    """Servers that wait for a host, all computes being up and nothing happening for some seconds."""
    waiting = _waiting(lab)
    if waiting:
        time.sleep(6)
        waiting = [server for server in _waiting(lab) if server.id in {before.id for before in waiting}]
    if not waiting:
        return None
    return f"{', '.join(server.name for server in waiting)} in BUILD, scheduling, with no host"


def _waiting(lab: Lab) -> list[Any]:
    servers = lab.cloud().compute.servers(all_projects=True)
    return [server for server in servers if server.status == "BUILD" and server.task_state == "scheduling"]


def _ask_for(lab: Lab) -> None:
    """Ask for a server on the host by its zone, which skips all filters, and wait until placement has it."""
    Changes(lab, FAULT).will_boot(NAME)
    cloud = lab.cloud()
    server = cloud.compute.create_server(
        name=NAME,
        image_id=cloud.image.find_image("cirros").id,
        flavor_id=cloud.compute.find_flavor("m1.tiny").id,
        networks="none",
        availability_zone=f"nova:{HOST}",
    )
    end = time.monotonic() + SECONDS
    while not _cast(lab, server.id):
        if time.monotonic() > end:
            raise LabError(f"{NAME} was not scheduled within {SECONDS:.0f} s")
        time.sleep(0.5)


def _cast(lab: Lab, server: str) -> bool:
    """Whether the conductor has done its part: the request is a server in its cell, and the message is on its way."""
    with contextlib.closing(sqlite3.connect(lab.layout.data / "nova_api.sqlite", timeout=60)) as connection:
        waits = connection.execute("select 1 from build_requests where instance_uuid = ?", [server]).fetchone()
    return waits is None and bool(lab.cloud().placement.get(f"/allocations/{server}").json()["allocations"])


def _built_when_its_host_came_back(lab: Lab) -> None:
    lab.stop_compute(HOST)
    _ask_for(lab)
    lab.start_compute(HOST)
    end = time.monotonic() + SECONDS
    while next(iter(lab.cloud().compute.servers(name=f"^{NAME}$", all_projects=True))).status == "BUILD":
        if time.monotonic() > end:
            raise LabError(f"{NAME} is not built {SECONDS:.0f} s after its host came back")
        time.sleep(0.5)


def _no_host_fits(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    image = changes.create_image(NAME, os_type="linux", hw_qemu_guest_agent="yes", img_hv_type="hyperv")
    changes.boot_in_vain(NAME, image)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a server that was built when its host came back": _built_when_its_host_came_back,
        "a server for which no host was found": _no_host_fits,
    },
    approve="destructive",
    irreversible="a server that is deleted cannot be brought back",
)
