# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nouns of Stackmend: fault, finding, target, remedy, risk, certainty, unknown. Nothing else.

Python 3.9 and the standard library only: this file runs on every target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

# Weakest first: "at least probable" and "at most restart" are comparisons of positions.
CERTAINTIES = ("possible", "probable", "certain")
RISKS = ("safe", "restart", "disruptive", "destructive")
SEVERITIES = ("low", "medium", "high", "critical")


class Certainty:
    """How sure a finding is (FAULTS.md 0.3: C, P, W)."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"


class Risk:
    """What applying a remedy can cost."""

    SAFE = "safe"
    RESTART = "restart"
    DISRUPTIVE = "disruptive"
    DESTRUCTIVE = "destructive"


class Unavailable(Exception):
    """Evidence that could not be read; the sentence says what, where and why.

    A reader raises it, the checks that rest on that reader become `Unknown`, and nothing else is affected.
    """


class ChangeFailed(Exception):
    """Something that could not be changed, or put back, as asked; the sentence says what, why, and what to do.

    done: what a module then returns beside the sentence, of a change that was begun.
    """

    def __init__(self, sentence: str, **done: Any) -> None:
        super().__init__(sentence)
        self.done = done


@dataclass(frozen=True)
class Target:
    """A host (type "host", id the inventory name) or an API object (type such as "image", id its uuid)."""

    type: str
    id: str
    name: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"type": self.type, "id": self.id, "name": self.name or self.id}


@dataclass(frozen=True)
class Remedy:
    """A role and the variables that make it state the desired result.

    `vars` holds lists only: the plan concatenates those of several findings that share a role and a place to run.
    A finding about a host is remedied on that host, any other once on the control node, unless `host` names (as the
    inventory does) the one host where it is done, such as a controller that has nova-manage.
    `rolled` remedies run one host at a time; a remedy that restarts something always is.
    """

    role: str
    risk: str
    vars: Mapping[str, list[Any]]
    rolled: bool = False
    host: Optional[str] = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "role": self.role,
            "risk": self.risk,
            "vars": {name: list(wishes) for name, wishes in self.vars.items()},
            "rolled": self.rolled or self.risk == Risk.RESTART,
            "host": self.host,
        }


@dataclass(frozen=True)
class Finding:
    """A fault seen on a target.

    `subject` names the thing inside the target that is at fault ("/etc/nova/nova.conf [api] auth_strategy"), so that
    two findings of one fault on one target stay apart; together with fault and target it identifies the finding.
    `evidence` says what was read and where, without secrets.
    """

    fault: str
    target: Target
    certainty: str
    summary: str
    subject: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    expected: str = ""
    actual: str = ""
    remedy: Optional[Remedy] = None
    severity: Optional[str] = None
    reason: str = ""


@dataclass(frozen=True)
class Unknown:
    """A check that could not be made, and why. It is never reported as healthy."""

    fault: str
    target: Target
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return {"fault": self.fault, "target": self.target.as_dict(), "reason": self.reason}


Evidence = Mapping[str, Any]
Detect = Callable[[Evidence], Iterator[Union[Finding, Unknown]]]
Observe = Callable[[Evidence], Optional[dict[str, Any]]]


@dataclass(frozen=True)
class Fault:
    """One entry of the catalogue; the file that makes it states everything about the fault.

    id, reference: "image_ide_bus", "F11" (FAULTS.md).
    scope: where it shows: host, cloud, fleet, or two of them joined by "+".
    severity: of a finding that does not say otherwise.
    symptom, cause, fix: one or two sentences each, for the reader of a report and of docs/faults/<id>.md.
    host_evidence, cloud_evidence: the readers (names in `_evidence`) that `detect` or the observers need.
    cloud_hints: readers of the cloud that make it more exact where they can be had, and that it can do without.
    detect: a pure function. Without observers it receives {reader name: what was read} on the host or beside the
        APIs. With observers it runs on the control node and receives
        {"hosts": {inventory name: observation}, "cloud": observation or None}. It yields findings, and Unknown for
        a check that the evidence does not allow.
    observe_host, observe_cloud: pure functions that reduce the evidence to the few facts `detect` compares; they
        keep what travels small. None means that this side has nothing to say.
    recorded: whether the databases of nova and placement can tell about which few objects the APIs have to be asked.
    transient: whether a healthy cloud looks like this for a moment, so that only what is seen twice, some time apart,
        is a finding (FAULTS.md 0.4). Where such a fault has observers, observe_cloud puts what has to be seen twice in
        {"suspects": {name: {...}}}; detect gets those that lasted, each with what it was "before".
    """

    id: str
    reference: str
    title: str
    scope: str
    severity: str
    symptom: str
    cause: str
    fix: str
    detect: Detect
    host_evidence: tuple[str, ...] = ()
    cloud_evidence: tuple[str, ...] = ()
    cloud_hints: tuple[str, ...] = ()
    observe_host: Optional[Observe] = None
    observe_cloud: Optional[Observe] = None
    recorded: bool = False
    transient: bool = False

    @property
    def correlated(self) -> bool:
        """Whether it is judged on the control node, from what hosts and cloud observed."""
        return self.observe_host is not None or self.observe_cloud is not None

    def rests_on(self, place: str) -> bool:
        """Whether anything is read for it on "hosts", of the "cloud", or in the "databases" of controllers."""
        if place == "databases":
            return self.recorded
        return bool(self.host_evidence if place == "hosts" else (*self.cloud_evidence, *self.cloud_hints))

    def report(self, finding: Finding, status: str = "found") -> dict[str, Any]:
        """The finding as the JSON report has it (schema version 1)."""
        evidence = dict(finding.evidence)
        if finding.subject:
            evidence["subject"] = finding.subject
        return {
            "fault": self.id,
            "reference": self.reference,
            "target": finding.target.as_dict(),
            "certainty": finding.certainty,
            "severity": finding.severity or self.severity,
            "summary": finding.summary,
            "evidence": evidence,
            "expected": finding.expected,
            "actual": finding.actual,
            "remedy": finding.remedy.as_dict() if finding.remedy else None,
            "status": status,
            "reason": finding.reason,
        }


def key_of(finding: Mapping[str, Any]) -> str:
    """What makes a finding of the report the same one in two runs: fault, target, and the thing in the target."""
    target = finding["target"]
    return "\n".join((finding["fault"], target["type"], target["id"], finding["evidence"].get("subject", "")))


def at_least(certainty: str, floor: str) -> bool:
    """Whether a certainty reaches the floor."""
    return CERTAINTIES.index(certainty) >= CERTAINTIES.index(floor)


def at_most(risk: str, ceiling: str) -> bool:
    """Whether a risk stays within what is approved."""
    return RISKS.index(risk) <= RISKS.index(ceiling)
