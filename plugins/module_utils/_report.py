# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run (schema version 1), and the table that a person reads of it."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from ._words import listed

SCHEMA = 1
_REMAINING = ("found", "would_change", "awaiting_approval", "failed", "skipped")


def now() -> str:
    """The time, as RFC 3339 in UTC with milliseconds."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(started: str, finished: str) -> float:
    first, last = (datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in (started, finished))
    return round((last - first).total_seconds(), 3)


def build(
    *,
    run_id: str,
    mode: str,
    started: str,
    findings: Iterable[Mapping[str, Any]],
    unknown: Iterable[Mapping[str, Any]],
    checked: Mapping[str, Any],
    changed: int,
) -> dict[str, Any]:
    """The report as a document. mode: diagnose, check, remediate or rollback."""
    finished = now()
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "started": started,
        "finished": finished,
        "mode": mode,
        "findings": list(findings),
        "unknown": list(unknown),
        "checked": dict(checked),
        "changed": changed,
        "duration_seconds": seconds_between(started, finished),
    }


def first_line(result: Mapping[str, Any]) -> str:
    """Why a task failed: the first line of its message."""
    return (str(result.get("msg", "")).strip() or "no reason was given").splitlines()[0]


def undone(places: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """What a rollback did: {place: what journal_rollback returned there} as a list; a place without an answer failed."""
    entries: list[dict[str, str]] = []
    for place, result in places.items():
        if "undone" in result:
            entries.extend({"host": place, **entry} for entry in result["undone"])
        else:
            reason = first_line(result)
            entries.append({"host": place, "what": "the journal", "status": "failed", "reason": reason})
    return entries


def remaining(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The findings that are still to be dealt with after this run."""
    return [finding for finding in report["findings"] if finding["status"] in _REMAINING]


def exit_status(report: Mapping[str, Any]) -> int:
    """0 nothing found and everything checked, 2 findings remain, 3 some checks could not be made, 1 a rollback that failed."""
    if report["mode"] == "rollback":
        return 1 if any(entry["status"] in ("conflict", "failed") for entry in report["undone"]) else 0
    if remaining(report):
        return 2
    return 3 if report["unknown"] else 0


def table(report: Mapping[str, Any], width: int = 120) -> str:
    """The report for a terminal, in lines of at most `width` columns, without control characters."""
    if report["mode"] == "rollback":
        return _rollback_table(report)
    lines = []
    for finding in report["findings"]:
        target = finding["target"]
        lines.append(
            f"{finding['severity'].upper():<8}  {finding['fault']} ({finding['reference']})  "
            f"{target['type']} {target['name']}  [{finding['certainty']}]  {_status(finding)}"
        )
        lines.extend(_wrapped(finding["summary"], width))
        if finding["actual"] or finding["expected"]:
            lines.extend(_wrapped(f"is: {finding['actual']}   should be: {finding['expected']}", width))
        if finding["reason"]:
            lines.extend(_wrapped(f"note: {finding['reason']}", width))
        lines.append("")
    if report["unknown"]:
        lines.append("NOT CHECKED")
        for reason, entries in _by_reason(report["unknown"]).items():
            lines.extend(_wrapped(f"{', '.join(entries)}: {reason}", width))
        lines.append("")
    lines.append(summary(report))
    return "\n".join(_printable(line) for line in lines)


def summary(report: Mapping[str, Any]) -> str:
    """One sentence: what was looked at and what came of it."""
    if report["mode"] == "rollback":
        restored = sum(entry["status"] in ("restored", "would_restore") for entry in report["undone"])
        verb = (
            "would be restored" if any(entry["status"] == "would_restore" for entry in report["undone"]) else "restored"
        )
        return f"Run {report['run_id']}: {restored} of {len(report['undone'])} changes {verb}."
    checked = report["checked"]
    objects = ", ".join(
        f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(checked["objects"].items())
    )
    hosts = f"{checked['hosts']} hosts" if checked["hosts"] or not objects else ""
    counts: dict[str, int] = {}
    for finding in report["findings"]:
        counts[_status(finding)] = counts.get(_status(finding), 0) + 1
    found = ", ".join(f"{number} {status}" for status, number in counts.items()) or "no fault found"
    return (
        f"{checked['faults']} faults looked for on {' and '.join(filter(None, (hosts, objects)))}: "
        f"{found}; {len(report['unknown'])} checks could not be made; {report['changed']} changed "
        f"(run {report['run_id']}, {report['duration_seconds']:.1f} s)"
    )


def _rollback_table(report: Mapping[str, Any]) -> str:
    lines = []
    for entry in report["undone"]:
        note = f"  ({entry['reason']})" if entry["reason"] else ""
        lines.append(f"{entry['status'].replace('_', ' '):<14} {entry['host']}: {entry['what']}{note}")
    return "\n".join(_printable(line) for line in [*lines, summary(report)])


def _status(finding: Mapping[str, Any]) -> str:
    return str(finding["status"]).replace("_", " ")


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * 10, subsequent_indent=" " * 10, break_on_hyphens=False)


def _by_reason(unknown: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Twenty checks that failed for one reason on one target are one line."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for entry in unknown:
        grouped.setdefault((entry["target"]["name"], entry["reason"]), []).append(entry["fault"])
    lines: dict[str, list[str]] = {}
    for (target, reason), faults in grouped.items():
        lines.setdefault(reason, []).append(f"{target} ({listed(sorted(set(faults)), 4)})")
    return lines


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in line)
