# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of the lab are followed while they happen, through its own APIs and logs."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.filter.request_trace import request_search, request_trace
from ansible_collections.stackmend.openstack.plugins.modules import request_trace_info, server_actions_info
from stackmend_lab import Lab

import stackmend
from stackmend.report import trace as rendered

STARTED = "trace-"
# More than a step takes on a machine that is busy.
PATIENCE = 6.0
SECONDS = 60.0


@pytest.fixture(autouse=True)
def tidy(lab: Lab) -> Iterator[None]:
    yield
    for directory in ("hold", "refuse"):
        for told in (lab.host_root("labctl") / "var/lib/nova" / directory).glob("*"):
            told.unlink()
    for server in list(lab.cloud().compute.servers(name=f"^{STARTED}", all_projects=True)):
        lab.delete_server(server.id)


def told(lab: Lab, what: str, name: str) -> None:
    """Tell the lab's hypervisors something (programs/run_nova.py)."""
    path = lab.host_root("labctl") / "var/lib/nova" / what / name
    path.parent.mkdir(exist_ok=True)
    path.touch()


def traced(lab: Lab, subject: str) -> dict[str, Any]:
    """What the playbook does, by the same modules and filters called right here: a run of Ansible takes ten seconds."""

    def ask(servers: list[str]) -> dict[str, Any]:
        of_cloud = {"cloud": "stackmend-lab", "clouds_file": str(lab.clouds_file), "api_timeout": 30.0}
        return server_actions_info.look({**of_cloud, "servers": servers, "must_exist": True})

    def read(host: str, wanted: dict[str, Any]) -> dict[str, Any]:
        defaults = {name: spec.get("default") for name, spec in request_trace_info.ARGUMENTS.items()}
        given = {"root": str(lab.host_root(host)), "ids": wanted["ids"], "since": wanted["since"]}
        return request_trace_info.look({**defaults, **given})

    cloud = ask(request_search(subject, None, {})["servers"])
    wanted = request_search(subject, cloud, {})
    hosts = {host: read(host, wanted) for host in lab.layout.hosts}
    wanted = request_search(subject, cloud, hosts)
    if wanted["further"]:
        cloud = ask(wanted["servers"])
        hosts = {host: read(host, wanted) for host in lab.layout.hosts}
    answer: dict[str, Any] = request_trace(hosts, subject, cloud, patience=PATIENCE)["answer"]
    return answer


