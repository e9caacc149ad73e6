# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract of a fault, in eight steps, for every fault of the catalogue.

1 broken: the symptom shows in the real component          5 approved: it is fixed; without approval it is not
2 found: on the right target, with the right certainty     6 the symptom is gone
  and nothing else                                         7 a second run changes nothing
3 near misses raise nothing                                8 rolled back: the broken state is back, exactly
4 a check shows the difference and changes nothing

Of a fault that is only reported, 4 shows a reason and no difference, and with every approval nothing is changed (5, 7); there is
nothing to roll back, and 6 is the operator's part, which mending stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.services import PROJECTS
from stackmend_lab import breakers, ceph

import stackmend

from .conftest import Place, differences, hosts_cannot_run

# (target's type, its name, certainty) that the breaker of each fault must be found as.
EXPECTED = {
    "allocation_doubled": {("server", "doubled", "certain")},
    "allocation_orphaned": {
        ("consumer", "6f8f57c5-64c3-4b8f-a3b5-1f2d4c0a9e34", "certain"),
        ("consumer", "migration of moved", "certain"),
    },
    "api_port_bind_denied": {("host", "controller1", "certain")},
    "auth_strategy_invalid": {("host", "labctl", "certain")},
    "cell_host_unmapped": {("compute", "HOST-340", "certain"), ("compute", "HOST-341", "certain")},
    "ceph_osd_nearfull": {("ceph_cluster", ceph.FSID, "certain")},
    "catalog_service_without_endpoints": {("service", "left-over", "certain")},
    "compute_service_down": {("compute", "HOST-341", "certain")},
    "config_option_unknown": {("host", "HOST-34", "certain")},
    "controller_backends_differ": {("host", "controller2", "certain"), ("host", "controller3", "certain")},
    "database_grants_missing": {("host", "controller1", "certain")},
    "console_ports_blocked": {("host", "compute1", "certain"), ("host", "compute2", "certain")},
    "disk_overcommitted": {("hypervisor", "HOST-34", "certain")},
    "placement_capacity_exhausted": {("server", "too-many", "certain")},
    "config_value_invalid": {("host", "HOST-34", "certain")},
    "evacuate_storage_mismatch": {("host", "labctl", "certain")},
    "evacuation_not_strict": {("host", "labctl", "certain")},
    "flavor_smaller_than_image": {("flavor", "broken-small", "certain")},
    "image_cpu_sockets_unlimited": {
        ("image", "broken-sockets", "probable"),
        ("server", "broken-sockets", "probable"),
    },
    "flavor_extra_specs_unscoped": {("flavor", "broken-unscoped", "certain")},
    "image_format_mismatch": {("image", "broken-format", "certain")},
    "image_guest_agent_missing": {("image", "broken-agent", "certain")},
    "image_has_backing_file": {("image", "broken-delta", "certain")},
    "image_ide_bus": {("image", "broken-ide", "certain")},
    "image_property_unknown": {("image", "broken-property", "certain")},
    "image_scsi_model_missing": {("image", "broken-scsi", "possible")},
    "image_video_unsupported": {("image", "broken-video", "certain")},
    "instance_mapping_missing": {("server", "unmapped", "certain")},
    "memcached_connections_exhausted": {("host", "controller1", "certain")},
    "instances_disk_full": {("host", "compute1", "certain")},
    "locale_not_utf8": {("host", "controller1", "certain")},
    "migration_ssh_broken": {
        ("host", "compute1", "certain"),
        ("host", "compute2", "certain"),
        ("host", "compute3", "certain"),
    },
    "network_managers_conflict": {("host", "compute2", "certain")},
    "package_file_unreadable": {("host", "controller1", "certain")},
    "scheduler_packs_hosts": {("zone", "nova", "probable")},
    "server_stuck_scheduling": {("server", "never-built", "probable")},
    "service_process_stale": {("host", "compute1", "certain")},
    "vif_plugging_masked": {("host", "HOST-34", "certain")},
}


