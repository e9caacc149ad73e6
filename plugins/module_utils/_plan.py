# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn findings into steps: merged, gated by what is approved, capped, and ordered; and settle what came of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ._catalogue import FAULTS
from ._model import RISKS, at_most, key_of

Report = Mapping[str, Any]

DEFAULT_MAX_CHANGES: tuple[Any, ...] = (10, "20%")
# A percentage alone would forbid any change in a small cloud: it never means fewer than this many targets.
SMALLEST_SHARE = 3
CONTROLLER_GROUPS = ("controllers", "controller", "control", "Controller", "os-control", "infra_hosts")
COMPUTE_GROUPS = ("computes", "compute", "Compute", "compute_hosts", "nova_compute")


def limit_of(max_changes: Any, population: int) -> int:
    """How many targets of one fault may be changed.

    max_changes: a number, a percentage such as "20%", or a list of these, of which the smallest counts.
    population: how many targets of that kind were looked at. Raises ValueError with a sentence.
    """
    limits = []
    for value in max_changes if isinstance(max_changes, (list, tuple)) else [max_changes]:
        text = str(value).strip().replace(" ", "")
        if isinstance(value, bool) or not re.fullmatch(r"\d+%?", text):
            raise ValueError(
                f"stackmend_max_changes is {value!r}: give a number of targets or a percentage such as 20%"
            )
        if text.endswith("%"):
            limits.append(max(SMALLEST_SHARE, math.ceil(population * int(text[:-1]) / 100)))
        else:
            limits.append(int(text))
    if not limits:
        raise ValueError("stackmend_max_changes is empty: give a number of targets or a percentage such as 20%")
    return min(limits)


