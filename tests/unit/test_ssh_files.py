# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""authorized_keys and known_hosts keep what is somebody else's, and OpenSSH itself agrees with what is written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _ssh_files as files

ONE = "AAAAC3NzaC1lZDI1NTE5AAAAIJ5FDYSkMCNGMh1NyaYWSMhsJbE1mNBHcmYk6hhhVPGb"
TWO = "AAAAC3NzaC1lZDI1NTE5AAAAIP7Tuz2b1dPwfmmSI5wSTzUWZjhzIq0BSxyhSxyRKkhL"
KEY = files.PublicKey("ssh-ed25519", ONE, "nova@compute1")
HOST_KEY = files.PublicKey("ssh-ed25519", ONE)


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        (f"ssh-ed25519 {ONE} nova@compute1", None),
        (f'from="192.0.2.21,192.0.2.0/24",no-pty ssh-ed25519 {ONE}', ("192.0.2.21", "192.0.2.0/24")),
        (f'command="echo \\"a b\\"",from="10.*" ssh-ed25519 {ONE} x', ("10.*",)),
        (f"no-pty\tssh-ed25519 {ONE}", None),
    ],
)
def test_an_authorized_key_is_read_with_its_options(line: str, sources: tuple[str, ...] | None) -> None:
    assert list(files.authorized_keys(f"# mine\n\n{line}\n")) == [files.AuthorizedKey("ssh-ed25519", ONE, sources)]


@pytest.mark.parametrize("line", ["", "# ssh-ed25519 AAAA", "ssh-ed25519", "ssh-ed25519 not-base64!", "from= x"])
def test_what_is_no_key_is_passed_over(line: str) -> None:
    assert list(files.authorized_keys(line)) == []


@pytest.mark.parametrize(
    ("sources", "address", "admitted"),
    [
        (None, "192.0.2.21", True),
        (["192.0.2.0/24"], "192.0.2.21", True),
        (["192.0.2.?1"], "192.0.2.21", True),
        (["192.0.2.*", "!192.0.2.21"], "192.0.2.21", False),
        (["198.51.100.0/24"], "192.0.2.21", False),
        (["2001:db8::/64"], "2001:db8::21", True),
        (["compute1.example.org"], "Compute1.example.org", True),
        (["!192.0.2.9"], "192.0.2.21", False),
    ],
)
def test_from_is_judged_as_sshd_does(sources: list[str] | None, address: str, admitted: bool) -> None:
    assert files.admits(sources, address) is admitted


def test_a_key_is_admitted_from_its_address_and_for_nothing_else() -> None:
    (line,) = files.authorize("", [KEY], ["192.0.2.21"])
    assert line == (
        'from="192.0.2.21",no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding '
        f"ssh-ed25519 {ONE} nova@compute1"
    )
    assert files.authorize(line, [KEY], ["192.0.2.21"]) == []


def test_a_key_that_is_admitted_already_is_left_as_it_is() -> None:
    assert files.authorize(f"ssh-ed25519 {ONE} by hand", [KEY], ["192.0.2.21"]) == []
    assert files.authorize(f'from="192.0.2.0/24" ssh-ed25519 {ONE}', [KEY], ["192.0.2.21"]) == []


def test_a_key_that_is_admitted_from_elsewhere_only_gets_a_line_of_its_own() -> None:
    assert len(files.authorize(f'from="198.51.100.0/24" ssh-ed25519 {ONE}', [KEY], ["192.0.2.21"])) == 1


NAMES = ["compute1", "192.0.2.21"]


def test_an_unknown_host_is_added_under_all_its_names() -> None:
    assert files.trust("", NAMES, [HOST_KEY]) == f"compute1,192.0.2.21 ssh-ed25519 {ONE}\n"


def test_an_old_key_makes_room_and_everything_else_stays() -> None:
    before = (
        "# by hand\n"
        f"@cert-authority * ssh-ed25519 {TWO}\n"
        f"@revoked * ssh-ed25519 {TWO}\n"
        f"compute1,192.0.2.21 ssh-ed25519 {TWO}\n"
        f"compute10,192.0.2.210 ssh-ed25519 {TWO}\n"
        f"[compute1]:8022 ssh-ed25519 {TWO}\n"
        "\n"
    )
    after = files.trust(before, NAMES, [HOST_KEY])
    assert after == before.replace(f"compute1,192.0.2.21 ssh-ed25519 {TWO}\n", "").rstrip("\n") + (
        f"\ncompute1,192.0.2.21 ssh-ed25519 {ONE}\n"
    )


def test_a_shared_line_loses_only_the_name_that_moved() -> None:
    after = files.trust(f"compute1,compute2 ssh-ed25519 {TWO} both\n", ["compute1"], [HOST_KEY])
    assert after == f"compute2 ssh-ed25519 {TWO} both\ncompute1 ssh-ed25519 {ONE}\n"


@pytest.mark.parametrize(
    "text",
    [
        f"compute1,192.0.2.21 ssh-ed25519 {ONE}\n",
        f"compute1,192.0.2.21 ssh-ed25519 {ONE}",
        f"192.0.2.21 ssh-ed25519 {ONE} x\n\ncompute1 ssh-ed25519 {ONE}\n\n",
    ],
)
def test_a_host_that_is_known_changes_not_a_byte(text: str) -> None:
    assert files.trust(text, NAMES, [HOST_KEY]) == text


def test_hashed_names_are_understood(tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"compute1,192.0.2.21 ssh-ed25519 {ONE}\ncompute2 ssh-ed25519 {TWO}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    hashed = known.read_text()
    assert "compute1" not in hashed
    assert files.trust(hashed, NAMES, [HOST_KEY]) == hashed
    moved = files.trust(hashed, NAMES, [files.PublicKey("ssh-ed25519", TWO)])
    assert ONE not in moved
    known.write_text(moved)
    found = subprocess.run(["ssh-keygen", "-F", "compute2", "-f", str(known)], capture_output=True, text=True)
    assert TWO in found.stdout


def test_a_host_on_another_port_is_known_under_that_port(tmp_path: Path) -> None:
    names = files.host_names(["Compute1", "192.0.2.21", "192.0.2.21"], 8022)
    assert names == ["[compute1]:8022", "[192.0.2.21]:8022"]
    known = tmp_path / "known_hosts"
    known.write_text(files.trust("", names, [HOST_KEY]))
    found = subprocess.run(["ssh-keygen", "-F", "[192.0.2.21]:8022", "-f", str(known)], capture_output=True, text=True)
    assert ONE in found.stdout
