# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Weigh what logs say beside what the checks found: a line makes a finding surer, and alone it points at what to check.

A line says that something happened, not that it is so now: alone it makes a finding probable at most, and never one with a
remedy (FAULTS.md 1.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ._model import CERTAINTIES, Certainty, Fault, Finding, Target

Entry = Mapping[str, Any]


def weigh(
    faults: Iterable[Fault],
    findings: Iterable[dict[str, Any]],
    unknown: Iterable[Entry],
    logs: Mapping[str, Entry],
) -> list[dict[str, Any]]:
    """The findings, in the report's form, with what the logs of the hosts add to them.

    findings, unknown: what the checks gave. logs: {inventory name: what the reader `logs` gave}.
    A finding is made one step surer, once, by lines about its own target: lines that name it, or, for a finding about a
    host, telling lines of that host's own logs. Lines that point at a fault of which nothing was found become findings of
    their own, one per host and signature: probable where the check could not be made, possible where it found nothing.
    """
    by_id = {fault.id: fault for fault in faults}
    unmade = {entry["fault"] for entry in unknown}
    before = list(findings)
    found = {finding["fault"] for finding in before}
    lines: dict[int, list[dict[str, Any]]] = {}
    alone: list[dict[str, Any]] = []
    for host, reading in logs.items():
        for match in reading["matches"]:
            fault = by_id.get(match["fault"])
            if fault is None:
                continue
            if fault.id not in found:
                alone.append(fault.report(_pointing(fault, host, match, fault.id in unmade)))
            for number, finding in enumerate(before):
                if finding["fault"] == fault.id and _about(finding["target"], host, match):
                    lines.setdefault(number, []).append(_told(host, match))
    return [_surer(finding, lines.get(number)) for number, finding in enumerate(before)] + alone


def _about(target: Entry, host: str, match: Entry) -> bool:
    named = {*match["values"], *match["servers"]}
    if target["id"] in named or target["name"] in named:
        return True
    own = target["type"] == "host" and target["id"] == host
    return own and not match["values"] and match["certainty"] != Certainty.POSSIBLE


def _surer(finding: dict[str, Any], lines: Optional[list[dict[str, Any]]]) -> dict[str, Any]:
    if not lines:
        return finding
    step = min(CERTAINTIES.index(finding["certainty"]) + 1, len(CERTAINTIES) - 1)
    return {**finding, "certainty": CERTAINTIES[step], "evidence": {**finding["evidence"], "logs": lines}}


def _pointing(fault: Fault, host: str, match: Entry, unmade: bool) -> Finding:
    certainty = match["certainty"] if unmade else Certainty.POSSIBLE
    now = "the check itself could not be made" if unmade else "the check itself finds nothing now"
    times = "once" if match["count"] == 1 else f"{match['count']} times"
    last = f", last at {match['last']}" if match["last"] else ""
    return Finding(
        fault=fault.id,
        target=Target("host", host),
        certainty=certainty,
        subject=f"log: {match['signature']}",
        summary=f"The logs of {host} say {times}{last}: {match['meaning']}",
        evidence={"source": "logs", **_told(host, match)},
        expected="no such line",
        actual=match["lines"][-1]["line"] if match["lines"] else "",
        reason=f"A log line tells what happened, not what is: {now}",
    )


def _told(host: str, match: Entry) -> dict[str, Any]:
    return {
        "host": host,
        "signature": match["signature"],
        "count": match["count"],
        "first": match["first"],
        "last": match["last"],
        "lines": match["lines"][-2:],
    }