# The host of the embedded lab on which nova-manage and the scheduler are.
CONTROL = "labctl"
_OF_CONTROL = {"nova_cells", "nova_manage", "scheduler", "scripts"}
# Of the faults for which hosts are compared, those that a run needs no more than some hosts to tell.
_ENOUGH = {
    "compute_service_down": ["HOST-341"],
    "controller_backends_differ": ["controller1", "controller2", "controller3"],
    "database_grants_missing": ["controller1"],
    "image_ide_bus": [CONTROL],
    "vif_plugging_masked": ["HOST-34"],
}
_SERVICES_FILE = re.compile(rf"/etc/({'|'.join(PROJECTS)})/")


def test_no_fault_opts_out() -> None:
    assert sorted(FAULTS) == breakers.all_breakers() == sorted(EXPECTED)


@pytest.fixture(params=sorted(EXPECTED))
def broken(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Place]]:
    """A breaker and its place, healthy; put back afterwards whatever happened."""
    breaker = breakers.load(request.param)
    if breaker.needs == "hosts" and hosts_cannot_run():
        pytest.skip(f"{breaker.fault}: {hosts_cannot_run()}")
    if breaker.needs == "ceph" and ceph.cannot_run():
        pytest.skip(f"{breaker.fault}: {ceph.cannot_run()}")
    place: Place = request.getfixturevalue(f"{breaker.needs}_place")
    breaker.mend(place.subject)
    try:
        yield breaker, place
    finally:
        breaker.mend(place.subject)


def _hosts(fault: str) -> list[str]:
    """The hosts on which a fault can show: those that its breaker breaks; all (none is named) where hosts are compared."""
    return [] if FAULTS[fault].correlated else [name for kind, name, _sure in EXPECTED[fault] if kind == "host"]


def _limit(fault: str) -> str | None:
    """The same for a run, which need not go to all where fewer tell the fault; the look before it has been to all."""
    if {*FAULTS[fault].host_evidence} <= _OF_CONTROL:
        return CONTROL
    return ",".join(_ENOUGH.get(fault, _hosts(fault))) or None


def _family(fault: str) -> list[str]:
    """The faults that read something that this one reads; what it leaves behind can mislead no other."""
    read = {*FAULTS[fault].host_evidence, *FAULTS[fault].cloud_evidence}
    return [other.id for other in FAULTS.values() if read & {*other.host_evidence, *other.cloud_evidence}]


def _all_that_can_show(place: Place, healthy: dict[str, Any], broken: dict[str, Any]) -> list[str]:
    """Every fault, less those that read nothing but the services' files while no file has changed: asking the options of
    all services on all hosts takes longer than everything else together."""
    ids = place.faults or tuple(FAULTS)
    unchanged = _services_files(healthy) == _services_files(broken)
    files_only = {
        fault.id for fault in FAULTS.values() if fault.host_evidence == ("oslo_config",) and not fault.cloud_evidence
    }
    return [fault for fault in ids if not (unchanged and fault in files_only)]


def _services_files(state: dict[str, Any]) -> list[Any]:
    """Of a state, by whatever it is keyed: the services' own files."""
    parts = [part for part in state.values() if isinstance(part, dict)]
    return [(path, now) for part in parts for path, now in part.items() if _SERVICES_FILE.search(str(path))]


def _seen(report: stackmend.Report) -> list[tuple[str, str, str, str]]:
    return [(f.fault, f.target.type, f.target.name, f.certainty) for f in report.findings]


def _state(breaker: Any, place: Place) -> dict[str, Any]:
    """Everything that may not change without being asked."""
    return {**place.state(), "breaker": breaker.state(place.subject) if breaker.state else None}


