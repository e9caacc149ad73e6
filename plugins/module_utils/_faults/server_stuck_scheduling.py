# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""server_stuck_scheduling (F15): a server that waits for its host for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge what `stuck_servers`, `compute_services` and `resource_providers` read."""
    services = evidence["compute_services"]["services"]
    computes = {row["host"]: row for row in services if row["binary"] == "nova-compute"}
    providers = {row["uuid"]: row for row in evidence["resource_providers"]["providers"]}
    names = {row["name"]: row["host"] for row in evidence["hypervisors"]["hypervisors"]}
    for server in evidence["stuck_servers"]["servers"]:
        if server["waiting"] < evidence["settings"]["stuck_seconds"]:
            continue
        roots = {providers[providers[uuid]["root"]]["name"] for uuid in server["providers"] or () if uuid in providers}
        hosts = sorted(names.get(name, name) for name in roots)
        down = [host for host in hosts if host in computes and computes[host]["state"] == "down"]
        minutes = server["waiting"] / 60
        remedy: Optional[Remedy] = None
        if down:
            certainty = Certainty.CERTAIN
            why = f"it was sent to {down[0]}, whose nova-compute is down: it is built, or fails, once that is up again"
            reason = why + "; see compute_service_down"
        else:
            certainty = Certainty.PROBABLE
            where = f"{', '.join(hosts)} is up" if hosts else "placement has no allocation for it"
            why = f"{where}, so the message that should have built it was lost"
            reason = (
                "it will never be built, and only its owner can ask for it again: deleting it frees what it holds, and cannot "
                "be undone. Where its host's queue has no consumer, restart nova-compute there first"
            )
            wish = {
                "server": server["id"],
                "name": server["name"],
                "created": server["created"],
                "subject": f"{server['id']} scheduling",
            }
            remedy = Remedy("stuck_server", Risk.DESTRUCTIVE, {"stuck_server_wishes": [wish]})
        yield Finding(
            fault=FAULT.id,
            target=Target("server", server["id"], server["name"]),
            certainty=certainty,
            subject="scheduling",
            summary=f"Server {server['name']!r} has waited for a host for {minutes:.0f} minutes: {why}",
            evidence={
                "source": "GET /servers/detail, os-services and placement, seen twice",
                "hosts": hosts,
                "down": down,
                "created": server["created"],
                "project": server["project"],
            },
            expected="a host within minutes, or ERROR",
            actual="BUILD, scheduling",
            remedy=remedy,
            reason=reason,
        )


FAULT = Fault(
    id="server_stuck_scheduling",
    reference="F15",
    title="Server that stays in BUILD, scheduling",
    scope="cloud",
    severity="medium",
    symptom="A server stays in BUILD with task_state scheduling and no host, for ever; it holds quota and resources.",
    cause="It was sent to a host that is down (a host that is forced with the availability zone skips all filters), or the "
    "message to its host was lost. instance_build_timeout does not cover servers without a host.",
    fix="Start the compute that it waits for. Where that is up, delete the server, on approval: nothing was ever built of it.",
    cloud_evidence=("stuck_servers", "compute_services", "hypervisors", "resource_providers"),
    detect=detect,
    transient=True,
)
