# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A compute gets a key once, knows and admits its peers, and is as before when the run is undone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.modules import migration_ssh_identity as identity
from ansible_collections.stackmend.openstack.plugins.modules import migration_ssh_trust as trust

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5FDYSkMCNGMh1NyaYWSMhsJbE1mNBHcmYk6hhhVPGb nova@compute2"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP7Tuz2b1dPwfmmSI5wSTzUWZjhzIq0BSxyhSxyRKkhL"
HOST = {"name": "compute2", "address": "192.0.2.22", "port": 22, "sources": []}
IDENTITY = {"name": "compute2", "public_keys": [KEY], "host_keys": [HOST_KEY], "pending": False}


class Compute:
    """A directory that stands for a compute, whose nova is whoever runs the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ssh = root / "var/lib/nova/.ssh"
        self.ssh.parent.mkdir(parents=True)
        (root / "etc/ssh").mkdir(parents=True)
        (root / "etc/ssh/ssh_host_ed25519_key.pub").write_text(f"{HOST_KEY} root@compute1\n")
        self.set_shell("/bin/sh")
        self.tree = Tree(str(root))
        self.journal = Journal("/var/lib/stackmend/journal", "test", str(root))

    def set_shell(self, shell: str) -> None:
        entry = f"nova:x:{os.getuid()}:{os.getgid()}::/var/lib/nova:{shell}\n"
        (self.root / "etc/passwd").write_text(entry)

    def state(self) -> dict[str, Any]:
        home = self.ssh.parent
        return {
            str(path): (oct(path.stat().st_mode), path.read_bytes() if path.is_file() else None)
            for path in [home, *home.rglob("*")]
        }

    def have_identity(self, check_mode: bool = False, generate: bool = True) -> dict[str, Any]:
        params = {"user": "nova", "name": "compute1", "generate": generate}
        return identity.apply(self.journal, params, check_mode)

    def have_trust(self, *identities: dict[str, Any], apply: bool = True) -> list[dict[str, str]]:
        changes, _ = trust.plan(self.tree, "nova", "/bin/sh", [HOST], identities or (IDENTITY,))
        for change in changes if apply else ():
            change.make(self.tree, self.journal)
        return [change.diff for change in changes]


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    return Compute(tmp_path)


def test_a_key_is_made_once_and_only_its_public_half_is_told(compute: Compute) -> None:
    made = compute.have_identity()
    private = (compute.ssh / "id_ed25519").read_text()
    assert made["changed"]
    assert made["identity"]["public_keys"] == [(compute.ssh / "id_ed25519.pub").read_text().strip()]
    assert made["identity"]["host_keys"] == [HOST_KEY]
    assert private.splitlines()[3] not in json.dumps(made)
    assert oct((compute.ssh / "id_ed25519").stat().st_mode)[-3:] == "600"
    assert oct(compute.ssh.stat().st_mode)[-3:] == "700"
    again = compute.have_identity()
    assert not again["changed"]
    assert again["identity"] == made["identity"]
    assert (compute.ssh / "id_ed25519").read_text() == private


def test_a_key_under_another_name_is_reused(compute: Compute) -> None:
    compute.have_identity()
    (compute.ssh / "id_ed25519").rename(compute.ssh / "id_rsa")
    (compute.ssh / "id_ed25519.pub").unlink()
    found = compute.have_identity()
    assert not found["changed"]
    assert found["identity"]["public_keys"][0].startswith("ssh-ed25519 ")
    assert not (compute.ssh / "id_ed25519").exists()


def test_check_mode_makes_no_key_and_says_that_it_would(compute: Compute) -> None:
    before = compute.state()
    told = compute.have_identity(check_mode=True)
    assert told["changed"]
    assert told["identity"]["pending"]
    assert "made when this is applied" in told["diff"][0]["after"]
    assert compute.state() == before


def test_reading_only_makes_nothing(compute: Compute) -> None:
    told = compute.have_identity(generate=False)
    assert not told["changed"]
    assert told["identity"]["public_keys"] == []
    assert not compute.ssh.exists()


def test_peers_are_known_and_admitted_and_a_second_run_changes_nothing(compute: Compute) -> None:
    assert [diff["after_header"] for diff in compute.have_trust()] == [
        "/var/lib/nova/.ssh",
        "/var/lib/nova/.ssh/known_hosts",
        "/var/lib/nova/.ssh/authorized_keys",
    ]
    assert (compute.ssh / "known_hosts").read_text() == f"compute2,192.0.2.22 {HOST_KEY}\n"
    assert (compute.ssh / "authorized_keys").read_text().startswith('from="192.0.2.22",no-pty,')
    assert compute.have_trust() == []


def test_what_others_wrote_stays(compute: Compute) -> None:
    compute.ssh.mkdir(mode=0o700)
    (compute.ssh / "authorized_keys").write_text("# deployed by hand\n" + KEY.replace("nova@compute2", "kept"))
    (compute.ssh / "known_hosts").write_text(f"elsewhere {HOST_KEY}\n")
    compute.have_trust()
    assert (compute.ssh / "authorized_keys").read_text().startswith("# deployed by hand\n")
    assert "kept" in (compute.ssh / "authorized_keys").read_text()
    assert (compute.ssh / "known_hosts").read_text().startswith(f"elsewhere {HOST_KEY}\n")


def test_modes_that_ssh_refuses_are_put_right(compute: Compute) -> None:
    compute.have_identity()
    compute.have_trust()
    (compute.ssh / "id_ed25519").chmod(0o644)
    (compute.ssh / "authorized_keys").chmod(0o666)
    compute.ssh.chmod(0o777)
    private = (compute.ssh / "id_ed25519").read_text()
    shown = compute.have_trust()
    assert private.splitlines()[3] not in json.dumps(shown)
    assert [oct(path.stat().st_mode)[-3:] for path in (compute.ssh, compute.ssh / "id_ed25519")] == ["700", "600"]
    assert oct((compute.ssh / "authorized_keys").stat().st_mode)[-3:] == "644"
    assert (compute.ssh / "id_ed25519").read_text() == private
    assert compute.have_trust() == []


def test_undoing_restores_every_byte_and_mode(compute: Compute) -> None:
    compute.ssh.mkdir(mode=0o700)
    (compute.ssh / "known_hosts").write_text(f"compute2 {KEY}\n")
    (compute.ssh / "known_hosts").chmod(0o666)
    compute.ssh.chmod(0o770)
    before = compute.state()
    compute.have_identity()
    compute.have_trust()
    assert compute.state() != before
    outcomes = compute.journal.undo(check_mode=False)
    assert {outcome["status"] for outcome in outcomes} == {"restored"}
    assert compute.state() == before


def test_a_key_that_is_still_to_be_made_is_announced_and_not_written(compute: Compute) -> None:
    pending = {**IDENTITY, "public_keys": [], "pending": True}
    shown = compute.have_trust(pending, apply=False)
    assert "(the key that is made for compute2)" in shown[-1]["after"]


def test_a_host_key_that_could_not_be_read_is_not_trusted(compute: Compute) -> None:
    with pytest.raises(ChangeFailed, match="the host keys of compute2 could not be read"):
        compute.have_trust({**IDENTITY, "host_keys": []})
    assert not compute.ssh.exists()


@pytest.mark.parametrize("name", ["authorized_keys", "known_hosts", ""])
def test_nothing_is_written_through_a_link(compute: Compute, name: str) -> None:
    elsewhere = compute.root / "elsewhere"
    if name:
        compute.ssh.mkdir(mode=0o700)
        elsewhere.write_text("")
        (compute.ssh / name).symlink_to("/elsewhere")
    else:
        elsewhere.mkdir()
        compute.ssh.symlink_to("/elsewhere")
    with pytest.raises(ChangeFailed, match="is a symbolic link"):
        compute.have_trust()


def test_a_user_that_is_not_there_is_a_sentence(compute: Compute) -> None:
    (compute.root / "etc/passwd").write_text("")
    with pytest.raises(ChangeFailed, match="there is no user nova"):
        compute.have_trust()
    with pytest.raises(ChangeFailed, match="compute1 has no user nova"):
        compute.have_identity()


def test_the_shell_of_a_directory_tree_is_not_set(compute: Compute) -> None:
    compute.set_shell("/usr/sbin/nologin")
    with pytest.raises(ChangeFailed, match="only be set on a running host"):
        compute.have_trust()
