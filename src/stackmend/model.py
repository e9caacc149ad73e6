# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _report, _scheduling_table, _trace


@dataclass(frozen=True)
class Target:
    """A host or an API object."""

    type: str
    id: str
    name: str


@dataclass(frozen=True)
class Finding:
    """A fault seen on a target. `remedy` is {"role", "risk", "vars", "rolled", "host"}, or None where there is only advice."""

    fault: str
    reference: str
    target: Target
    certainty: str
    severity: str
    summary: str
    evidence: Mapping[str, Any]
    expected: str
    actual: str
    remedy: Mapping[str, Any] | None
    status: str
    reason: str


@dataclass(frozen=True)
class Unknown:
    """A check that could not be made, and why."""

    fault: str
    target: Target
    reason: str


@dataclass(frozen=True)
class Undone:
    """One change that a rollback looked at: restored, would_restore, unchanged, conflict or failed."""

    host: str
    what: str
    status: str
    reason: str


@dataclass(frozen=True)
class Progress:
    """How far a run has come: what it is doing, and how many hosts it is done with in that."""

    stage: str
    hosts_done: int


@dataclass(frozen=True)
class Report:
    """What a run found and did. `document` is the JSON report (schema version 1)."""

    run_id: str
    mode: str
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]
    undone: tuple[Undone, ...]
    changed: int
    duration_seconds: float
    document: Mapping[str, Any]

    @property
    def exit_status(self) -> int:
        """0 nothing found and everything checked, 2 findings remain, 3 some checks could not be made."""
        return _report.exit_status(self.document)

    @property
    def summary(self) -> str:
        """The report in one sentence."""
        return _report.summary(self.document)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Report:
        """Read a JSON report."""
        return cls(
            run_id=document["run_id"],
            mode=document["mode"],
            findings=tuple(
                Finding(**{**finding, "target": Target(**finding["target"])}) for finding in document["findings"]
            ),
            unknown=tuple(Unknown(**{**entry, "target": Target(**entry["target"])}) for entry in document["unknown"]),
            undone=tuple(Undone(**entry) for entry in document.get("undone", ())),
            changed=document["changed"],
            duration_seconds=document["duration_seconds"],
            document=document,
        )


@dataclass(frozen=True)
class HostVerdict:
    """What becomes of a server on one host: "fits", "refused" or "unknown", and why, the weightiest reason first."""

    host: str
    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """Whether a server finds a host. `document` is the JSON answer (explanation, schema version 1)."""

    verdict: str
    summary: str
    fits: tuple[str, ...]
    hosts: tuple[HostVerdict, ...]
    unknown: tuple[str, ...]
    assumptions: tuple[str, ...]
    document: Mapping[str, Any]

    @property
    def exit_status(self) -> int:
        """0 a host takes it, 2 none does, 3 that cannot be known."""
        return _scheduling_table.EXIT_STATUS[self.verdict]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Explanation:
        """Read a JSON answer."""
        return cls(
            verdict=document["verdict"],
            summary=document["summary"],
            fits=tuple(document["fits"]),
            hosts=tuple(
                HostVerdict(
                    host["host"],
                    host["verdict"],
                    tuple(entry["reason"] for entry in (*host["refusals"], *host["unknown"])),
                )
                for host in document["hosts"]
            ),
            unknown=tuple(document["unknown"]),
            assumptions=tuple(document["assumptions"]),
            document=document,
        )


@dataclass(frozen=True)
class Moment:
    """One thing that happened: when (RFC 3339, UTC; None where it cannot be told), where, how bad, and what."""

    time: str | None
    host: str
    service: str
    level: str
    what: str


@dataclass(frozen=True)
class TracedRequest:
    """How far one request came. verdict: "clear", "cause", "waiting" or "unknown"; faults: ids of those that fit."""

    request_id: str
    action: str | None
    verdict: str
    reading: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """What became of a server or request. `document` is the JSON answer (trace, schema version 1)."""

    verdict: str
    summary: str
    requests: tuple[TracedRequest, ...]
    timeline: tuple[Moment, ...]
    unknown: tuple[str, ...]
    document: Mapping[str, Any]

    @property
    def exit_status(self) -> int:
        """0 nothing wrong was read, 2 a cause was, 3 that could not be known."""
        return _trace.EXIT_STATUS[self.verdict]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Trace:
        """Read a JSON answer."""
        return cls(
            verdict=document["verdict"],
            summary=document["summary"],
            requests=tuple(
                TracedRequest(
                    request["request_id"],
                    request["action"],
                    request["verdict"],
                    request["reading"],
                    tuple(fault["fault"] for fault in request["faults"]),
                )
                for request in document["requests"]
            ),
            timeline=tuple(
                Moment(entry["time"], entry["host"], entry["service"], entry["level"], entry["what"])
                for entry in document["timeline"]
            ),
            unknown=tuple(document["unknown"]),
            document=document,
        )