def test_contract(broken: tuple[Any, Place]) -> None:
    breaker, place = broken
    variables = {**place.variables, **breaker.variables}
    # Everything is looked for when it is broken, and all that could notice the remedy when it is fixed; between the two only
    # the fault itself is, where it can show.
    only, family, limit = [breaker.fault], _family(breaker.fault), _limit(breaker.fault)
    healthy = _state(breaker, place)
    assert breaker.symptom(place.subject) is None

    breaker.break_(place.subject)
    assert breaker.symptom(place.subject), "1: broken, the symptom shows"
    broken_state = _state(breaker, place)

    everything = _all_that_can_show(place, healthy, broken_state)
    found, unknown = place.look(everything, variables)
    expected = {(breaker.fault, *target) for target in EXPECTED[breaker.fault]}
    assert {entry[:4] for entry in found} == expected, "2: found on the right target, and nothing else"
    assert [reason for reason in unknown if not breaker.explains(reason)] == []

    shown: list[Any] = []
    checked = stackmend.remediate(
        place.inventory,
        faults=only,
        limit=limit,
        variables=variables,
        check=True,
        diff=True,
        on_diff=lambda host, diffs: shown.extend(diffs),
    )
    assert set(_seen(checked)) == expected, "4: a check reports it"
    assert (checked.changed, checked.exit_status) == (0, 2)
    assert differences(broken_state, _state(breaker, place)) == {}, "4: and changes nothing"

    if breaker.report_only:
        assert shown == [], "4: there is no difference to show"
        _is_only_reported(breaker, place, checked, variables)
        assert differences(broken_state, _state(breaker, place)) == {}
        breaker.mend(place.subject)
        assert breaker.symptom(place.subject) is None, "6: the operator's way out ends the symptom"
        assert differences(healthy, _state(breaker, place)) == {}
        return

    assert shown, "4: and shows the difference"

    if breaker.approve != "safe":
        waiting = stackmend.remediate(place.inventory, faults=only, limit=limit, variables=variables)
        assert {finding.status for finding in waiting.findings} == {"awaiting_approval"}, "5: it waits for approval"
        assert differences(broken_state, _state(breaker, place)) == {}

    approved: dict[str, Any] = {"faults": only, "limit": limit, "variables": variables, "approve": breaker.approve}
    fixed = stackmend.remediate(place.inventory, **approved)
    assert {(f.status, f.reason) for f in fixed.findings} == {("fixed", "")}, "5: approved, it is fixed"
    assert fixed.changed == len(EXPECTED[breaker.fault])
    assert breaker.symptom(place.subject) is None, "6: the symptom is gone"

    fixed_state = _state(breaker, place)
    again = stackmend.remediate(place.inventory, **approved)
    assert (again.findings, again.changed, again.exit_status) == ((), 0, 0), "7: a second run changes nothing"
    assert place.look(family, variables) == ([], []), "7: and what was done raises no other fault"
    assert differences(fixed_state, _state(breaker, place)) == {}

    undone = stackmend.rollback(fixed.run_id, place.inventory, variables=variables)
    if breaker.irreversible:
        assert {entry.status for entry in undone.undone} == {"conflict"}, "8: it says what cannot be undone"
        assert all(entry.reason for entry in undone.undone)
        assert differences(fixed_state, _state(breaker, place)) == {}, "8: and leaves everything alone"
        breaker.mend(place.subject)
        assert differences(healthy, _state(breaker, place)) == {}
        return
    assert {entry.status for entry in undone.undone} == {"restored"}
    assert differences(broken_state, _state(breaker, place)) == {}, "8: rolled back, exactly"
    assert breaker.symptom(place.subject), "8: the symptom is back"

    breaker.mend(place.subject)
    assert differences(healthy, _state(breaker, place)) == {}


def _is_only_reported(breaker: Any, place: Place, checked: stackmend.Report, variables: dict[str, Any]) -> None:
    """The finding says why nothing is done about it, and stays as it is whatever is approved, time after time."""
    report = stackmend.remediate(place.inventory, faults=[breaker.fault], variables=variables, approve="destructive")
    assert set(_seen(report)) == set(_seen(checked)), "5: approved, it is found as before"
    assert (report.changed, report.exit_status) == (0, 2), "5: and nothing is changed"
    for finding in (*checked.findings, *report.findings):
        assert (finding.status, finding.remedy) == ("found", None)
        assert finding.reason, "a finding without remedy says why"
    again, _unknown = place.look(_family(breaker.fault), variables)
    assert {entry[:4] for entry in again} == set(_seen(checked)), "7: nor the next time"


def test_near_misses(broken: tuple[Any, Place]) -> None:
    breaker, place = broken
    assert len(breaker.near_misses) >= 2
    raised = {}
    variables = {**place.variables, **breaker.variables}
    for name, make in breaker.near_misses.items():
        make(place.subject)
        try:
            assert breaker.symptom(place.subject) is None, f"{name}: nothing is wrong in the real component"
            seen = place.look(_family(breaker.fault), variables, _hosts(breaker.fault))
            if seen.found or seen.unknown:
                raised[name] = seen
        finally:
            breaker.mend(place.subject)
    assert raised == {}, "3: near misses raise nothing"