def traced_until(lab: Lab, subject: str, come: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The trace once it is as wanted, or as it is when that takes too long: services log after they have answered."""
    end = time.monotonic() + SECONDS
    while not come(answer := traced(lab, subject)) and time.monotonic() < end:
        time.sleep(1)
    return answer


def waiting(lab: Lab, **wish: Any) -> str:
    """Ask for a server that will not be built; its id."""
    cloud = lab.cloud()
    server = cloud.compute.create_server(
        image_id=cloud.image.find_image("cirros").id,
        flavor_id=cloud.compute.find_flavor("m1.tiny").id,
        networks="none",
        **wish,
    )
    return str(server.id)


def test_a_server_that_boots_and_migrates_is_clear(lab: Lab) -> None:
    server = lab.boot(f"{STARTED}well", host="HOST-34")
    compute = lab.cloud().compute
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    assert compute.post(f"/servers/{server.id}/action", json=body, microversion="2.79").ok
    answer = traced_until(
        lab, server.id, lambda answer: any("finished successfully" in entry["what"] for entry in answer["timeline"])
    )
    assert answer["verdict"] == "clear"
    assert [request["action"] for request in answer["requests"]] == ["create", "live-migration"]
    assert answer["unknown"] == []


def test_a_server_whose_first_hosts_fail_is_followed_to_the_last(lab: Lab) -> None:
    *_, last = lab.layout.computes
    # the scheduler takes the emptier hosts first
    lab.boot(f"{STARTED}filler", host=last, flavor="m1.big")
    for host in lab.layout.computes[:-1]:
        told(lab, "refuse", host)
    server = lab.boot(f"{STARTED}again")
    answer = traced_until(lab, server.id, lambda answer: "it was tried again" in answer["summary"])
    (request,) = answer["requests"]
    assert answer["verdict"] == "cause"
    assert f"it was tried again and went through on {last}" in request["reading"]
    assert "refuses to build" in request["reading"]
    assert set(request["hosts"]) > {last}
    # its request id leads to the same
    assert traced(lab, request["request_id"])["requests"][0]["reading"] == request["reading"]


def test_a_server_that_no_host_takes_is_told_why_and_what_to_do(lab: Lab) -> None:
    compute = lab.cloud().compute
    flavor = compute.create_flavor(name=f"{STARTED}huge", ram=999_999, vcpus=64, disk=1)
    try:
        answer = traced(lab, lab.boot_in_vain(f"{STARTED}large", flavor=flavor.name))
    finally:
        compute.delete_flavor(flavor)
    (request,) = answer["requests"]
    assert request["stages"]["nova-scheduler"] == "yes (0 hosts)"
    assert request["faults"][0]["fault"] == "placement_capacity_exhausted"
    assert request["faults"][0]["commands"][0].startswith(f"stackmend explain --flavor {flavor.name} ")


def test_a_compute_that_falls_silent_in_the_midst_of_a_build_is_named(lab: Lab) -> None:
    told(lab, "hold", "spawn")
    server = waiting(lab, name=f"{STARTED}silent", availability_zone="nova:HOST-340")
    answer = traced_until(lab, server, lambda answer: bool(answer["verdict"] == "cause"))
    assert "nova-compute on HOST-340 had it and has been silent for" in answer["requests"][0]["reading"]


@pytest.mark.parametrize("dead", ["nova-conductor", "nova-scheduler"])
def test_a_service_between_api_and_compute_that_is_dead_is_named_and_no_other(lab: Lab, dead: str) -> None:
    lab.stop_part(dead)
    try:
        server = waiting(lab, name=f"{STARTED}dead")
        answer = traced_until(lab, server, lambda answer: "is down" in answer["requests"][0]["reading"])
    finally:
        lab.start_part(dead)
    (request,) = answer["requests"]
    assert answer["verdict"] == "cause"
    assert f"{dead} never had it: every {dead} is down (labctl)" in request["reading"]
    assert {fault["certainty"] for fault in request["faults"]} == {"possible"}
    # what was asked of it meanwhile was waiting for it
    assert lab.wait_for_server(server).status == "ACTIVE"


def test_a_refusal_of_the_api_is_read_by_its_request_id(lab: Lab) -> None:
    cloud = lab.cloud()
    wish = {"name": f"{STARTED}no", "imageRef": cloud.image.find_image("cirros").id, "flavorRef": "none-such"}
    answer = cloud.compute.post("/servers", json={"server": {**wish, "networks": "none"}}, microversion="2.74")
    found = traced_until(
        lab, answer.headers["x-openstack-request-id"], lambda answer: bool(answer["verdict"] == "cause")
    )
    assert found["verdict"] == "cause"
    assert "nova's API refused it with 400" in found["requests"][0]["reading"]


def test_two_requests_of_one_global_request_are_found_by_it(lab: Lab) -> None:
    cloud, together = lab.cloud(), f"req-{uuid.uuid4()}"
    wish = {
        "name": f"{STARTED}global",
        "imageRef": cloud.image.find_image("cirros").id,
        "flavorRef": cloud.compute.find_flavor("m1.tiny").id,
        "networks": "none",
    }
    headers = {"X-OpenStack-Request-ID": together}
    made = cloud.compute.post("/servers", json={"server": wish}, microversion="2.74", headers=headers).json()["server"]
    assert lab.wait_for_server(made["id"]).status == "ACTIVE"
    assert cloud.compute.post(f"/servers/{made['id']}/action", json={"os-stop": None}, headers=headers).ok
    answer = traced_until(lab, together, lambda answer: answer["verdict"] == "clear" and len(answer["requests"]) == 2)
    assert [request["action"] for request in answer["requests"]] == ["create", "stop"]


def test_the_command_follows_a_server_although_a_host_does_not_answer(lab: Lab, tmp_path: Path) -> None:
    server = lab.boot(f"{STARTED}command")
    more = tmp_path / "more.yml"
    # nobody listens on port 1
    more.write_text("all: {hosts: {HOST-9: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "lab.yml").symlink_to(lab.inventory)
    (inventory / "more.yml").symlink_to(more)
    seen: list[stackmend.Progress] = []
    trace = stackmend.trace(server.id, inventory, on_progress=seen.append)
    assert trace.verdict == "unknown"
    assert trace.exit_status == 3
    assert [
        sentence for sentence in trace.unknown if sentence.startswith("host HOST-9 could not be reached: ")
    ] == list(trace.unknown)
    assert [request.action for request in trace.requests] == ["create"]
    assert any(progress.stage == "reading logs of hosts" for progress in seen)
    for form in rendered.FORMATS.values():
        assert server.id in form(trace)
    clocks = {host["host"]: host["clock"] for host in trace.document["hosts"] if host["read"]}
    assert all(abs(clock["offset"]) <= clock["uncertainty"] for clock in clocks.values())


@pytest.mark.parametrize(
    ("subject", "status", "words"),
    [
        ("trace-me", 64, "is neither a server's uuid nor a request id"),
        ("00000000-0000-0000-0000-000000000000", 1, "has no server 00000000-0000-0000-0000-000000000000"),
    ],
)
def test_what_cannot_be_traced_is_said_in_a_sentence(lab: Lab, subject: str, status: int, words: str) -> None:
    tool = Path(sys.executable).parent / "stackmend"
    command = [tool, "trace", subject, "-i", lab.inventory]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == status
    assert run.stdout == ""
    assert words in run.stderr
    assert "Traceback" not in run.stderr
