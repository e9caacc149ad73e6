# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose an allocation is: placement's consumers against the servers and migrations that nova knows (FAULTS.md F26).

Nothing here may call an allocation nobody's while part of the cloud was not seen.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ._model import Certainty, Remedy

Evidence = Mapping[str, Any]
Holds = Mapping[str, Mapping[str, int]]

READERS = ("placement", "server_names", "migrations", "hypervisors", "consumers")
# nova.objects.migration: what is none of these goes on ("accepted" is the word for an evacuation that was begun).
FINISHED = frozenset(["confirmed", "reverted", "error", "failed", "completed", "cancelled", "done"])
_MOVING = frozenset(["VERIFY_RESIZE", "REVERT_RESIZE", "RESIZE", "MIGRATING", "REBUILD", "BUILD"])
# The classes that nova's computes have; ironic's nodes, reservations and other services' things are CUSTOM_*.
_NOVA_CLASSES = re.compile(
    r"VCPU|PCPU|MEMORY_MB|DISK_GB|VGPU|MEM_ENCRYPTION_CONTEXT|NET_BW_[EI]GR_KILOBIT_PER_SEC|NET_PACKET_RATE_\w+|CUSTOM_PCI_\w+"
)
# nova has never set a type (placement 1.38): its consumers are "unknown", unless somebody set what nova might.
_NOVA_TYPES = frozenset(["unknown", "INSTANCE", "MIGRATION"])


@dataclass(frozen=True)
class Leak:
    """An allocation, or a part of one, that nothing uses.

    kind: "gone" (neither a server nor a migration), "migration" (of a migration that is over) or "doubled" (of a server that
        holds other hosts than its own). holds: {provider: {class: amount}}. keeps: the providers that shall stay
    allocated. why_not: why nothing is to be done about it by itself; empty when it can be given back.
    """

    kind: str
    consumer: str
    certainty: str
    holds: Holds
    keeps: tuple[str, ...] = ()
    server: Optional[Mapping[str, Any]] = None
    migration: Optional[Mapping[str, Any]] = None
    why_not: str = ""

    @property
    def extra(self) -> Holds:
        """What would be given back."""
        return {provider: resources for provider, resources in self.holds.items() if provider not in self.keeps}


def read_from(evidence: Evidence) -> str:
    """How it was read, for the finding's own evidence."""
    told: str = evidence["placement"].get(
        "read", "GET /resource_providers/{uuid}/allocations, /servers?all_tenants=1, /os-migrations"
    )
    return told


def fingerprint(providers: Iterable[str]) -> str:
    """By which the resource providers of a database and those of the API are known to be the same."""
    return hashlib.sha256("\n".join(sorted(providers)).encode()).hexdigest()


def is_complete(evidence: Evidence) -> bool:
    """Whether everything was seen that could own an allocation; absence counts only then."""
    return not any(evidence[name].get("gaps") for name in READERS if name in evidence)


def suspects(evidence: Evidence) -> list[str]:
    """The consumers that no list of nova's names: neither a server nor a migration, finished or not."""
    migrations = {migration["uuid"] for migration in evidence["migrations"]["migrations"]}
    known = evidence["server_names"]["names"].keys() | migrations
    return sorted(consumer for consumer in evidence["placement"]["consumers"] if consumer not in known)


def doubtful(evidence: Evidence) -> list[str]:
    """The servers whose details tell whether an allocation is used: of finished migrations that hold something, and those
    that hold more than one compute."""
    placement, names = evidence["placement"], evidence["server_names"]["names"]
    computes = {row["id"] for row in evidence["hypervisors"]["hypervisors"]}
    found = {
        migration["server"]
        for migration in evidence["migrations"]["migrations"]
        if migration["uuid"] in placement["consumers"] and migration["status"] in FINISHED
    }
    for consumer, holds in placement["consumers"].items():
        roots = {placement["providers"][provider]["root"] for provider in holds} if len(holds) > 1 else set()
        if len(roots & computes) > 1:
            found.add(consumer)
    return sorted(found & names.keys())


def leaks(evidence: Evidence) -> Iterator[Leak]:
    """What nothing uses, in the evidence of READERS; nothing at all when part of the cloud was not seen."""
    if not is_complete(evidence):
        return
    servers = evidence["consumers"]["servers"]
    names = evidence["server_names"]["names"]
    migrations = {migration["uuid"]: migration for migration in evidence["migrations"]["migrations"]}
    of_server: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for migration in migrations.values():
        of_server[migration["server"]].append(migration)
    computes = {row["id"]: row for row in evidence["hypervisors"]["hypervisors"]}
    for consumer, holds in sorted(evidence["placement"]["consumers"].items()):
        if consumer in names:
            if consumer not in servers:
                continue
            leak = _doubled(servers[consumer], holds, of_server[consumer], evidence["placement"], computes)
        elif consumer in migrations:
            migration = migrations[consumer]
            if migration["server"] in names and migration["server"] not in servers:
                continue
            leak = _migration(migration, holds, servers, of_server, evidence["placement"], computes)
        else:
            leak = _gone(consumer, holds, evidence, computes)
        if leak is not None:
            yield leak


