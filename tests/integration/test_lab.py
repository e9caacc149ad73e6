# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab itself: it comes up, boots servers, restarts what is asked, breaks and mends, and leaves nothing behind.

Everything here runs real services; the first run on a machine installs them. That each breaker breaks and mends is
proven by test_contract.py.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stackmend_lab import Lab, LabError, breakers, environment, process
from stackmend_lab.layout import SERVICES

from .conftest import free_ports


def test_everything_is_up(lab: Lab) -> None:
    status = lab.status()
    assert status["up"], status
    assert set(status["computes"].values()) == {"up"}


def test_a_second_up_starts_nothing(lab: Lab) -> None:
    before = lab.status()["services"]
    lab.up()
    assert lab.status()["services"] == before


def test_credentials_are_for_their_owner_only(lab: Lab) -> None:
    assert stat.S_IMODE(lab.clouds_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(lab.layout.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((lab.host_root("labctl") / "etc/nova/nova.conf").stat().st_mode) == 0o640


def test_a_server_boots_on_the_chosen_host(lab: Lab) -> None:
    server = lab.boot("chosen", host="HOST-341", image="ubuntu-24.04")
    try:
        assert server.compute_host == "HOST-341"
    finally:
        lab.delete_server(server.id)


def test_a_member_sees_public_images_and_no_server_of_others(lab: Lab) -> None:
    member = lab.cloud("stackmend-lab-member")
    assert {"cirros", "ubuntu-24.04"} <= {image.name for image in member.image.images()}
    assert list(member.compute.servers()) == []


def test_a_stopped_compute_goes_down_and_comes_back(lab: Lab) -> None:
    lab.stop_compute("HOST-340")
    deadline = time.monotonic() + 40
    while lab.status()["computes"]["HOST-340"] != "down":
        assert time.monotonic() < deadline, "nova never noticed"
        time.sleep(1)
    assert lab.status()["computes"]["HOST-34"] == "up"
    lab.start_compute("HOST-340")
    assert lab.status()["computes"]["HOST-340"] == "up"


def test_the_restart_command_of_a_compute_says_what_nova_refuses(lab: Lab) -> None:
    breaker = breakers.load("config_value_invalid")
    command = [str(lab.layout.command("restart")), "HOST-34"]
    breaker.break_(lab)
    try:
        refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    finally:
        breaker.mend(lab)
    assert refused.returncode == 1
    assert "found 'host-modle'" in refused.stderr
    assert "Traceback" not in refused.stderr
    started = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert started.returncode == 0, started.stderr


def test_another_lab_comes_up_beside_it_from_the_snapshot(lab: Lab, tmp_path: Path) -> None:
    second = Lab(tmp_path / "second", port_base=free_ports())
    lines: list[str] = []
    try:
        second.up(lines.append)
        assert any("restored" in line for line in lines)
        urls = {endpoint.url.split("/")[2] for endpoint in second.cloud().identity.endpoints()}
        assert urls == {f"127.0.0.1:{second.layout.port(service)}" for service in SERVICES}
        server = second.boot("elsewhere", host="HOST-34")
        assert [found.id for found in second.cloud().compute.servers(all_projects=True)] == [server.id]
        assert server.id not in {found.id for found in lab.cloud().compute.servers(all_projects=True)}
    finally:
        second.down(wipe=True)


def test_down_leaves_no_process_and_keeps_the_data(tmp_path: Path) -> None:
    third = Lab(tmp_path / "third", port_base=free_ports())
    try:
        third.up()
        pids = [service["pid"] for service in third.status()["services"].values()]
        third.boot("kept", host="HOST-34")
        third.down()
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        moved = Lab(tmp_path / "third", port_base=free_ports())
        moved.up()
        assert [server.name for server in moved.cloud().compute.servers(all_projects=True)] == ["kept"]
    finally:
        third.down(wipe=True)
    assert not (tmp_path / "third").exists()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    base = free_ports()
    crowded = Lab(tmp_path / "crowded", port_base=base)
    with socket.socket() as other:
        other.bind(("127.0.0.1", base))
        other.listen()
        try:
            with pytest.raises(LabError, match=f"127.0.0.1:{base}.*another port base"):
                crowded.up()
        finally:
            crowded.down(wipe=True)


def test_a_reused_process_id_is_left_alone(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        record = tmp_path / "service.json"
        record.write_text(f'{{"pid": {bystander.pid}, "started": "1"}}')
        assert process.running(record) is None
        process.stop(record)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("arguments", [[], ["fly"], ["break", "no_such_fault"], ["up", "--wide"]])
def test_wrong_usage_ends_with_64(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "stackmend_lab", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(Path(environment.__file__).parent.parent)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=variables, timeout=60)
    assert done.returncode == 64
    assert done.stdout == ""


def test_a_command_without_a_lab_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="There is no lab in"):
        Lab(tmp_path / "nothing").restart("keystone")
