# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan merges, orders, and holds back what is not approved or would change too much."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _plan
from ansible_collections.stackmend.openstack.plugins.module_utils._model import key_of

CHECKED = {"hosts": 4, "faults": 6, "objects": {"image": 40}}
GROUPS = {"controllers": ["ctl1", "ctl2"], "computes": ["c1", "c2"]}


def _finding(
    fault: str = "image_ide_bus", target: str = "i1", kind: str = "image", risk: str = "safe", **more: Any
) -> dict[str, Any]:
    role = more.pop("role", "image_properties")
    return {
        "fault": fault,
        "target": {"type": kind, "id": target, "name": target},
        "certainty": "certain",
        "severity": "high",
        "evidence": {"subject": more.pop("subject", "hw_cdrom_bus")},
        "remedy": {
            "role": role,
            "risk": risk,
            "vars": {f"{role}_wishes": [{"id": target, **more}]},
            "rolled": risk == "restart",
            "host": None,
        },
        "status": "found",
        "reason": "",
    }


def _plan_of(findings: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "approve": "safe",
        "approve_targets": {},
        "max_changes": list(_plan.DEFAULT_MAX_CHANGES),
        "check_mode": False,
        "checked": CHECKED,
        "groups": GROUPS,
    }
    return _plan.plan(findings, **{**given, **settings})


def test_two_faults_of_images_are_one_step_on_the_control_node() -> None:
    planned = _plan_of([_finding(property="a"), _finding("image_guest_agent_missing", property="b")])
    assert [(step["host"], step["role"]) for step in planned["steps"]] == [(None, "image_properties")]
    assert [wish["property"] for wish in planned["steps"][0]["vars"]["image_properties_wishes"]] == ["a", "b"]
    assert planned["control"]


def test_a_risk_above_what_is_approved_waits_and_says_how_to_approve_it() -> None:
    planned = _plan_of([_finding(risk="disruptive")])
    assert planned["steps"] == []
    assert planned["findings"][0]["status"] == "awaiting_approval"
    assert "stackmend_approve=disruptive" in planned["findings"][0]["reason"]


def test_check_mode_also_shows_what_is_not_approved_and_marks_it() -> None:
    planned = _plan_of([_finding(), _finding(target="i2", risk="disruptive")], check_mode=True)
    assert [step["approved"] for step in planned["steps"]] == [True, False]
    assert [finding["status"] for finding in planned["findings"]] == ["would_change", "awaiting_approval"]


def test_a_target_approved_by_name_is_changed_whatever_its_risk_and_no_other() -> None:
    findings = [_finding(risk="destructive"), _finding(target="i2", risk="destructive")]
    planned = _plan_of(findings, approve_targets={"image_ide_bus": ["i2"]})
    assert [finding["status"] for finding in planned["findings"]] == ["awaiting_approval", "found"]
    assert [step["keys"] for step in planned["steps"]] == [[key_of(findings[1])]]


def test_more_targets_than_allowed_means_that_none_is_changed() -> None:
    planned = _plan_of([_finding(target=f"i{n}") for n in range(9)])
    assert planned["steps"] == []
    assert {finding["status"] for finding in planned["findings"]} == {"skipped"}
    assert "9 of 40 targets" in planned["findings"][0]["reason"]


def test_one_target_with_many_findings_counts_once() -> None:
    planned = _plan_of([_finding(subject=f"p{n}") for n in range(12)])
    assert len(planned["steps"]) == 1


@pytest.mark.parametrize(
    ("max_changes", "population", "limit"),
    [
        ((10, "20%"), 1000, 10),
        ((10, "20%"), 40, 8),
        ((10, "20%"), 4, 3),
        (5, 1000, 5),
        ("50%", 10, 5),
        ("100%", 7, 7),
        (0, 100, 0),
        ("12", 3, 12),
    ],
)
def test_the_limit_is_the_smallest_that_is_given(max_changes: Any, population: int, limit: int) -> None:
    assert _plan.limit_of(max_changes, population) == limit


