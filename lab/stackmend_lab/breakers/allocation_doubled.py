# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F26: a server keeps holding the host that it left."""

from __future__ import annotations

from ..lab import Lab
from . import _placement
from ._breaker import Breaker
from ._changes import Changes

FAULT = "allocation_doubled"
HOST, OTHER = "HOST-34", "HOST-340"
NAME = "doubled"


def break_(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    server = changes.boot(NAME, HOST)
    holds = _placement.holds(lab, server)
    changes.allocate(server, {**holds, _placement.provider(lab, OTHER): next(iter(holds.values()))})


def mend(lab: Lab) -> None:
    _placement.let_go(lab)
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """What a server that is on one host, and not about to leave it, uses of others."""
    for server in lab.cloud().compute.servers(all_projects=True, name=NAME):
        hosts = {_name(lab, provider) for provider in _placement.holds(lab, server.id)}
        extra = sorted(hosts - {server.hypervisor_hostname, "shared-disk"})
        if extra and server.status == "ACTIVE" and not server.task_state:
            return (
                f"server {NAME} runs on {server.hypervisor_hostname}, and placement counts it on {', '.join(extra)} too"
            )
    return None


def _name(lab: Lab, provider: str) -> str:
    return str(lab.cloud().placement.get(f"/resource_providers/{provider}").json()["name"])


def waits_to_be_confirmed(lab: Lab) -> None:
    _placement.migrate(lab, Changes(lab, FAULT).boot(NAME, HOST), OTHER)


def is_migrating(lab: Lab) -> None:
    server = Changes(lab, FAULT).boot(NAME, HOST)
    _placement.hold(lab, "live_migration")
    _placement.act(lab, server, {"os-migrateLive": {"host": OTHER, "block_migration": "auto"}})
    _placement.wait("the migration", lambda: any(m["status"] == "running" for m in _placement.migrations(lab, server)))


def shares_a_disk(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    server = changes.boot(NAME, HOST)
    shared = changes.share_disk("shared-disk", [HOST])
    (host, resources), *_ = _placement.holds(lab, server).items()
    disk = {"DISK_GB": resources["DISK_GB"]}
    changes.allocate(server, {host: {k: v for k, v in resources.items() if k not in disk}, shared: disk})


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a migration that waits to be confirmed": waits_to_be_confirmed,
        "a live migration under way": is_migrating,
        "a server whose disk is on storage that hosts share": shares_a_disk,
    },
    approve="disruptive",
)