def plan(
    findings: Iterable[Report],
    *,
    approve: str,
    approve_targets: Mapping[str, Sequence[str]],
    max_changes: Any,
    check_mode: bool,
    checked: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Decide what is done about each finding.

    checked: as `correlate` returns it. groups: the inventory's groups.
    Returns {"findings": the findings with their status and reason, "steps": [step], "together": [host], "rolled": [host],
    "kinds_together": [kind], "control": bool, "again": {"faults": [...], "hosts": [...] or None for all}}.
    A step is {"id", "kind": {"role", "approved"}, "host" (None: the control node), "role", "vars", "risk", "approved",
    "rolled", "keys", "faults"}; in check mode the steps that are not approved are in it too, so that their difference can
    be shown.
    """
    judged = [dict(finding) for finding in findings]
    over = _over_the_limit(judged, max_changes, checked)
    steps: dict[tuple[Any, ...], dict[str, Any]] = {}
    for finding in judged:
        remedy, fault = finding["remedy"], finding["fault"]
        if remedy is None:
            continue
        if fault in over:
            finding["status"], finding["reason"] = "skipped", over[fault]
            continue
        approved = at_most(remedy["risk"], approve) or _named(approve_targets, finding)
        if not approved:
            finding["status"] = "awaiting_approval"
            finding["reason"] = _why_it_waits(finding, approve)
            if not check_mode:
                continue
        elif check_mode:
            finding["status"] = "would_change"
        host = remedy.get("host") or (finding["target"]["id"] if finding["target"]["type"] == "host" else None)
        place = (host, remedy["role"], approved, remedy["rolled"])
        step = steps.setdefault(
            place,
            {
                "id": len(steps),
                "kind": {"role": remedy["role"], "approved": approved},
                "host": host,
                "role": remedy["role"],
                "vars": {},
                "risk": remedy["risk"],
                "approved": approved,
                "rolled": remedy["rolled"],
                "keys": [],
                "faults": [],
            },
        )
        step["keys"].append(key_of(finding))
        if fault not in step["faults"]:
            step["faults"].append(fault)
        step["risk"] = RISKS[max(RISKS.index(step["risk"]), RISKS.index(remedy["risk"]))]
        for name, wishes in remedy["vars"].items():
            merged = step["vars"].setdefault(name, [])
            merged.extend(wish for wish in wishes if wish not in merged)

    ordered = list(steps.values())
    _same_variables(ordered)
    together = [step["host"] for step in ordered if step["host"] and not step["rolled"]]
    rolled = [step["host"] for step in ordered if step["host"] and step["rolled"]]
    return {
        "findings": judged,
        "steps": ordered,
        "together": list(dict.fromkeys(together)),
        "kinds_together": _distinct(step["kind"] for step in ordered if step["host"] and not step["rolled"]),
        "rolled": sorted(dict.fromkeys(rolled), key=lambda host: _rank(host, groups)),
        "control": any(step["host"] is None for step in ordered),
        "again": _again(ordered, check_mode),
    }


def _again(steps: Iterable[dict[str, Any]], check_mode: bool) -> dict[str, Any]:
    """What is looked at again afterwards: the faults that are worked on, on the hosts where they can show."""
    taken = [] if check_mode else [step for step in steps if step["approved"]]
    faults = list(dict.fromkeys(fault for step in taken for fault in step["faults"]))
    # A fault that compares hosts shows on others than the one that is changed.
    everywhere = any(FAULTS[fault].observe_host is not None for fault in faults if fault in FAULTS)
    hosts = None if everywhere else list(dict.fromkeys(step["host"] for step in taken if step["host"]))
    return {"faults": faults, "hosts": hosts}


def _distinct(kinds: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """In their order, each once."""
    found: list[dict[str, Any]] = []
    for kind in kinds:
        if kind not in found:
            found.append(kind)
    return found


def _over_the_limit(findings: Iterable[Report], max_changes: Any, checked: Mapping[str, Any]) -> dict[str, str]:
    targets: dict[str, set[tuple[str, str]]] = {}
    for finding in findings:
        if finding["remedy"] is not None:
            targets.setdefault(finding["fault"], set()).add((finding["target"]["type"], finding["target"]["id"]))
    over = {}
    for fault, there in targets.items():
        kind = next(iter(there))[0]
        population = checked["hosts"] if kind == "host" else checked["objects"].get(kind, len(there))
        limit = limit_of(max_changes, population)
        if len(there) > limit:
            over[fault] = (
                f"{len(there)} of {population} targets have this fault and stackmend_max_changes allows {limit}: "
                "none of them is changed. Raise it once it is clear that all of them are meant"
            )
    return over


def _named(approve_targets: Mapping[str, Sequence[str]], finding: Report) -> bool:
    return finding["target"]["id"] in approve_targets.get(finding["fault"], ())


def _why_it_waits(finding: Report, approve: str) -> str:
    risk = finding["remedy"]["risk"]
    why = f"{finding['reason']}; " if finding["reason"] else ""
    return (
        f"{why}its risk is {risk} and {approve} is approved: set stackmend_approve={risk}, "
        f"or name {finding['target']['id']} in stackmend_approve_targets.{finding['fault']}"
    )


def _same_variables(steps: Iterable[dict[str, Any]]) -> None:
    """Give every step of a role the same variables, so that none inherits a wish from the step before it."""
    names: dict[str, set[str]] = {}
    steps = list(steps)
    for step in steps:
        names.setdefault(step["role"], set()).update(step["vars"])
    for step in steps:
        for name in names[step["role"]]:
            step["vars"].setdefault(name, [])


def _rank(host: str, groups: Mapping[str, Sequence[str]]) -> int:
    """Controllers before everything else, computes last."""
    if any(host in groups.get(group, ()) for group in CONTROLLER_GROUPS):
        return 0
    return 2 if any(host in groups.get(group, ()) for group in COMPUTE_GROUPS) else 1


def preview(planned: Mapping[str, Any], outcomes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The planned findings, with what their steps learnt in check mode: what they would leave alone, and why."""
    steps = {key: step for step in planned["steps"] for key in step["keys"]}
    findings = [dict(finding) for finding in planned["findings"]]
    for finding in findings:
        step = steps.get(key_of(finding))
        outcome = outcomes.get(str(step["id"])) if step else None
        if outcome and outcome["failed"]:
            finding["status"], finding["reason"] = "failed", f"the remedy could not be tried: {outcome['failed']}"
        elif outcome and _left(finding, outcome):
            finding["status"], finding["reason"] = _left(finding, outcome) or ("", "")
    return findings


def _left(finding: Report, outcome: Mapping[str, Any]) -> Optional[tuple[str, str]]:
    """Status and reason of a finding whose wish the step left alone; None when it did not."""
    subject = finding["evidence"].get("subject", "")
    # One step may hold wishes for many objects, so theirs carry the object's id too.
    names = (subject, f"{finding['target']['id']} {subject}")
    if any(name in outcome["gone"] for name in names):
        return "gone", "it has changed meanwhile and was left alone"
    for entry in outcome.get("left", ()):
        if entry["subject"] in names:
            return "skipped", entry["reason"]
    return None


def settle(
    planned: Mapping[str, Any], outcomes: Mapping[str, Optional[Mapping[str, Any]]], after: Mapping[str, Any]
) -> dict[str, Any]:
    """What became of each finding, once the steps ran and the same checks were made again.

    outcomes: {step id: {"changed", "gone": [subjects], "failed": sentence or ""}}; a step without one was not run.
    after: what `correlate` returned for the faults of the steps, afterwards.
    Returns {"findings", "changed": how many targets were changed, "new": findings that were not there before}.
    """
    still = {key_of(finding): finding for finding in after["findings"]}
    unseen = {
        (entry["fault"], entry["target"]["type"], entry["target"]["id"]): entry["reason"] for entry in after["unknown"]
    }
    ran = {key: step for step in planned["steps"] if step["approved"] for key in step["keys"]}
    findings = [dict(finding) for finding in planned["findings"]]
    changed = set()
    for finding in findings:
        key = key_of(finding)
        if key not in ran:
            continue
        outcome = outcomes.get(str(ran[key]["id"]))
        target = (finding["fault"], finding["target"]["type"], finding["target"]["id"])
        finding["status"], finding["reason"] = _outcome(finding, outcome, key in still, unseen.get(target))
        if finding["status"] == "fixed" or (outcome and outcome["changed"] and finding["status"] == "failed"):
            changed.add(target[1:])
    before = {key_of(finding) for finding in findings}
    return {
        "findings": findings,
        "changed": len(changed),
        "new": [finding for key, finding in still.items() if key not in before],
    }


def _outcome(
    finding: Report, outcome: Optional[Mapping[str, Any]], is_still_there: bool, unseen: Optional[str]
) -> tuple[str, str]:
    if outcome is None:
        return "skipped", "it was not begun, because an earlier step failed or the host could not be reached"
    if outcome["failed"]:
        return "failed", outcome["failed"]
    left = _left(finding, outcome)
    if left:
        return left
    if is_still_there:
        return "failed", "the remedy was applied and the fault is still there"
    if unseen:
        return "failed", f"the remedy was applied; whether the fault is gone could not be checked: {unseen}"
    return ("fixed", "") if outcome["changed"] else ("gone", "it was not there any more")
