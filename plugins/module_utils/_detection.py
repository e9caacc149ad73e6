# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the evidence that faults ask for, once each, and let them judge it: the same way on a host and beside the APIs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ._model import Evidence, Fault, Finding, Target, Unavailable, Unknown, key_of

Read = Callable[[str], Any]


def examine(faults: Iterable[Fault], side: str, read: Read, here: Target, always: Evidence) -> dict[str, Any]:
    """Judge what can be judged on this side, and observe what is compared elsewhere.

    side: "host" or "cloud". read: gives the evidence of a reader by its name, or raises Unavailable.
    here: the target that a check which could not be made is reported on. always: evidence that every fault gets.
    Returns {"findings": [...], "unknown": [...], "observations": {fault id: observation}} in the report's form.
    """
    evidence = _Readings(read, here)
    findings: list[dict[str, Any]] = []
    unknown: list[Unknown] = []
    observations: dict[str, Any] = {}
    for fault in faults:
        wanted = fault.host_evidence if side == "host" else fault.cloud_evidence
        if not wanted:
            continue
        observe = fault.observe_host if side == "host" else fault.observe_cloud
        if fault.correlated and observe is None:
            continue
        try:
            readings = {**always, **evidence.of(wanted)}
            if observe is not None:
                observations[fault.id] = observe(readings)
            else:
                found, not_seen = judge(fault, readings)
                findings.extend(found)
                unknown.extend(not_seen)
        except Unavailable as reason:
            unknown.append(Unknown(fault.id, here, str(reason)))
            continue
        except Exception as error:
            unknown.append(Unknown(fault.id, here, broken(error)))
            continue
        unknown.extend(Unknown(fault.id, target, reason) for target, reason in evidence.gaps(wanted))
    return {
        "findings": findings,
        "unknown": [entry.as_dict() for entry in unknown],
        "observations": observations,
    }


def together(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The results of two `examine` of different faults as one."""
    return {
        "findings": [*first["findings"], *second["findings"]],
        "unknown": [*first["unknown"], *second["unknown"]],
        "observations": {**first["observations"], **second["observations"]},
    }


def judge(fault: Fault, evidence: Evidence) -> tuple[list[dict[str, Any]], list[Unknown]]:
    """What a fault finds in the evidence, in the report's form, and what it could not judge."""
    yielded = list(fault.detect(evidence))
    findings = [fault.report(entry) for entry in yielded if isinstance(entry, Finding)]
    return findings, [entry for entry in yielded if isinstance(entry, Unknown)]


def seen_twice(first: Mapping[str, Any], second: Mapping[str, Any], faults: Iterable[Fault]) -> dict[str, Any]:
    """The first result of `examine`, of the given faults only what the second one shows too, as the second shows it."""
    ids = {fault.id for fault in faults}
    before = {key_of(finding) for finding in first["findings"]}
    return {
        "findings": [finding for finding in first["findings"] if finding["fault"] not in ids]
        + [finding for finding in second["findings"] if key_of(finding) in before],
        "unknown": [entry for entry in first["unknown"] if entry["fault"] not in ids] + second["unknown"],
        "observations": {
            **first["observations"],
            **{fault: _lasting(first["observations"].get(fault), now) for fault, now in second["observations"].items()},
        },
    }


def _lasting(before: Any, now: Any) -> Any:
    """An observation with only the suspects that were there before; each carries what it was then."""
    if not isinstance(now, dict) or "suspects" not in now:
        return now
    earlier = (before or {}).get("suspects", {})
    lasting = {name: {**entry, "before": earlier[name]} for name, entry in now["suspects"].items() if name in earlier}
    return {**now, "suspects": lasting}


def suspicious(result: Mapping[str, Any], faults: Iterable[Fault]) -> list[Fault]:
    """The transient faults of which there is something that a second look has to confirm."""
    found = {finding["fault"] for finding in result["findings"]}
    found |= {
        fault for fault, seen in result["observations"].items() if isinstance(seen, dict) and seen.get("suspects")
    }
    return [fault for fault in faults if fault.transient and fault.id in found]


class _Readings:
    """What the readers gave, each asked once; what one could not read is raised again for each fault that asks."""

    def __init__(self, read: Read, here: Target) -> None:
        self._read = read
        self._here = here
        self._known: dict[str, Any] = {}

    def of(self, names: Iterable[str]) -> Evidence:
        return {name: self._one(name) for name in names}

    def _one(self, name: str) -> Any:
        if name not in self._known:
            try:
                self._known[name] = self._read(name)
            except Unavailable as reason:
                self._known[name] = reason
        if isinstance(self._known[name], Unavailable):
            raise self._known[name]
        return self._known[name]

    def gaps(self, names: Iterable[str]) -> list[tuple[Target, str]]:
        """What the readers say they did not see: {"gaps": [{"reason": ..., "target": {...} or absent}]}."""
        found = []
        for name in names:
            reading = self._known[name]
            for gap in reading.get("gaps", ()) if isinstance(reading, Mapping) else ():
                target = gap.get("target")
                found.append((Target(**target) if isinstance(target, Mapping) else self._here, gap["reason"]))
        return found


def broken(error: Exception) -> str:
    """What to say of a check that failed by a mistake of its own; the value in question stays out of it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_name}, line {place.tb_lineno}" if place else "unknown place"
    return f"the check itself failed ({type(error).__name__} in {where}); please report it"
