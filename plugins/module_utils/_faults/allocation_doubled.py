# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""allocation_doubled (F26): a server at rest holds resources of more hosts than the one it is on."""

from __future__ import annotations

from collections.abc import Iterator

from .. import _allocations
from .._model import Evidence, Fault, Finding, Risk, Target


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge what servers hold against where they are, when all servers and migrations were seen."""
    placement = evidence["placement"]
    for leak in _allocations.leaks(evidence):
        if leak.kind != "doubled" or leak.server is None:
            continue
        server = leak.server
        extra = _allocations.amounts(leak.extra, placement)
        keeps = {provider: leak.holds[provider] for provider in leak.keeps}
        yield Finding(
            fault=FAULT.id,
            target=Target("server", server["id"], server["name"]),
            certainty=leak.certainty,
            summary=f"server {server['name']} is on {server['node']} and also holds {extra}",
            subject="allocations",
            evidence={
                "holds": leak.holds,
                "providers": {provider: placement["providers"][provider]["name"] for provider in leak.holds},
                "host": server["node"],
                "status": server["status"],
                "last_migration": leak.migration,
                "read": _allocations.read_from(evidence),
            },
            expected=_allocations.amounts(keeps, placement) or f"resources of {server['node']}",
            actual=_allocations.amounts(leak.holds, placement),
            remedy=_allocations.remedy(leak, Risk.DISRUPTIVE),
            reason=leak.why_not,
        )


FAULT = Fault(
    id="allocation_doubled",
    reference="F26",
    title="A server holds resources of a host it is not on",
    scope="cloud",
    severity="medium",
    symptom='A host counts as full, or "No valid host was found.", because servers that left it are still counted there.',
    cause="A migration, resize or evacuation ended without giving back what it held of the other host. While one is under "
    "way, or waits to be confirmed, a server rightly holds two; so does one that was evacuated from a host that is still down.",
    fix="The server keeps what it holds of its own host and of shared providers; the rest is given back by one request that is "
    "guarded by the consumer's generation. Its allocations are never deleted as a whole.",
    detect=detect,
    cloud_evidence=_allocations.READERS,
    recorded=True,
    transient=True,
)
