# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""compute_service_down (F15): a nova-compute does not report; which of its several causes it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

# Two clocks that differ by more than this make a service look down that is up (nova compares the absolute difference).
SKEW_SECONDS = 30.0


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """Whether nova-compute runs here."""
    process = evidence["compute_process"]
    if process is None:
        return None
    return {"host": process["host"], "running": process["running"], "can_start": bool(process["start"])}


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The computes that do not report ("suspects", by service id), and what else bears on them."""
    rows, now = evidence["compute_services"]["services"], evidence["compute_services"]["now"]
    servers: dict[str, int] = {}
    for server in evidence["servers"]["servers"]:
        servers[server["host"]] = servers.get(server["host"], 0) + 1
    suspects = {
        row["id"]: {**row, "age": None if now is None or row["updated"] is None else now - row["updated"]}
        for row in rows
        if row["binary"] == "nova-compute" and row["state"] == "down"
    }
    computes = [row for row in rows if row["binary"] == "nova-compute"]
    return {
        "suspects": suspects,
        "servers": {row["host"]: servers.get(row["host"], 0) for row in suspects.values()},
        "all": len(computes) > 1 and len(suspects) == len(computes),
        "conductors_up": sum(row["binary"] == "nova-conductor" and row["state"] == "up" for row in rows),
        "evacuations": {
            row["host"]: sorted(
                {
                    migration["server"]
                    for migration in evidence["migrations"]["migrations"]
                    if migration["kind"] == "evacuation"
                    and migration["source_host"] == row["host"]
                    and migration["status"] not in ("completed", "error", "failed")
                }
            )
            for row in suspects.values()
        },
    }


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    cloud = evidence["cloud"]
    if cloud is None:
        return
    hosts = {seen["host"]: (name, seen) for name, seen in evidence["hosts"].items() if seen}
    for row in cloud["suspects"].values():
        host = row["host"]
        if row["status"] == "disabled" and not cloud["servers"][host] and not row["forced_down"]:
            continue  # taken out of service on purpose, and nothing is on it
        name, seen = hosts.get(host, (None, None))
        cause, advice = _cause(row, seen, cloud)
        evacuated = cloud["evacuations"][host]
        remedy = None
        if cause == "process" and seen and seen["can_start"] and not row["forced_down"]:
            advice = "nova-compute takes up its servers again when it starts"
            if evacuated:
                advice = (
                    f"servers were evacuated from it ({', '.join(evacuated[:3])}): starting nova-compute removes what it "
                    "still has of them. Make sure that they run elsewhere, then start it"
                )
            elif row["status"] == "disabled":
                advice = (
                    f"it was taken out of service ({row['reason'] or 'no reason given'}): start it when that is over"
                )
            else:
                wish = {"program": "nova-compute", "subject": f"{host} {cause}"}
                remedy = Remedy(
                    "compute_service", Risk.DISRUPTIVE, {"compute_service_wishes": [wish]}, rolled=True, host=name
                )
        if host.startswith("localhost"):
            advice += "; it calls itself localhost, and a second compute of that name would be taken for the same one"
        yield Finding(
            fault=FAULT.id,
            target=Target("compute", host),
            certainty=Certainty.CERTAIN,
            severity="medium" if row["status"] == "disabled" or cause == "forced down" else FAULT.severity,
            subject=cause,
            summary=f"nova-compute on {host} is down ({cause}); {cloud['servers'][host]} servers are on it",
            evidence={
                "source": "os-services, seen twice" + ("" if seen is None else ", and the host"),
                "cause": cause,
                "status": row["status"],
                "forced_down": row["forced_down"],
                "last_report_seconds_ago": row["age"],
                "process_runs": seen["running"] if seen else None,
            },
            expected="up",
            actual="down",
            remedy=remedy,
            reason=advice,
        )


def _cause(row: Mapping[str, Any], seen: Optional[Mapping[str, Any]], cloud: Mapping[str, Any]) -> tuple[str, str]:
    """(cause, what to do about it), most telling first."""
    if row["forced_down"]:
        return "forced down", (
            "somebody, or a fencing agent, forced it down: only when it is sure that none of its servers was started "
            "elsewhere, take that back with openstack compute service set --up HOST nova-compute"
        )
    before, age = row.get("before") or {}, row["age"]
    if age is not None and age < -SKEW_SECONDS:
        return "clock", f"its clock is {-age:.0f} s ahead of the API's: synchronise it (chronyc tracking, on both)"
    if before.get("updated") is not None and row["updated"] is not None and row["updated"] > before["updated"]:
        return "clock", (
            f"it reports, and its reports are {age or 0:.0f} s old when they arrive: its clock is behind, or "
            "service_down_time is not well above report_interval. Compare the clocks (chronyc tracking) and the two options"
        )
    running = seen["running"] if seen else None
    if cloud["all"] and running is not False:
        return "queue", (
            f"all computes stopped reporting at once and {cloud['conductors_up']} nova-conductor report: look at RabbitMQ, the "
            "conductors and the cell's database first"
        )
    if running is False:
        return "process", "nova-compute does not run, and how it is started here is not known: start it"
    if running:
        return "queue", (
            "nova-compute runs and its reports do not arrive: look for 'Lost connection to nova-conductor' in its log, and "
            "compare its transport_url with that of the conductors"
        )
    return "not known", (
        "whether its process runs could not be seen: let the inventory (and --limit) include the host, and look at the unit "
        "nova-compute, its clock and its connection to RabbitMQ there"
    )


FAULT = Fault(
    id="compute_service_down",
    reference="F15",
    title="Compute service that does not report",
    scope="cloud",
    severity="high",
    symptom="openstack compute service list shows the compute as down; the scheduler logs that it 'has not been heard from in a "
    "while'; servers sent there stay in BUILD or go to ERROR with 'No valid host was found'.",
    cause="Its process is dead, its reports do not get through the message queue and conductor, its clock is off (nova compares "
    "the absolute difference), or somebody forced it down.",
    fix="Start nova-compute where its process is dead, on approval; the other causes are named with what to do about them. A "
    "compute that was forced down is never set up again by Stackmend.",
    host_evidence=("compute_process",),
    cloud_evidence=("compute_services", "servers", "migrations"),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
    transient=True,
)
