# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""allocation_orphaned (F26): resources are allocated to a consumer that is neither a server nor a migration under way."""

from __future__ import annotations

from collections.abc import Iterator

from .. import _allocations
from .._model import Evidence, Fault, Finding, Risk, Target


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge placement's consumers against nova's servers and migrations, when all of them were seen."""
    placement = evidence["placement"]
    for leak in _allocations.leaks(evidence):
        if leak.kind == "doubled":
            continue
        name, what = leak.consumer, f"consumer {leak.consumer}, which is neither a server nor a migration,"
        if leak.migration is not None:
            whose = leak.server["name"] if leak.server else leak.migration["server"]
            name = f"migration of {whose}"
            what = f"the {leak.migration['kind']} of server {whose} that is over ({leak.migration['status']})"
        held = _allocations.amounts(leak.holds, placement)
        answer = evidence["consumers"]["asked"].get(leak.consumer, {})
        yield Finding(
            fault=FAULT.id,
            target=Target("consumer", leak.consumer, name),
            certainty=leak.certainty,
            summary=f"{what} holds {held}",
            subject="allocations",
            evidence={
                "holds": leak.holds,
                "providers": {provider: placement["providers"][provider]["name"] for provider in leak.holds},
                "consumer_type": answer.get("type", ""),
                "project": answer.get("project", ""),
                "migration": leak.migration,
                "read": _allocations.read_from(evidence),
            },
            expected="no allocation",
            actual=held,
            remedy=_allocations.remedy(leak, Risk.DESTRUCTIVE),
            reason=leak.why_not,
        )


FAULT = Fault(
    id="allocation_orphaned",
    reference="F26",
    title="Resources are allocated to nobody",
    scope="cloud",
    severity="medium",
    symptom='"No valid host was found." though hosts run few servers; placement says a host is full and the hypervisor does not.',
    cause="A server was deleted, or a migration ended, without its allocations: nova-compute was down (before Rocky), rows "
    "were deleted by hand, or nova was killed in between. Only what nova knows neither as a server (of any project and cell, "
    "also deleted and restorable) nor as a migration under way is meant; other services' consumers are left alone.",
    fix="The allocations of that consumer are removed, guarded by its generation, after all servers and migrations were read "
    "once more. What it held is kept and can be put back.",
    detect=detect,
    cloud_evidence=_allocations.READERS,
    recorded=True,
    transient=True,
)