def _gone(consumer: str, holds: Holds, evidence: Evidence, computes: Mapping[str, Any]) -> Optional[Leak]:
    asked = evidence["consumers"]
    if consumer in asked["soft_deleted"] or not _is_novas(holds):
        return None
    answer = asked["asked"].get(consumer)
    if answer is not None and (answer["server"] or answer["holds"] != holds or answer["type"] not in _NOVA_TYPES):
        return None
    strange = _not_a_compute(holds, evidence["placement"], computes)
    if strange == list(holds):
        # Nothing of it is a compute's: shared storage or another service's provider, of which nova cannot tell.
        named = ", ".join(evidence["placement"]["providers"][provider]["name"] for provider in strange)
        if set(strange) <= set(evidence["placement"]["sharing"]):
            return None
        return Leak(
            "gone", consumer, Certainty.POSSIBLE, holds, why_not=f"no compute that nova lists has the provider {named}"
        )
    if answer is None:
        why_not = (
            f"more consumers are suspect than were asked for one by one ({len(asked['asked'])}): settle those first, "
            "then look again"
        )
        return Leak("gone", consumer, Certainty.PROBABLE, holds, why_not=why_not)
    if asked["others"]:
        services = " and ".join(asked["others"])
        why_not = (
            f"the cloud has a {services} service, which may hold resources of computes for things nova does not know"
        )
        return Leak("gone", consumer, Certainty.POSSIBLE, holds, why_not=why_not)
    return Leak("gone", consumer, Certainty.CERTAIN, holds)


def _migration(
    migration: Mapping[str, Any],
    holds: Holds,
    servers: Mapping[str, Any],
    of_server: Mapping[str, list[Mapping[str, Any]]],
    placement: Mapping[str, Any],
    computes: Mapping[str, Any],
) -> Optional[Leak]:
    if migration["status"] not in FINISHED or _not_a_compute(holds, placement, computes) == list(holds):
        return None
    server = servers.get(migration["server"])
    if server is not None and (_moves(server, of_server[server["id"]])):
        return None
    leak = {"consumer": migration["uuid"], "holds": holds, "server": server, "migration": migration}
    if server is not None and server["status"] == "ERROR":
        why_not = "the server is in ERROR, and its way back may be to what the migration holds: settle the server first"
        return Leak("migration", certainty=Certainty.POSSIBLE, why_not=why_not, **leak)
    return Leak("migration", certainty=Certainty.CERTAIN, **leak)


def _doubled(
    server: Mapping[str, Any],
    holds: Holds,
    migrations: list[Mapping[str, Any]],
    placement: Mapping[str, Any],
    computes: Mapping[str, Any],
) -> Optional[Leak]:
    providers = placement["providers"]
    roots = {provider: providers[provider]["root"] for provider in holds}
    others = {root for root in roots.values() if root in computes and computes[root]["name"] != server["node"]}
    own = {root for root in roots.values() if root in computes and computes[root]["name"] == server["node"]}
    if not others or not (own or len(others) > 1) or not server["node"] or _moves(server, migrations):
        return None
    keeps = tuple(provider for provider in holds if roots[provider] not in others)
    certainty, why_not = Certainty.CERTAIN, ""
    last = max(migrations, key=lambda migration: migration["updated"] or "", default=None)
    down = [computes[root]["name"] for root in sorted(others) if computes[root]["state"] != "up"]
    if not own:
        why_not = (
            f"it holds nothing on {server['node']}, where it is: nova-manage placement heal_allocations comes first"
        )
    elif server["status"] == "ERROR":
        why_not = "the server is in ERROR: settle it first, its way back may be to the other host"
    elif down and last is not None and last["kind"] == "evacuation":
        why_not = (
            f"it was evacuated and {', '.join(down)} is down: nova-compute gives it back itself when it returns. Only if "
            "that host never will, remove its compute service, or set the allocations by hand"
        )
    if why_not:
        certainty = Certainty.POSSIBLE
    return Leak("doubled", server["id"], certainty, holds, keeps, server=server, migration=last, why_not=why_not)


def _moves(server: Mapping[str, Any], migrations: list[Mapping[str, Any]]) -> bool:
    """Whether a server is under way, so that it may rightly hold more than one host."""
    return (
        server["task_state"] is not None
        or server["status"] in _MOVING
        or any(migration["status"] not in FINISHED for migration in migrations)
    )


def _is_novas(holds: Holds) -> bool:
    return all(_NOVA_CLASSES.fullmatch(name) for resources in holds.values() for name in resources)


def _not_a_compute(holds: Holds, placement: Mapping[str, Any], computes: Mapping[str, Any]) -> list[str]:
    """The providers that belong to no compute nova lists."""
    return [provider for provider in holds if placement["providers"][provider]["root"] not in computes]


def amounts(holds: Holds, placement: Mapping[str, Any]) -> str:
    """What is held, for a person: "512 MEMORY_MB and 1 VCPU of HOST-34"."""
    parts = []
    for provider, resources in sorted(holds.items(), key=lambda item: placement["providers"][item[0]]["name"]):
        what = " and ".join(f"{amount} {name}" for name, amount in sorted(resources.items()))
        parts.append(f"{what} of {placement['providers'][provider]['name']}")
    return ", ".join(parts)


def remedy(leak: Leak, risk: str) -> Optional[Remedy]:
    """Give back what is held for nothing; None where that is not safe to do (leak.why_not)."""
    if leak.why_not:
        return None
    wish = {
        "consumer": leak.consumer,
        "keep": list(leak.keeps),
        "expect": {provider: dict(resources) for provider, resources in leak.holds.items()},
        "subject": f"{leak.consumer} allocations",
    }
    return Remedy("placement_allocations", risk, {"placement_allocations_wishes": [wish]})
