# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring together what hosts and cloud said: all findings, all that is unknown, and what was looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ._detection import broken, judge
from ._historic import weigh
from ._model import Fault, Target, Unknown, at_least

Result = Mapping[str, Any]


def correlate(
    faults: Iterable[Fault],
    hosts: Mapping[str, Optional[Result]],
    cloud: Optional[Result],
    *,
    no_cloud: str = "",
    min_certainty: str = "possible",
) -> dict[str, Any]:
    """Judge the faults that need more than one place, and add up what the places judged by themselves.

    hosts: {inventory name: what host_fault_info returned}; one that did not answer has {"failed": "why"}. What its logs
        said, if they were read, is weighed at the end.
    cloud: what cloud_fault_info returned, or None; no_cloud then says why.
    Returns {"findings": [...], "unknown": [...], "checked": {"hosts", "faults", "objects"}} in the report's form,
    findings most severe first.
    """
    faults = list(faults)
    ids = {fault.id for fault in faults}
    answered = {name: result for name, result in hosts.items() if result and not result.get("failed")}
    places = [*answered.values(), *([cloud] if cloud else [])]
    findings = [finding for place in places for finding in place["findings"] if finding["fault"] in ids]
    unknown = [entry for place in places for entry in place["unknown"] if entry["fault"] in ids]

    for fault in faults:
        on_hosts = bool(fault.host_evidence) and (not fault.correlated or fault.observe_host is not None)
        if on_hosts:
            for name, result in hosts.items():
                if name not in answered:
                    reason = (result or {}).get("failed") or "the host gave no answer"
                    unknown.append(Unknown(fault.id, Target("host", name), reason).as_dict())
            if not hosts:
                unknown.append(
                    Unknown(fault.id, Target("inventory", "hosts"), "the inventory has no host to look at").as_dict()
                )
        if fault.cloud_evidence and cloud is None:
            unknown.append(Unknown(fault.id, Target("cloud", "cloud"), no_cloud or "the cloud was not read").as_dict())
        if fault.correlated:
            evidence = {
                "hosts": {
                    name: result["observations"][fault.id]
                    for name, result in answered.items()
                    if result["observations"].get(fault.id) is not None
                },
                "cloud": cloud["observations"].get(fault.id) if cloud else None,
            }
            try:
                found, not_seen = judge(fault, evidence)
                findings.extend(found)
                unknown.extend(entry.as_dict() for entry in not_seen)
            except Exception as error:
                unknown.append(Unknown(fault.id, Target("fleet", "fleet"), broken(error)).as_dict())

    logs = {name: result["logs"] for name, result in answered.items() if result.get("logs")}
    findings = weigh(faults, findings, unknown, logs)
    for name, reading in logs.items():
        unknown.extend(Unknown("logs", Target("host", name), gap["reason"]).as_dict() for gap in reading["gaps"])

    findings = [finding for finding in findings if at_least(finding["certainty"], min_certainty)]
    findings.sort(key=_order)
    return {
        "findings": findings,
        "unknown": unknown,
        "checked": {
            "hosts": len(answered),
            "faults": len(faults),
            "objects": dict(cloud["objects"]) if cloud else {},
        },
    }


def _order(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    severity = ("critical", "high", "medium", "low").index(finding["severity"])
    certainty = ("certain", "probable", "possible").index(finding["certainty"])
    return severity, certainty, finding["fault"], finding["target"]["type"], finding["target"]["name"]


def migration_peers(hosts: Mapping[str, Mapping[str, Any]], addresses: Mapping[str, str]) -> list[dict[str, Any]]:
    """The computes that reach each other by ssh, with the address that nova gives to them.

    hosts: {inventory name: its variables}. addresses: {service host: address}, as nova's API tells them; the variable
    stackmend_migration_address comes before it, ansible_host after it. A host that is only a directory is no peer.
    """
    short = {name.split(".")[0]: address for name, address in addresses.items()}
    peers = []
    for name, variables in hosts.items():
        if variables.get("stackmend_root", "/") != "/":
            continue
        address = (
            variables.get("stackmend_migration_address")
            or addresses.get(name)
            or short.get(name.split(".")[0])
            or variables.get("ansible_host")
            or name
        )
        peers.append({"name": name, "address": address, "port": int(variables.get("stackmend_migration_port", 22))})
    return peers
