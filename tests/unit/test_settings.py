# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook variable that cannot be used is named, with what it may be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._settings import BadSetting, settings


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"faults": ["image_ide_buss"]}, "stackmend_faults: .*did you mean image_ide_bus"),
        ({"approve": "reckless"}, "stackmend_approve is 'reckless': it must be one of safe, restart, disruptive"),
        ({"approve_targets": ["x"]}, "stackmend_approve_targets must be a dictionary"),
        ({"approve_targets": {"image_ide_buss": []}}, "stackmend_approve_targets: "),
        ({"max_changes": "lots"}, "stackmend_max_changes is 'lots'"),
        ({"min_certainty": "sure"}, "stackmend_min_certainty is 'sure'"),
        ({"guest_agent": "maybe"}, "stackmend_guest_agent is 'maybe': .* required, quiesce_only, ignore"),
        ({"image_content": "some"}, "stackmend_image_content is 'some': .* suspects, all, none"),
        ({"allocation_source": "database"}, "stackmend_allocation_source is 'database': .* apis, databases"),
        ({"observation_seconds": -1}, "stackmend_observation_seconds is -1: .* from 0 to a day"),
        ({"log_window": 32 * 86400}, "stackmend_log_window is .* from 0 to 31 days"),
        ({"logs": "perhaps"}, "stackmend_logs is 'perhaps': it must be true or false"),
        ({"run_id": "../../etc"}, "cannot be a run id"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_variable_that_cannot_be_used_is_named(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadSetting, match=sentence):
        settings(given)


def test_what_is_empty_counts_as_not_given() -> None:
    names = ("faults", "approve", "approve_targets", "max_changes", "allocation_source", "log_window", "run_id")
    given = settings(dict.fromkeys(names, ""))
    assert {**given, "run_id": ""} == {**settings({}), "run_id": ""}
    assert given["allocation_source"] == "apis"
