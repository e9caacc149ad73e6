# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ssh says is understood, the pairs to try are chosen well, and an account is read without its secrets."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import accounts, ssh
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable

PROBES = yaml.safe_load((Path(__file__).parent / "recordings" / "ssh_probes.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe["case"])
def test_what_ssh_said_is_understood(probe: dict[str, Any]) -> None:
    kind, message = ssh.classify(probe["status"], probe["stderr"], probe["stdout"])
    assert kind == probe["kind"]
    assert "\n" not in message
    assert bool(message) == (kind != "ok")


def test_a_connection_that_hangs_is_a_matter_of_the_network() -> None:
    assert ssh.classify(None, "")[0] == "network"


def test_what_is_not_understood_is_not_guessed() -> None:
    assert ssh.classify(255, "something new\n") == ("unknown", "something new")


def _fleet(size: int) -> list[dict[str, Any]]:
    return [{"name": f"compute{number:03}", "address": f"192.0.2.{number}", "port": 22} for number in range(size)]


def test_in_a_small_fleet_every_peer_is_tried() -> None:
    chosen = ssh.choose_peers("compute003", _fleet(20))
    assert len(chosen) == 19
    assert "compute003" not in {peer["name"] for peer in chosen}


def test_in_a_large_fleet_a_ring_and_a_sample_are_tried_and_always_the_same() -> None:
    fleet = _fleet(200)
    for index in (0, 7, 199):
        chosen = [peer["name"] for peer in ssh.choose_peers(f"compute{index:03}", fleet)]
        assert len(set(chosen)) == 1 + ssh.SAMPLE
        assert chosen[0] == f"compute{(index + 1) % 200:03}"
        assert chosen == [peer["name"] for peer in ssh.choose_peers(f"compute{index:03}", fleet[::-1])]


def test_every_host_of_a_large_fleet_is_reached_by_somebody() -> None:
    fleet = _fleet(50)
    reached = {peer["name"] for host in fleet for peer in ssh.choose_peers(host["name"], fleet)}
    assert reached == {host["name"] for host in fleet}


class _Ssh:
    """An ssh that answers as recorded, and remembers how it was called."""

    def __init__(self, *answers: tuple[int | None, str, str]) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []

    def __call__(self, arguments: Sequence[str], seconds: float) -> tuple[int | None, str, str]:
        self.calls.append(list(arguments))
        return self.answers.pop(0)


UNKNOWN_KEY = next(probe for probe in PROBES if probe["kind"] == "host_key")
CHANGED_KEY = next(probe for probe in PROBES if probe["kind"] == "host_key_changed")
PEER = {"name": "compute2", "address": "192.0.2.22", "port": 22}


def test_where_the_user_checks_no_host_keys_the_probe_goes_on_as_nova_would() -> None:
    run = _Ssh((255, "", UNKNOWN_KEY["stderr"]), (0, "stricthostkeychecking false\n", ""), (0, "", ""))
    assert ssh._probe(PEER, run, 5) == ("ok", "", True)
    assert "UserKnownHostsFile=/dev/null" in run.calls[2]


@pytest.mark.parametrize("strictness", ["ask", "true", "accept-new"])
def test_a_changed_host_key_stops_nova_unless_checking_is_off(strictness: str) -> None:
    run = _Ssh((255, "", CHANGED_KEY["stderr"]), (0, f"stricthostkeychecking {strictness}\n", ""))
    assert ssh._probe(PEER, run, 5)[0] == "host_key_changed"


def test_a_probe_cannot_write_anything() -> None:
    run = _Ssh((0, "", ""))
    ssh._probe(PEER, run, 5)
    for option in ("StrictHostKeyChecking=yes", "UpdateHostKeys=no", "ControlMaster=no", "ControlPath=none"):
        assert option in run.calls[0]


def test_the_usual_port_is_left_to_the_users_own_configuration() -> None:
    run = _Ssh((0, "", ""), (0, "", ""))
    ssh._probe(PEER, run, 5)
    ssh._probe({**PEER, "port": 8022}, run, 5)
    assert "-p" not in run.calls[0]
    assert run.calls[1][-5:] == ["-p", "8022", "--", "192.0.2.22", "/bin/true"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory that stands for a compute, with a user nova of whoever runs the test."""
    (tmp_path / "etc").mkdir()
    entry = f"nova:x:{os.getuid()}:{os.getgid()}::/var/lib/nova:/bin/sh\n"
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n" + entry)
    (tmp_path / "var/lib/nova/.ssh").mkdir(parents=True, mode=0o700)
    return tmp_path


def _key(path: Path, *arguments: str) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", *arguments, "-f", str(path)], check=True)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True)
    return shown.stdout.split()[1]


def test_a_directory_tree_is_not_connected_from(root: Path) -> None:
    options = {"groups": ["computes"], "compute_groups": ["computes"], "migration_peers": [PEER], "host": "compute2"}
    with pytest.raises(Unavailable, match="cannot be tried from a directory tree"):
        ssh.read(Tree(str(root)), options)


def test_a_host_that_is_no_compute_is_left_in_peace(root: Path) -> None:
    options = {"groups": ["controllers"], "compute_groups": ["computes"], "migration_peers": [PEER]}
    assert ssh.read(Tree(str(root)), options)["compute"] is False


def test_a_host_without_the_user_has_nothing_to_try(root: Path) -> None:
    options = {"groups": ["computes"], "compute_groups": ["computes"], "nova_user": "nova_migration"}
    assert ssh.read(Tree(str(root)), options) == {
        "compute": True,
        "user": None,
        "self": None,
        "sampled": False,
        "probes": [],
    }
    assert accounts.read(Tree(str(root)), options) == {"user": None}


@pytest.mark.parametrize("beside", [True, False], ids=["with .pub", "without .pub"])
def test_a_key_is_named_by_its_public_half_and_never_shown(root: Path, beside: bool) -> None:
    path = root / "var/lib/nova/.ssh/id_rsa"
    expected = _key(path)
    if not beside:
        path.with_suffix(".pub").unlink()
    account = accounts.read(Tree(str(root)), {})
    assert account["identities"] == [
        {
            "path": "/var/lib/nova/.ssh/id_rsa",
            "mode": "0600",
            "foreign": False,
            "fingerprint": expected,
            "used": True,
        }
    ]
    secret = path.read_text().splitlines()[3]
    assert secret not in json.dumps(account)


def test_an_identity_that_only_the_configuration_names_counts(root: Path) -> None:
    (root / "etc/nova/migration").mkdir(parents=True)
    expected = _key(root / "etc/nova/migration/identity")
    (root / "var/lib/nova/.ssh/config").write_text("Host *\n  IdentityFile = /etc/nova/migration/identity\n")
    identities = accounts.read(Tree(str(root)), {})["identities"]
    assert [(entry["fingerprint"], entry["used"]) for entry in identities] == [(expected, True)]


def test_a_key_that_nobody_names_does_not_count(root: Path) -> None:
    _key(root / "var/lib/nova/.ssh/old-backup")
    assert [entry["used"] for entry in accounts.read(Tree(str(root)), {})["identities"]] == [False]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("Host *\n  StrictHostKeyChecking no\n", ["*"]),
        ("StrictHostKeyChecking=off\n", ["*"]),
        ("Host compute*\n  stricthostkeychecking NO\nHost x\n  StrictHostKeyChecking accept-new\n", ["compute*"]),
        ("# StrictHostKeyChecking no\nHost *\n  StrictHostKeyChecking yes\n", []),
    ],
)
def test_where_host_keys_are_not_checked(config: str, expected: list[str]) -> None:
    assert accounts.unchecked_hosts(config) == expected
