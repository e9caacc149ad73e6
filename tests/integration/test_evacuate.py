# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evacuating HOST-34 takes the servers of HOST-34, and leaves those of HOST-340 where they are."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._faults.evacuation_not_strict import like
from stackmend_lab import Lab

HOST = "HOST-34"


@pytest.fixture
def servers(lab: Lab) -> Iterator[dict[str, str]]:
    """{host: id of a server on it}, on the host that dies and on one whose name contains its name."""
    made = {host: lab.boot(f"evacuee-{host}", host=host).id for host in (HOST, "HOST-340")}
    try:
        yield made
    finally:
        for server in made.values():
            lab.delete_server(server)


@pytest.fixture
def dead(lab: Lab, servers: dict[str, str]) -> Iterator[None]:
    """The compute service of HOST-34 is down, and nova knows."""
    lab.stop_compute(HOST)
    end = time.monotonic() + 60
    with lab.cloud() as cloud:
        while next(s for s in cloud.compute.services(binary="nova-compute") if s.host == HOST).state != "down":
            assert time.monotonic() < end, "nova still takes the stopped service for up"
            time.sleep(1)
    try:
        yield
    finally:
        lab.start_compute(HOST)


def _evacuate(lab: Lab, tmp_path: Path, *arguments: str, **variables: Any) -> tuple[int, dict[str, Any], str]:
    """Run the playbook; its exit status, what it said of the servers, and all it printed."""
    given = tmp_path / "variables.json"
    given.write_text(json.dumps(variables), encoding="utf-8")
    command = [
        "ansible-playbook",
        "-i",
        str(lab.inventory),
        "-e",
        f"@{given}",
        *arguments,
        "stackmend.openstack.evacuate",
    ]
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    run = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)
    start = run.stdout.find('{\n    "msg": {')
    said = json.JSONDecoder().raw_decode(run.stdout[start:])[0]["msg"] if start >= 0 else {}
    return run.returncode, said, run.stdout + run.stderr


def _hosts(lab: Lab, servers: dict[str, str]) -> dict[str, str]:
    with lab.cloud() as cloud:
        return {name: cloud.compute.get_server(server).compute_host for name, server in servers.items()}


def test_a_host_that_is_up_is_not_evacuated(lab: Lab, servers: dict[str, str], tmp_path: Path) -> None:
    status, _said, output = _evacuate(lab, tmp_path, evacuate_host=HOST, evacuate_fenced=HOST)
    assert status == 2
    assert "the compute service of HOST-34 is up" in output
    assert _hosts(lab, servers) == {host: host for host in servers}


def test_a_part_of_a_name_is_no_host(lab: Lab, tmp_path: Path) -> None:
    status, _said, output = _evacuate(lab, tmp_path, evacuate_host="HOST-3", evacuate_fenced="HOST-3")
    assert status == 2
    assert "there is no compute service with the host" in output


def test_the_naive_search_would_take_three_hosts(lab: Lab) -> None:
    with lab.cloud() as cloud:
        found = cloud.compute.get("/os-hypervisors?hypervisor_hostname_pattern=HOST-34", microversion="2.53").json()[
            "hypervisors"
        ]
        names = [row["hypervisor_hostname"] for row in cloud.compute.get("/os-hypervisors").json()["hypervisors"]]
    assert sorted(row["hypervisor_hostname"] for row in found) == ["HOST-34", "HOST-340", "HOST-341"]
    assert sorted(like(HOST, names)) == ["HOST-34", "HOST-340", "HOST-341"], "and we predict what nova finds"


@pytest.mark.usefixtures("dead")
def test_only_the_servers_of_the_dead_host_move(lab: Lab, servers: dict[str, str], tmp_path: Path) -> None:
    status, said, _output = _evacuate(lab, tmp_path, "--check", evacuate_host=HOST)
    assert status == 0
    assert [server["id"] for server in said["left"]] == [servers[HOST]], "its disk is local, so it is left"
    assert any("fencing of HOST-34 is not confirmed" in sentence for sentence in said["refused"])

    status, _said, output = _evacuate(lab, tmp_path, evacuate_host=HOST)
    assert status == 2
    assert "fencing of HOST-34 is not confirmed" in output

    status, said, _output = _evacuate(lab, tmp_path, evacuate_host=HOST, evacuate_fenced=HOST)
    assert status == 0
    assert said["evacuated"] == []
    assert "local disks would be lost" in said["left"][0]["reason"]
    assert _hosts(lab, servers) == {host: host for host in servers}

    approved = {"evacuate_host": HOST, "evacuate_fenced": HOST, "evacuate_approve_data_loss": [servers[HOST]]}
    status, said, output = _evacuate(lab, tmp_path, **approved)
    assert status == 0, output
    assert [server["id"] for server in said["evacuated"]] == [servers[HOST]]
    now = _hosts(lab, servers)
    assert now["HOST-340"] == "HOST-340", "the host whose name only contains it is left alone"
    assert now[HOST] in ("HOST-340", "HOST-341")

    status, said, _output = _evacuate(lab, tmp_path, **approved)
    assert (status, said["evacuated"]) == (0, []), "a second run has nothing to do"
