# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `nova-manage placement audit` takes for orphaned and we do not, side by side on the same cloud at the same moment.

Its --delete would take the allocations away of servers that live (FAULTS.md F26). In each of these states it names one; we name
none, and of a cell that does not answer we say that nothing can be known.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _allocations, _session
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._cloud_readers import CloudReader
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.recorded_allocations import (
    RecordedReader,
    of_this_cloud,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Target, Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._placement_allocation import look
from ansible_collections.stackmend.openstack.plugins.modules import allocation_records_info
from stackmend_lab import Lab, breakers
from stackmend_lab.breakers import _placement

import stackmend

WHOSE = ("allocation_orphaned", "allocation_doubled")
HOST, OTHER, THIRD = "HOST-34", "HOST-340", "HOST-341"
FOREIGN = "11111111-64c3-4b8f-a3b5-1f2d4c0a9e34"
SMALL = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}
_NAMED = re.compile(r"Allocations for consumer UUID (\S+) on Resource Provider (\S+) can be deleted")


def audit(lab: Lab) -> set[str]:
    """The consumers whose allocations nova's own audit would delete now."""
    command = ["nova-manage", "--config-file", lab.nova_conf, "placement", "audit", "--verbose"]
    done = lab.run("labctl", command, seconds=300)
    named = {consumer for consumer, _provider in _NAMED.findall(done.stdout)}
    assert done.returncode == (3 if named else 0), done.stdout + done.stderr[-2000:]
    return named


def ours(lab: Lab) -> tuple[list[dict[str, Any]], list[str]]:
    """(findings, reasons of what is unknown), of a single look: what would be judged again before anything is told.

    Beginning with the databases comes to the same, unless these do not tell.
    """
    whole = _judged(lab, lambda cloud: CloudReader(cloud))
    records = recorded(lab)["records"]
    if records is not None:
        assert of_this_cloud(_session.connect("stackmend-lab", str(lab.clouds_file)), records)
        few = _judged(lab, lambda cloud: RecordedReader(cloud, records))
        assert [_but_the_way(finding) for finding in few[0]] == [_but_the_way(finding) for finding in whole[0]]
        assert few[1] == whole[1]
    return whole


def recorded(lab: Lab) -> dict[str, Any]:
    """What the databases of the controller say."""
    given = {"root": str(lab.layout.root("labctl")), "service_python": f"{lab.layout.venv}/bin/python"}
    options = {name: given.get(name, spec.get("default")) for name, spec in allocation_records_info.ARGUMENTS.items()}
    return allocation_records_info.look(options)


def _judged(lab: Lab, reader: Callable[[Any], Any]) -> tuple[list[dict[str, Any]], list[str]]:
    cloud = _session.connect("stackmend-lab", str(lab.clouds_file))
    result = examine([FAULTS[fault] for fault in WHOSE], "cloud", reader(cloud), Target("cloud", "lab"), {})
    return result["findings"], [entry["reason"] for entry in result["unknown"]]


