# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab itself: it comes up, boots servers, restarts what is asked, breaks and mends, and leaves nothing behind.

Everything here runs real services; the first run on a machine installs them. The lab has its own state directory and
ports, so that one in use stays untouched.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stackmend_lab import Lab, LabError, breakers, environment, process
from stackmend_lab.layout import SERVICES, default_cache_dir

CLOUD_BREAKERS = [name for name in breakers.all_breakers() if breakers.load(name).needs == "cloud"]


def free_ports() -> int:
    """The first of as many free ports as a lab needs."""
    for base in range(20100, 28000, 50):
        try:
            for port in range(base, base + len(SERVICES)):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    pytest.fail("no free range of ports for a lab")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the machine's services environment and no prepared databases."""
    made = environment.ensure(default_cache_dir(), print)
    directory = tmp_path_factory.mktemp("cache")
    (directory / made.name).symlink_to(made)
    return directory


@pytest.fixture(scope="module")
def cold_seconds() -> dict[str, float]:
    return {}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, cache: Path, cold_seconds: dict[str, float]) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("lab") / "state", cache, free_ports())
    began = time.monotonic()
    try:
        made.up(print)
        cold_seconds["up"] = time.monotonic() - began
        yield made
    finally:
        made.down(wipe=True)


def contents(lab: Lab) -> dict[str, Any]:
    """What a breaker could have changed: files that are not logs or work files, images and servers."""
    found: dict[str, Any] = {}
    for host in lab.layout.hosts:
        root = lab.host_root(host)
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if name.startswith(("var/lib/", "var/log/")) and "evacuate" not in name:
                continue
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
            found[f"{host}:{name}"] = (stat.filemode(path.stat().st_mode), content)
    cloud = lab.cloud()
    found["images"] = sorted((image.id, image.updated_at) for image in cloud.image.images())
    found["servers"] = sorted(server.id for server in cloud.compute.servers(all_projects=True))
    return found


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
    command = [str(lab.layout.restart_command), "HOST-34"]
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


@pytest.mark.parametrize("name", CLOUD_BREAKERS)
def test_a_breaker_shows_its_symptom_and_takes_it_back(lab: Lab, name: str) -> None:
    breaker = breakers.load(name)
    healthy = contents(lab)
    assert breaker.symptom(lab) is None
    try:
        breaker.break_(lab)
        seen = breaker.symptom(lab)
    finally:
        breaker.mend(lab)
    assert seen, "no symptom"
    assert "\n" not in seen
    assert not any(secret in seen for secret in lab.secrets.values())
    assert breaker.symptom(lab) is None
    assert contents(lab) == healthy


@pytest.mark.parametrize(
    ("name", "near_miss"),
    [(name, near_miss) for name in CLOUD_BREAKERS for near_miss in breakers.load(name).near_misses],
)
def test_a_near_miss_is_no_fault_in_the_real_component(lab: Lab, name: str, near_miss: str) -> None:
    breaker = breakers.load(name)
    healthy = contents(lab)
    try:
        breaker.near_misses[near_miss](lab)
        if name == "auth_strategy_invalid":
            lab.restart("placement")  # it has to start with the file as it is now
        seen = breaker.symptom(lab)
    finally:
        breaker.mend(lab)
    assert seen is None
    assert contents(lab) == healthy


def test_another_lab_comes_up_from_the_snapshot_in_a_fraction(
    lab: Lab, cache: Path, tmp_path: Path, cold_seconds: dict[str, float]
) -> None:
    second = Lab(tmp_path / "second", cache, free_ports())
    lines: list[str] = []
    began = time.monotonic()
    try:
        second.up(lines.append)
        seconds = time.monotonic() - began
        assert any("restored" in line for line in lines)
        assert seconds < 0.6 * cold_seconds["up"]
        urls = {endpoint.url.split("/")[2] for endpoint in second.cloud().identity.endpoints()}
        assert urls == {f"127.0.0.1:{second.layout.port(service)}" for service in SERVICES}
        server = second.boot("elsewhere", host="HOST-34")
        assert [found.id for found in second.cloud().compute.servers(all_projects=True)] == [server.id]
        assert server.id not in {found.id for found in lab.cloud().compute.servers(all_projects=True)}
    finally:
        second.down(wipe=True)


def test_down_leaves_no_process_and_keeps_the_data(cache: Path, tmp_path: Path) -> None:
    third = Lab(tmp_path / "third", cache, free_ports())
    try:
        third.up()
        pids = [service["pid"] for service in third.status()["services"].values()]
        third.boot("kept", host="HOST-34")
        third.down()
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        moved = Lab(tmp_path / "third", cache, free_ports())
        moved.up()
        assert [server.name for server in moved.cloud().compute.servers(all_projects=True)] == ["kept"]
    finally:
        third.down(wipe=True)
    assert not (tmp_path / "third").exists()


def test_a_port_in_use_is_named(cache: Path, tmp_path: Path) -> None:
    base = free_ports()
    crowded = Lab(tmp_path / "crowded", cache, base)
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
