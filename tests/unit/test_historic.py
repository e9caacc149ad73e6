# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What logs say is weighed: it makes a finding surer, points at a fault to check, and never leads to a change by itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._fleet import correlate
from ansible_collections.stackmend.openstack.plugins.module_utils._historic import weigh
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Finding, Target

SERVER = "362ee7ed-ea2d-43ce-9bc7-1280223875b7"


def match(fault: str, values: tuple[str, ...] = (), certainty: str = "probable") -> dict[str, Any]:
    line = {"file": "/var/log/nova/nova.log", "line": "what the line says", "time": "2026-11-21T10:00:00.000Z"}
    return {
        "signature": "some_signature",
        "fault": fault,
        "reference": "F00",
        "meaning": "something happened",
        "certainty": certainty,
        "count": 3,
        "first": "2026-11-21T09:00:00.000Z",
        "last": "2026-11-21T10:00:00.000Z",
        "values": list(values),
        "servers": [],
        "lines": [line],
    }


def reading(*matches: dict[str, Any]) -> dict[str, Any]:
    return {"matches": list(matches), "gaps": [], "read": {"files": 1, "bytes": 1}}


def finding(fault: str, target: Target, certainty: str) -> dict[str, Any]:
    return FAULTS[fault].report(Finding(fault, target, certainty, "found", evidence={"source": "live"}))


@pytest.mark.parametrize(
    ("live", "with_logs"), [("possible", "probable"), ("probable", "certain"), ("certain", "certain")]
)
def test_lines_about_the_target_make_what_a_check_found_one_step_surer(live: str, with_logs: str) -> None:
    found = finding("allocation_orphaned", Target("server", SERVER), live)
    logs = {
        "c1": reading(match("allocation_orphaned", (SERVER,))),
        "c2": reading(match("allocation_orphaned", (SERVER,))),
    }
    (weighed,) = weigh(FAULTS.values(), [found], [], logs)
    assert weighed["certainty"] == with_logs
    assert [entry["host"] for entry in weighed["evidence"]["logs"]] == ["c1", "c2"]
    assert weighed["evidence"]["source"] == "live"


def test_lines_of_a_host_make_a_finding_about_that_host_surer_and_no_other() -> None:
    found = [finding("config_value_invalid", Target("host", name), "possible") for name in ("c1", "c2")]
    weighed = weigh(FAULTS.values(), found, [], {"c1": reading(match("config_value_invalid"))})
    assert [entry["certainty"] for entry in weighed] == ["probable", "possible"]


@pytest.mark.parametrize(
    "hint", [match("compute_service_down", ("c9",)), match("compute_service_down", (), "possible")]
)
def test_lines_about_something_else_or_of_every_day_change_nothing(hint: dict[str, Any]) -> None:
    found = finding("compute_service_down", Target("host", "c1"), "possible")
    assert weigh(FAULTS.values(), [found], [], {"c1": reading(hint)}) == [found]


def test_a_line_alone_is_possible_where_the_check_found_nothing_and_has_no_remedy() -> None:
    (alone,) = weigh(FAULTS.values(), [], [], {"c1": reading(match("image_ide_bus"))})
    assert (alone["certainty"], alone["target"]["id"], alone["remedy"]) == ("possible", "c1", None)
    assert "finds nothing now" in alone["reason"]


@pytest.mark.parametrize("certainty", ["possible", "probable"])
def test_a_line_alone_is_probable_at_most_where_the_check_could_not_be_made(certainty: str) -> None:
    unknown = [{"fault": "image_ide_bus", "target": {}, "reason": "no cloud"}]
    (alone,) = weigh(FAULTS.values(), [], unknown, {"c1": reading(match("image_ide_bus", (), certainty))})
    assert alone["certainty"] == certainty
    assert "could not be made" in alone["reason"]


def test_a_fault_that_was_not_asked_for_is_not_pointed_at() -> None:
    assert (
        weigh([FAULTS["image_ide_bus"]], [], [], {"c1": reading(match("cell_host_unmapped"), match("no_such_fault"))})
        == []
    )


def test_the_logs_of_a_host_are_weighed_when_all_is_brought_together_and_their_gaps_are_unknown() -> None:
    result = {
        "findings": [],
        "unknown": [],
        "observations": {},
        "logs": {
            **reading(match("auth_strategy_invalid")),
            "gaps": [{"reason": "/var/log/nova/nova.log cannot be read"}],
        },
    }
    whole = correlate([FAULTS["auth_strategy_invalid"]], {"c1": result}, None)
    assert [(entry["fault"], entry["certainty"]) for entry in whole["findings"]] == [
        ("auth_strategy_invalid", "possible")
    ]
    assert whole["unknown"] == [
        {
            "fault": "logs",
            "target": {"type": "host", "id": "c1", "name": "c1"},
            "reason": "/var/log/nova/nova.log cannot be read",
        }
    ]
    assert correlate([FAULTS["auth_strategy_invalid"]], {"c1": {**result, "logs": None}}, None)["findings"] == []
