# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F26: a consumer that nova does not know, and a migration that is over, hold memory that servers could have."""

from __future__ import annotations

from ..lab import Lab
from . import _placement
from ._breaker import Breaker
from ._changes import Changes

FAULT = "allocation_orphaned"
HOST, OTHER = "HOST-34", "HOST-340"
# The id of a server whose rows somebody deleted by hand: nova leaves its allocations like this one.
GONE = "6f8f57c5-64c3-4b8f-a3b5-1f2d4c0a9e34"
NAME = "moved"
LARGE = "MEMORY_MB:16384"


def break_(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    host = _placement.provider(lab, HOST)
    server = changes.boot(NAME, HOST)
    _placement.migrate(lab, server, OTHER)
    _placement.confirm(lab, server)
    migration = _placement.migrations(lab, server)[0]["uuid"]
    # Both as nova leaves them behind: without a type, in its own classes.
    changes.allocate(migration, {host: {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}})
    changes.allocate(GONE, {host: {"VCPU": 4, "MEMORY_MB": 20480, "DISK_GB": 40}})


def mend(lab: Lab) -> None:
    _placement.let_go(lab)
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """Whether a host that runs nothing has room for a server of half its memory."""
    if _placement.candidates(lab, LARGE, HOST):
        return None
    running = [server for server in lab.cloud().compute.servers(all_projects=True) if server.compute_host == HOST]
    return f"placement has no room for 16 GiB on {HOST}, which has 32 and runs {len(running)} servers"


def waits_to_be_confirmed(lab: Lab) -> None:
    _placement.migrate(lab, Changes(lab, FAULT).boot(NAME, HOST), OTHER)


def is_migrating(lab: Lab) -> None:
    server = Changes(lab, FAULT).boot(NAME, HOST)
    _placement.hold(lab, "live_migration")
    _placement.act(lab, server, {"os-migrateLive": {"host": OTHER, "block_migration": "auto"}})
    # Not before both hosts are held, the source by the migration.
    _placement.wait("the migration", lambda: any(m["status"] == "running" for m in _placement.migrations(lab, server)))


def is_a_container(lab: Lab) -> None:
    Changes(lab, FAULT).allocate(GONE, {_placement.provider(lab, HOST): {"VCPU": 1, "MEMORY_MB": 512}}, "CONTAINER")


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a migration that waits to be confirmed": waits_to_be_confirmed,
        "a live migration under way": is_migrating,
        "what another service allocated for its container": is_a_container,
    },
    approve="destructive",
)
