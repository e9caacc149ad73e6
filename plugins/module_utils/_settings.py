# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a run, checked before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._catalogue import UnknownFault, known
from ._journal import JournalError, check_run_id, new_run_id
from ._model import CERTAINTIES, RISKS
from ._plan import DEFAULT_MAX_CHANGES, limit_of

POLICIES = ("required", "quiesce_only", "ignore")
# Of which images the beginning of the content is read.
CONTENTS = ("suspects", "all", "none")
# From where it is told whose an allocation is: all of nova and placement through their APIs, or hints from their databases first.
SOURCES = ("apis", "databases")
# What is only a fault when it lasts: seconds between two looks, and seconds that a server may be without a host, or a
# request in one step.
OBSERVATION_SECONDS = 120.0
STUCK_SECONDS = 600.0
# How far back logs are read where that is wished, in seconds, and the most that makes sense (FAULTS.md 1.4).
LOG_WINDOW, LONGEST_LOG_WINDOW = 86400.0, 31 * 86400.0


class BadSetting(ValueError):
    """A variable that cannot be used; the sentence says which, why, and what it may be."""


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Complete and check the playbook variables, given without their prefix stackmend_. Raises BadSetting.

    Empty values count as not given, so that a survey or a job template may leave a field blank.
    """
    run = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    faults = run.get("faults", [])
    if isinstance(faults, str):
        faults = [part.strip() for part in faults.split(",")]
    try:
        ids = known(list(faults))
    except (UnknownFault, TypeError) as error:
        raise BadSetting(f"stackmend_faults: {error}") from error
    approve_targets = run.get("approve_targets", {})
    if not isinstance(approve_targets, Mapping) or not all(
        isinstance(targets, (list, tuple)) for targets in approve_targets.values()
    ):
        raise BadSetting("stackmend_approve_targets must be a dictionary of fault id to a list of target ids")
    max_changes = run.get("max_changes", list(DEFAULT_MAX_CHANGES))
    try:
        known(list(approve_targets))
        limit_of(max_changes, 100)
        run_id = check_run_id(str(run["run_id"])) if "run_id" in run else new_run_id()
    except UnknownFault as error:
        raise BadSetting(f"stackmend_approve_targets: {error}") from error
    except (ValueError, JournalError) as error:
        raise BadSetting(str(error)) from error
    return {
        "faults": ids,
        "all_faults": not faults,
        "approve": _one_of(run, "approve", RISKS, "safe"),
        "approve_targets": {fault: [str(target) for target in targets] for fault, targets in approve_targets.items()},
        "max_changes": max_changes,
        "min_certainty": _one_of(run, "min_certainty", CERTAINTIES, "possible"),
        "guest_agent": _one_of(run, "guest_agent", POLICIES, "required"),
        "image_content": _one_of(run, "image_content", CONTENTS, "suspects"),
        "allocation_source": _one_of(run, "allocation_source", SOURCES, "apis"),
        "observation_seconds": _seconds(run, "observation_seconds", OBSERVATION_SECONDS),
        "stuck_seconds": _seconds(run, "stuck_seconds", STUCK_SECONDS),
        "logs": _switch(run, "logs"),
        "log_window": _seconds(run, "log_window", LOG_WINDOW, LONGEST_LOG_WINDOW),
        "run_id": run_id,
    }


def _switch(run: Mapping[str, Any], name: str) -> bool:
    value = str(run.get(name, False)).lower()
    if value not in ("true", "yes", "1", "false", "no", "0"):
        raise BadSetting(f"stackmend_{name} is {run[name]!r}: it must be true or false")
    return value in ("true", "yes", "1")


def _seconds(run: Mapping[str, Any], name: str, default: float, most: float = 86400.0) -> float:
    try:
        seconds = float(run.get(name, default))
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds <= most:
        longest = "a day" if most == 86400.0 else f"{most / 86400:.0f} days"
        raise BadSetting(f"stackmend_{name} is {run[name]!r}: give a number of seconds, from 0 to {longest}")
    return seconds


def _one_of(run: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    value = str(run.get(name, default))
    if value not in choices:
        raise BadSetting(f"stackmend_{name} is {value!r}: it must be one of {', '.join(choices)}")
    return value