@pytest.mark.parametrize("max_changes", ["many", "-1", True, "10 percent", [[]], []])
def test_a_limit_that_is_none_is_refused_with_a_sentence(max_changes: Any) -> None:
    with pytest.raises(ValueError, match="stackmend_max_changes"):
        _plan.limit_of(max_changes, 10)


def test_restarts_go_controllers_first_and_computes_last() -> None:
    hosts = ["c1", "other", "ctl2", "ctl1"]
    findings = [_finding("config_value_invalid", host, "host", "restart", role="oslo_config") for host in hosts[:3]]
    planned = _plan_of(findings, approve="restart")
    assert planned["rolled"] == ["ctl2", "other", "c1"]
    assert planned["together"] == []


def test_steps_of_one_role_have_the_same_variables() -> None:
    one, two = _finding("a", "c1", "host", role="r"), _finding("b", "c2", "host", role="r")
    one["remedy"]["vars"]["r_more"] = [1]
    planned = _plan_of([one, two])
    assert planned["steps"][1]["vars"]["r_more"] == []


def test_what_is_looked_at_again_is_what_was_worked_on_where_it_can_show() -> None:
    planned = _plan_of([_finding("config_value_invalid", "c1", "host", role="oslo_config")])
    assert planned["again"] == {"faults": ["config_value_invalid"], "hosts": ["c1"]}
    planned = _plan_of([_finding("migration_ssh_broken", "c1", "host", role="nova_migration_ssh")])
    assert planned["again"] == {"faults": ["migration_ssh_broken"], "hosts": None}
    assert _plan_of([_finding()], check_mode=True)["again"]["faults"] == []


def _settled(outcome: dict[str, Any] | None, after: dict[str, Any] | None = None) -> dict[str, Any]:
    planned = _plan_of([_finding()])
    outcomes = {"0": outcome} if outcome else {}
    return _plan.settle(planned, outcomes, {"findings": [], "unknown": [], **(after or {})})


DONE = {"changed": True, "gone": [], "failed": ""}


@pytest.mark.parametrize(
    ("outcome", "after", "status", "changed"),
    [
        (DONE, {}, "fixed", 1),
        ({**DONE, "changed": False}, {}, "gone", 0),
        ({**DONE, "gone": ["hw_cdrom_bus"]}, {"findings": [_finding()]}, "gone", 0),
        (DONE, {"findings": [_finding()]}, "failed", 1),
        ({**DONE, "changed": False, "failed": "no"}, {"findings": [_finding()]}, "failed", 0),
        (None, {"findings": [_finding()]}, "skipped", 0),
        (
            DONE,
            {"unknown": [{"fault": "image_ide_bus", "target": {"type": "image", "id": "i1"}, "reason": "x"}]},
            "failed",
            1,
        ),
    ],
    ids=["fixed", "was gone", "changed meanwhile", "still there", "role failed", "not begun", "cannot be verified"],
)
def test_what_becomes_of_a_finding(outcome: Any, after: Any, status: str, changed: int) -> None:
    settled = _settled(outcome, after)
    assert (settled["findings"][0]["status"], settled["changed"]) == (status, changed)


def test_what_a_check_learns_of_one_image_is_said_of_that_image_alone() -> None:
    planned = _plan_of([_finding(target="i1"), _finding(target="i2")], check_mode=True)
    outcome = {"gone": ["i1 hw_cdrom_bus"], "left": [{"subject": "i2 hw_cdrom_bus", "reason": "shared"}], "failed": ""}
    found = _plan.preview(planned, {"0": outcome})
    assert [(finding["status"], finding["reason"]) for finding in found] == [
        ("gone", "it has changed meanwhile and was left alone"),
        ("skipped", "shared"),
    ]


def test_a_finding_that_the_fix_brought_about_is_told() -> None:
    settled = _settled(DONE, {"findings": [_finding(target="i9")]})
    assert [finding["target"]["id"] for finding in settled["new"]] == ["i9"]
