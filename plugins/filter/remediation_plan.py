# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters remediation_plan, remediation_preview and remediation_outcome."""

from __future__ import annotations

from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._plan import plan, preview, settle


def remediation_plan(
    found: dict[str, Any], settings: dict[str, Any], groups: dict[str, Any], check_mode: bool = False
) -> dict[str, Any]:
    return plan(
        found["findings"],
        approve=settings["approve"],
        approve_targets=settings["approve_targets"],
        max_changes=settings["max_changes"],
        check_mode=check_mode,
        checked=found["checked"],
        groups=groups,
    )


def remediation_outcome(
    planned: dict[str, Any], outcomes: list[dict[str, Any]], after: dict[str, Any]
) -> dict[str, Any]:
    return settle(planned, {str(outcome["step"]): outcome for outcome in outcomes}, after)


def remediation_preview(planned: dict[str, Any], outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return preview(planned, {str(outcome["step"]): outcome for outcome in outcomes})


class FilterModule:
    """Plans what is done about findings, and says what came of it."""

    def filters(self) -> dict[str, Any]:
        return {
            "remediation_plan": remediation_plan,
            "remediation_preview": remediation_preview,
            "remediation_outcome": remediation_outcome,
        }