def _but_the_way(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding without how it was read."""
    return {**finding, "evidence": {name: told for name, told in finding["evidence"].items() if name != "read"}}


@contextmanager
def server(lab: Lab, name: str, host: str = HOST) -> Iterator[str]:
    made = str(lab.boot(name, host=host).id)
    try:
        yield made
    finally:
        _placement.let_go(lab)
        lab.delete_server(made)


@contextmanager
def stopped(lab: Lab, host: str) -> Iterator[None]:
    lab.stop_compute(host)
    try:
        yield
    finally:
        lab.start_compute(host)


@contextmanager
def being_built(lab: Lab) -> Iterator[str]:
    """The scheduler has chosen and claimed a host, and its nova-compute has yet to take the request."""
    with lab.cloud() as cloud:
        image, flavor = cloud.image.find_image("cirros").id, cloud.compute.find_flavor("m1.tiny").id
        wish = {"name": "coming", "imageRef": image, "flavorRef": flavor, "networks": "none", "host": THIRD}
        with stopped(lab, THIRD):
            coming = cloud.compute.post("/servers", json={"server": wish}, microversion="2.74").json()["server"]["id"]
            try:
                _placement.wait("the claim", lambda: _placement.holds(lab, coming))
                yield coming
            finally:
                lab.delete_server(coming)


@contextmanager
def migrating_live(lab: Lab) -> Iterator[str]:
    with server(lab, "flying") as flying:
        _placement.hold(lab, "live_migration")
        _placement.act(lab, flying, {"os-migrateLive": {"host": OTHER, "block_migration": "auto"}})
        _placement.wait("it", lambda: any(m["status"] == "running" for m in _placement.migrations(lab, flying)))
        yield flying
        _placement.let_go(lab)
        _placement.status(lab, flying, "ACTIVE")


@contextmanager
def being_resized(lab: Lab) -> Iterator[str]:
    """Its disk is on the way: the server's record still names the source."""
    with server(lab, "growing") as growing:
        _placement.hold(lab, "migrate_disk_and_power_off")
        _placement.act(lab, growing, {"migrate": {"host": OTHER}})
        _placement.wait("it", lambda: any(m["status"] == "migrating" for m in _placement.migrations(lab, growing)))
        yield growing
        _placement.let_go(lab)
        _placement.status(lab, growing, "VERIFY_RESIZE")


@contextmanager
def being_evacuated(lab: Lab) -> Iterator[str]:
    with server(lab, "fleeing", THIRD) as fleeing, forced_down(lab, THIRD), stopped(lab, THIRD):
        _placement.hold(lab, "spawn")
        _placement.act(lab, fleeing, {"evacuate": {"host": HOST}})
        _placement.wait("both hosts", lambda: len(_placement.holds(lab, fleeing)) == 2)
        _placement.wait("it", lambda: any(m["status"] == "pre-migrating" for m in _placement.migrations(lab, fleeing)))
        yield fleeing
        _placement.let_go(lab)
        _placement.wait("it", lambda: any(m["status"] == "done" for m in _placement.migrations(lab, fleeing)))


@contextmanager
def forced_down(lab: Lab, host: str) -> Iterator[None]:
    """Down in nova's eyes at once; up again only when its nova-compute has cleaned up, before which nova refuses."""
    compute = lab.cloud().compute
    service = next(s.id for s in compute.services(binary="nova-compute") if s.host == host)

    def force(down: bool) -> None:
        compute.put(f"/os-services/{service}", json={"forced_down": down}, microversion="2.53").raise_for_status()

    force(True)
    try:
        yield
    finally:
        force(False)


@contextmanager
def on_shared_storage(lab: Lab) -> Iterator[str]:
    breaker = breakers.load("allocation_doubled")
    breaker.near_misses["a server whose disk is on storage that hosts share"](lab)
    try:
        yield str(lab.cloud().compute.find_server("doubled", all_projects=True).id)
    finally:
        breaker.mend(lab)


@contextmanager
def of_another_service(lab: Lab) -> Iterator[str]:
    _placement.allocate(lab, FOREIGN, {_placement.provider(lab, HOST): SMALL}, "CONTAINER")
    try:
        yield FOREIGN
    finally:
        _placement.allocate(lab, FOREIGN, {}, "CONTAINER")


@pytest.mark.parametrize(
    "state", [being_built, migrating_live, being_resized, being_evacuated, on_shared_storage, of_another_service]
)
def test_what_the_audit_would_delete_is_not_reported(lab: Lab, state: Callable[[Lab], Any]) -> None:
    assert audit(lab) == set()
    with state(lab) as consumer:
        assert audit(lab) == {consumer}
        assert ours(lab) == ([], [])
    assert audit(lab) == set()


def test_the_audit_takes_the_disk_of_a_living_server_on_shared_storage(lab: Lab) -> None:
    with on_shared_storage(lab) as consumer:
        before = _placement.holds(lab, consumer)
        command = ["nova-manage", "--config-file", lab.nova_conf, "placement", "audit", "--delete"]
        assert lab.run("labctl", command).returncode == 4
        after = _placement.holds(lab, consumer)
        _placement.allocate(lab, consumer, before)
        assert len(before) == 2
        assert after == {_placement.provider(lab, HOST): before[_placement.provider(lab, HOST)]}


def test_what_waits_to_be_confirmed_is_reported_by_neither(lab: Lab) -> None:
    with server(lab, "moved") as moved:
        _placement.migrate(lab, moved, OTHER)
        assert audit(lab) == set()
        assert ours(lab) == ([], [])


def test_after_an_evacuation_nothing_is_taken_while_the_old_host_is_down(lab: Lab) -> None:
    with server(lab, "fled", THIRD) as fled, forced_down(lab, THIRD), stopped(lab, THIRD):
        _placement.act(lab, fled, {"evacuate": {"host": HOST}})
        _placement.wait("it", lambda: any(m["status"] == "done" for m in _placement.migrations(lab, fled)))
        _placement.wait("rest", lambda: not lab.cloud().compute.get_server(fled).task_state)
        assert audit(lab) == {fled}
        findings, unknown = ours(lab)
        assert unknown == []
        assert [(f["fault"], f["target"]["id"], f["certainty"], f["remedy"]) for f in findings] == [
            ("allocation_doubled", fled, "possible", None)
        ]
        assert "nova-compute gives it back itself" in findings[0]["reason"]


def test_both_report_what_is_truly_orphaned(lab: Lab) -> None:
    breaker = breakers.load("allocation_orphaned")
    breaker.break_(lab)
    try:
        findings, unknown = ours(lab)
        assert unknown == []
        assert {finding["target"]["id"] for finding in findings} == audit(lab)
        assert {finding["certainty"] for finding in findings} == {"certain"}
        assert len(findings) == 2
    finally:
        breaker.mend(lab)


def test_the_databases_alone_are_believed_nothing(lab: Lab) -> None:
    """Those of another cloud, or of yesterday, are passed over; so is one that calls every consumer nobody's."""
    cloud = _session.connect("stackmend-lab", str(lab.clouds_file))
    with server(lab, "first") as first, server(lab, "second") as second:
        records = recorded(lab)["records"]
        assert (records["doubted"], records["newest"][0]) == ([], second)
        assert of_this_cloud(cloud, records)
        yesterday = {**records, "newest": [one for one in records["newest"] if one != second]}
        assert not of_this_cloud(cloud, yesterday)
        assert not of_this_cloud(cloud, {**records, "providers": _allocations.fingerprint([str(uuid.uuid4())])})
        wrong = {**records, "doubted": sorted([first, second]), "servers": []}
        assert _judged(lab, lambda cloud: RecordedReader(cloud, wrong)) == ([], [])


def test_a_run_that_begins_with_the_databases_finds_mends_and_proves_the_same(lab: Lab) -> None:
    breaker = breakers.load("allocation_orphaned")
    breaker.break_(lab)
    variables = {"stackmend_allocation_source": "databases", "stackmend_approve": "destructive"}
    options: dict[str, Any] = {"faults": [*WHOSE], "cloud": "stackmend-lab"}
    try:
        apis = stackmend.diagnose(lab.inventory, **options)
        databases = stackmend.diagnose(lab.inventory, variables=variables, **options)
        assert [finding.target for finding in databases.findings] == [finding.target for finding in apis.findings]
        # every hypervisor is asked for where the databases did not say which
        listed, hinted = (report.document["checked"]["objects"] for report in (apis, databases))
        assert "hypervisor" in listed
        assert "hypervisor" not in hinted
        assert hinted["consumer"] == listed["consumer"]
        mended = stackmend.remediate(lab.inventory, variables=variables, **options)
        assert {finding.status for finding in mended.findings} == {"fixed"}
        assert stackmend.diagnose(lab.inventory, variables=variables, **options).exit_status == 0
        assert breaker.symptom(lab) is None
    finally:
        breaker.mend(lab)


def test_a_server_that_cannot_be_shown_is_no_orphan(lab: Lab) -> None:
    breaker = breakers.load("instance_mapping_missing")
    breaker.break_(lab)
    try:
        assert breaker.symptom(lab)
        assert ours(lab) == ([], [])
    finally:
        breaker.mend(lab)


@pytest.fixture
def nova_conf(lab: Lab) -> Iterator[Path]:
    """The controller's nova.conf, put back afterwards."""
    path = Path(lab.nova_conf)
    before = path.read_text()
    yield path
    path.write_text(before)
    lab.restart("nova")


def test_a_server_that_can_be_restored_is_no_orphan(lab: Lab, nova_conf: Path) -> None:
    nova_conf.write_text(
        nova_conf.read_text().replace("[DEFAULT]\n", "[DEFAULT]\nreclaim_instance_interval = 3600\n", 1)
    )
    lab.restart("nova")
    made = str(lab.boot("deleted", host=HOST).id)
    compute = lab.cloud().compute
    compute.delete_server(made)
    _placement.status(lab, made, "SOFT_DELETED")
    try:
        assert made not in {s.id for s in compute.servers(all_projects=True)}, "no list has it"
        assert made in _placement.used_by(lab)
        assert ours(lab) == ([], [])
    finally:
        _placement.act(lab, made, {"forceDelete": None})
        _placement.wait("the end", lambda: not compute.find_server(made, all_projects=True))


@pytest.fixture
def cell_down(lab: Lab, nova_conf: Path) -> Iterator[str]:
    """The database of the cell of all computes cannot be opened; a server of it lives. Gives the server's id."""
    made = str(lab.boot("unseen", host=HOST).id)
    text = nova_conf.read_text()
    nova_conf.write_text(text.replace("[database]\n", "[database]\nmax_retries = 1\nretry_interval = 1\n", 1))
    with _api_database(lab) as database:
        kept = dict(database.execute("select uuid, database_connection from cell_mappings").fetchall())
        database.execute(
            "update cell_mappings set database_connection = 'sqlite:////nonexistent/cell1.sqlite' where name = 'cell1' "
            "or (name is null and uuid != '00000000-0000-0000-0000-000000000000')"
        )
    lab.restart_alone("nova")
    try:
        yield made
    finally:
        with _api_database(lab) as database:
            for uuid, connection in kept.items():
                database.execute("update cell_mappings set database_connection = ? where uuid = ?", (connection, uuid))
        lab.restart("nova")
        lab.delete_server(made)


@contextmanager
def _api_database(lab: Lab) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(lab.layout.data / "nova_api.sqlite", timeout=60)) as database:
        yield database
        database.commit()


def test_of_a_cell_that_is_down_nothing_is_known_and_nothing_is_changed(lab: Lab, cell_down: str) -> None:
    assert cell_down in audit(lab), "the audit takes what it cannot see for gone"
    assert recorded(lab)["records"] is None
    assert "the database of cell cell1 did not answer" in recorded(lab)["reason"]
    findings, unknown = ours(lab)
    assert findings == []
    assert any("cell" in reason or "answer" in reason for reason in unknown)
    cloud = _session.connect("stackmend-lab", str(lab.clouds_file), writable=True)
    with pytest.raises(Unavailable):
        look(cloud, [cell_down])
    assert cloud.requests["PUT"] == 0
