# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose, remediate, rollback, trace, explain: the playbooks as functions. They add typing and progress, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import new_run_id
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Fault

from stackmend import runner
from stackmend.model import Explanation, Progress, Report, Trace

OnProgress = Callable[[Progress], None]
Inventory = str | os.PathLike[str]


def faults() -> list[Fault]:
    """The catalogue of known faults."""
    return list(FAULTS.values())


def diagnose(
    inventory: Inventory,
    *,
    cloud: str | None = None,
    limit: str | None = None,
    faults: Sequence[str] = (),
    min_certainty: str | None = None,
    variables: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Look for faults and change nothing.

    cloud: an entry of clouds.yaml. faults: ids, all when empty. variables: further playbook variables.
    Raises RunFailed when the run did not come to a report.
    """
    return _run(
        "diagnose",
        inventory,
        {**_variables(cloud, faults, min_certainty), **(variables or {})},
        limit=limit,
        on_progress=on_progress,
    )


def remediate(
    inventory: Inventory,
    *,
    cloud: str | None = None,
    limit: str | None = None,
    faults: Sequence[str] = (),
    min_certainty: str | None = None,
    check: bool = False,
    diff: bool = False,
    approve: str | None = None,
    approve_targets: Mapping[str, Sequence[str]] | None = None,
    max_changes: int | str | None = None,
    variables: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
    on_diff: runner.Diffs | None = None,
) -> Report:
    """Look for faults, fix what is approved, and look again.

    check: change nothing, say what would be. approve: the highest risk that may be applied (safe, restart, disruptive,
    destructive). approve_targets: {fault id: [target ids]} approved whatever their risk. max_changes: per fault, a
    number or a percentage of the targets. Raises RunFailed when the run did not come to a report.
    """
    given = _variables(cloud, faults, min_certainty)
    given.update(_given(stackmend_approve=approve, stackmend_approve_targets=approve_targets))
    given.update(_given(stackmend_max_changes=max_changes))
    return _run(
        "remediate",
        inventory,
        {**given, **(variables or {})},
        limit=limit,
        check=check,
        diff=diff,
        on_progress=on_progress,
        on_diff=on_diff,
    )


def rollback(
    run_id: str,
    inventory: Inventory,
    *,
    cloud: str | None = None,
    limit: str | None = None,
    check: bool = False,
    variables: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Undo what a run changed; the report's `undone` says what became of each change."""
    given = {"stackmend_run_id": run_id, **_given(stackmend_cloud=cloud), **(variables or {})}
    return _run("rollback", inventory, given, limit=limit, check=check, on_progress=on_progress)


def trace(
    subject: str,
    inventory: Inventory,
    *,
    cloud: str | None = None,
    variables: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> Trace:
    """Follow a server (its uuid) or a request (req-...) through API and logs: a timeline, and what it means.

    Nothing is changed. Raises RunFailed when the run did not come to an answer, also for a server that the cloud does not have.
    """
    given = _given(stackmend_cloud=cloud, trace_id=subject)
    return Trace.of(
        runner.run("trace", inventory=inventory, variables={**given, **(variables or {})}, on_progress=on_progress)
    )


def explain(
    flavor: str,
    image: str,
    *,
    cloud: str | None = None,
    availability_zone: str | None = None,
    host: str | None = None,
    volume_backed: bool = False,
    inventory: Inventory | None = None,
    variables: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> Explanation:
    """Say whether a server of this flavor and image finds a host, which, and why not the others. Nothing is changed.

    inventory: whose hosts that run nova-scheduler tell how it is set up; without it the release's defaults are assumed.
    Raises RunFailed when the run did not come to an answer, also for a name that the cloud does not have.
    """
    given = _given(
        stackmend_cloud=cloud,
        explain_flavor=flavor,
        explain_image=image,
        explain_availability_zone=availability_zone,
        explain_host=host,
        explain_volume_backed=volume_backed or None,
        explain_without_hosts=inventory is None or None,
    )
    # Without an inventory a host that is never connected to carries the questions.
    where = "cloud," if inventory is None else inventory
    return Explanation.of(
        runner.run("explain", inventory=where, variables={**given, **(variables or {})}, on_progress=on_progress)
    )


def _run(playbook: str, inventory: Inventory, variables: Mapping[str, Any], **options: Any) -> Report:
    # The name of the run is made here, so that it is known even if the run does not come to its report.
    named = {"stackmend_run_id": new_run_id(), **variables}
    return Report.of(runner.run(playbook, inventory=inventory, variables=named, **options))


def _variables(cloud: str | None, faults: Sequence[str], min_certainty: str | None) -> dict[str, Any]:
    return _given(stackmend_cloud=cloud, stackmend_faults=list(faults) or None, stackmend_min_certainty=min_certainty)


def _given(**variables: Any) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if value is not None}
