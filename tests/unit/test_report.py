# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report is valid by its own schema, readable, and honest about its exit status."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _report

import stackmend
from stackmend import report as rendering

FINDING = {
    "fault": "image_ide_bus",
    "reference": "F11",
    "target": {"type": "image", "id": "i1", "name": "old"},
    "certainty": "certain",
    "severity": "high",
    "summary": "Image 'old' asks for an IDE bus",
    "evidence": {"subject": "hw_cdrom_bus"},
    "expected": "no hw_cdrom_bus",
    "actual": "hw_cdrom_bus=ide",
    "remedy": {"role": "image_properties", "risk": "safe", "vars": {"x": [{}]}, "rolled": False, "host": None},
    "status": "found",
    "reason": "",
}
UNKNOWN = {"fault": "image_ide_bus", "target": {"type": "host", "id": "c1", "name": "c1"}, "reason": "no route"}


def _built(**parts: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "findings": [],
        "unknown": [],
        "checked": {"hosts": 2, "faults": 7, "objects": {"image": 1}},
    }
    fixed = {"run_id": "r1", "mode": "diagnose", "started": _report.now(), "changed": 0}
    return _report.build(**{**given, **fixed, **parts})


@pytest.mark.parametrize(
    ("hosts", "objects", "where"),
    [
        (2, {"image": 1, "server": 3}, "on 2 hosts and 1 image, 3 servers:"),
        (2, {}, "on 2 hosts:"),
        (0, {"image": 1}, "on 1 image:"),
        (0, {}, "on 0 hosts:"),
    ],
)
def test_the_summary_says_where_was_looked(hosts: int, objects: dict[str, int], where: str) -> None:
    built = _built(checked={"hosts": hosts, "faults": 7, "objects": objects})
    assert f" 7 faults looked for {where} " in f" {_report.summary(built)}"


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({}, 0),
        ({"findings": [FINDING]}, 2),
        ({"unknown": [UNKNOWN]}, 3),
        ({"findings": [FINDING], "unknown": [UNKNOWN]}, 2),
        ({"findings": [{**FINDING, "status": "fixed"}]}, 0),
        ({"findings": [{**FINDING, "status": "gone"}], "unknown": [UNKNOWN]}, 3),
        ({"findings": [{**FINDING, "status": "failed"}]}, 2),
        ({"findings": [{**FINDING, "status": "awaiting_approval"}]}, 2),
    ],
)
def test_the_exit_status_says_what_remains(parts: dict[str, Any], status: int) -> None:
    assert stackmend.Report.of(_built(**parts)).exit_status == status


@pytest.mark.parametrize(
    ("outcome", "status"), [("restored", 0), ("unchanged", 0), ("would_restore", 0), ("conflict", 1), ("failed", 1)]
)
def test_a_rollback_that_left_something_fails(outcome: str, status: int) -> None:
    document = _built(mode="rollback")
    document["undone"] = [{"host": "c1", "what": "file /x", "status": outcome, "reason": ""}]
    report = stackmend.Report.of(document)
    assert report.exit_status == status
    assert rendering.as_json(report)
    assert "file /x" in rendering.as_table(report)


def test_the_report_is_valid_by_its_schema() -> None:
    report = stackmend.Report.of(_built(findings=[FINDING], unknown=[UNKNOWN]))
    assert '"schema": 1' in rendering.as_json(report)
    assert report.findings[0].target.name == "old"


def test_the_table_has_no_control_characters_and_folds_equal_reasons() -> None:
    hostile = {**FINDING, "summary": "a name with \x1b[31m colour"}
    document = _built(findings=[hostile], unknown=[UNKNOWN, {**UNKNOWN, "fault": "evacuation_not_strict"}])
    text = _report.table(document)
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.count("no route") == 1
    assert "c1 (evacuation_not_strict, image_ide_bus): no route" in text


def test_the_moments_are_rfc_3339() -> None:
    document = _built()
    assert document["started"].endswith("Z")
    assert document["duration_seconds"] >= 0


def test_the_host_that_gave_no_journal_is_a_failure() -> None:
    undone = _report.undone({"control node": {"undone": []}, "c1": {"unreachable": True, "msg": "no route\nmore"}})
    assert undone == [{"host": "c1", "what": "the journal", "status": "failed", "reason": "no route"}]
