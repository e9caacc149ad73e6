# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the files of ssh hold, they are read, and what they hold is what OpenSSH finds in them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _ssh_files
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import accounts, ssh
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.unit.texts import ANY, FEW, LONG_SETTINGS, SETTINGS, long, near


def _blob(key: bytes, kind: bytes = b"ssh-ed25519") -> str:
    return base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in (kind, key))).decode()


ONE, TWO, ODD_KEY = _blob(b"1" * 32), _blob(b"2" * 32), _blob(b"3" * 32, b"ssh-dss")
KEYS = [_ssh_files.PublicKey("ssh-ed25519", blob) for blob in (ONE, TWO)]
WORDS = (
    *(
        "ssh-ed25519",
        ONE,
        TWO,
        ODD_KEY,
        ONE[:-4],
        "nova@a",
        "#",
        "# x",
        "no-pty",
        "restrict,",
        'from="192.0.2.*,!192.0.2.9"',
    ),
    *(
        'command="a \\" b"',
        'command="x,from="',
        'environment="A=b c"',
        ",",
        "FROM=",
        "host",
        "host,[b]:22",
        "|1|",
        "@revoked",
    ),
    *(
        "Host *",
        "Match all",
        "StrictHostKeyChecking",
        "no",
        "off",
        "=",
        '"',
        "IdentityFile ~/.ssh/key",
        "nova:x:42:42::/v:/s",
    ),
)
NAMES = ["host", "[b]:8022", "192.0.2.5"]


def has(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@SETTINGS
@given(near(*WORDS), ANY)
def test_any_text_is_read(text: str, other: str) -> None:
    for key in _ssh_files.authorized_keys(text):
        assert _ssh_files.fingerprint(key.blob).startswith("SHA256:")
        _ssh_files.admits(key.sources, other)
    _ssh_files.authorize(text, KEYS, ["192.0.2.1"])
    _ssh_files.public_key(text)
    _ssh_files.fingerprint(text)
    accounts.unchecked_hosts(text)
    assert isinstance(ssh.classify(255, text, other)[1], str)
    with tempfile.TemporaryDirectory() as root:
        Path(root, "etc").mkdir()
        Path(root, "etc/passwd").write_bytes(text.encode("utf-8", "surrogateescape"))
        accounts.passwd_entry(Tree(root), "nova")


@SETTINGS
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_private_key_or_none(content: bytes, wrapped: bool) -> None:
    if wrapped:
        encoded = base64.b64encode(b"openssh-key-v1\0" + content)
        content = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + encoded + b"\n-----END OPENSSH PRIVATE KEY-----\n"
    blob = _ssh_files.public_blob(content)
    assert blob is None or _ssh_files.fingerprint(blob)


@LONG_SETTINGS
@given(long(*WORDS, "\n", "Connection refused", "-----BEGIN OPENSSH PRIVATE KEY-----"))
def test_long_texts_are_read_in_one_go(text: str) -> None:
    list(_ssh_files.authorized_keys(text))
    _ssh_files.trust(text, NAMES, KEYS)
    accounts.unchecked_hosts(text)
    accounts.unchecked_hosts(f"IdentityFile x{text}")
    ssh.classify(255, text)
    _ssh_files.public_blob(text[: 64 << 10].encode("utf-8", "surrogateescape"))


@SETTINGS
@given(near(*WORDS), st.lists(st.sampled_from(NAMES), min_size=1, unique=True), st.sampled_from([KEYS, KEYS[:1]]))
def test_a_host_is_trusted_once_and_for_all(text: str, names: list[str], keys: list[_ssh_files.PublicKey]) -> None:
    after = _ssh_files.trust(text, names, keys)
    assert _ssh_files.trust(after, names, keys) == after
    kept = [line for line in text.split("\n") if not any(name in line.lower() for name in names) and "|" not in line]
    assert set(kept) <= {*after.split("\n"), ""}


@SETTINGS
@given(near(*WORDS), st.lists(st.sampled_from(["192.0.2.5", "2001:db8::1"]), min_size=1, unique=True))
def test_a_key_is_authorized_once_and_for_all(text: str, sources: list[str]) -> None:
    lines = _ssh_files.authorize(text, KEYS, sources)
    after = "\n".join([text, *lines, ""])
    assert _ssh_files.authorize(after, KEYS, sources) == []


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        (f'command="x,from=",no-pty,environment="A=b" ssh-ed25519 {ONE}', None),
        (f'command="a \\"b\\" c",from="192.0.2.1" ssh-ed25519 {ONE}', ("192.0.2.1",)),
        (f'FROM="a,b",no-pty ssh-ed25519 {ONE} from="c"', ("a", "b")),
        (f"no-pty ssh-ed25519 {ONE}", None),
    ],
)
def test_only_a_from_option_says_from_where(line: str, sources: tuple[str, ...] | None) -> None:
    assert [key.sources for key in _ssh_files.authorized_keys(line)] == [sources]


def test_a_passwd_line_without_numbers_is_no_account(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("nova:x:²:42::/a:/b\nnova:x:::::\nnova:x:42:43::/v:/s\n")
    found = accounts.passwd_entry(Tree(str(tmp_path)), "nova")
    assert found == {"user": "nova", "uid": 42, "gid": 43, "home": "/v", "shell": "/s"}


# -- OpenSSH -----------------------------------------------------------------------------------------------------------


def _printed(text: str, *command: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "file")
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        words = [str(path) if word == "FILE" else word for word in command]
        run = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        return run.stdout.decode("utf-8", "replace") if run.returncode == 0 else ""


OPTIONS = st.sampled_from(
    ["", "", 'from="192.0.2.1" ', "no-pty,restrict ", 'command="a \\" b" ', 'environment="A=b c",no-pty ']
)
KEY_LINE = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "", " ", "\t", "# "]),
    OPTIONS,
    st.sampled_from(["ssh-ed25519 ", "ssh-ed25519\t", "ssh-rsa ", "ssh-foo ", "ssh-ed25519"]),
    st.sampled_from([ONE, TWO, ODD_KEY, ONE[:-4], "x"]),
    st.sampled_from(["", " nova@a", " # x", " \x85", "\u2028", "\r"]),
)


@has("ssh-keygen")
@FEW
@given(st.lists(KEY_LINE, max_size=5).map("\n".join))
def test_the_keys_are_those_that_ssh_keygen_finds(text: str) -> None:
    theirs = [
        line.split()[1] for line in _printed(text, "ssh-keygen", "-l", "-f", "FILE").splitlines() if "SHA256" in line
    ]
    assert [_ssh_files.fingerprint(key.blob) for key in _ssh_files.authorized_keys(text)] == theirs


def _hashed(name: str) -> str:
    salt = b"s" * 20
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


FIELD = st.one_of(
    st.lists(st.sampled_from([*NAMES, "HOST", "other"]), min_size=1, max_size=3).map(",".join),
    st.sampled_from([*NAMES, "other"]).map(_hashed),
)
KNOWN = st.builds(
    "{}{} ssh-ed25519 {}{}".format,
    st.sampled_from(["", "", " ", "\t"]),
    FIELD,
    st.sampled_from([ONE, TWO, _blob(b"4" * 32)]),
    st.sampled_from(["", " x", "\r"]),
)


@has("ssh-keygen")
@FEW
@given(st.lists(st.one_of(KNOWN, st.sampled_from(["", "# x"])), max_size=5).map("\n".join), st.sampled_from(["", "\n"]))
def test_ssh_keygen_finds_exactly_the_keys_that_were_given(text: str, end: str) -> None:
    after = _ssh_files.trust(text + end, NAMES[:2], KEYS)
    for name in NAMES[:2]:
        found = _printed(after, "ssh-keygen", "-F", name, "-f", "FILE").splitlines()
        assert {line.split()[2] for line in found if not line.startswith("#")} == {ONE, TWO}
    others = [_printed(which, "ssh-keygen", "-F", NAMES[2], "-f", "FILE").split()[-2:] for which in (text + end, after)]
    assert bool(others[0]) == bool(others[1])


STRICT = st.sampled_from(["yes", "no", "off", "false", "true", "accept-new", "ask", "No", "OFF"])


@has("ssh")
@FEW
@given(
    st.builds(
        "{}{}{}{}{}{}{}".format,
        st.sampled_from(["", "Host *\n", "# x\n", "Host other\nPort 1\nHost *\n"]),
        st.sampled_from(["", " ", "\t", "#"]),
        st.sampled_from(["StrictHostKeyChecking", "stricthostkeychecking"]),
        st.sampled_from([" ", "=", " = ", "\t", "  "]),
        st.one_of(STRICT, STRICT.map('"{}"'.format)),
        st.sampled_from(["", " ", " # no", "\t#yes", "\r"]),
        st.sampled_from(["", "\n", "\nPort 22\n"]),
    )
)
@example("StrictHostKeyChecking no # for now\n")
def test_ssh_checks_no_host_key_where_we_say_so(text: str) -> None:
    printed = _printed(text, "ssh", "-G", "-F", "FILE", "host")
    assume(printed)
    strict = next(line.split()[1] for line in printed.splitlines() if line.startswith("stricthostkeychecking "))
    assert bool(accounts.unchecked_hosts(text)) == (strict in ("false", "no", "off"))


@has("ssh-keygen")
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("phrase", ["", "secret"])
def test_a_private_key_tells_its_public_half(tmp_path: Path, kind: str, phrase: str) -> None:
    path = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", phrase, "-f", str(path)], check=True, stdin=subprocess.DEVNULL
    )
    public = _ssh_files.public_key((tmp_path / "key.pub").read_text())
    assert public
    assert _ssh_files.public_blob(path.read_bytes()) == public.blob


# -- what sshd -T says ---------------------------------------------------------------------------------------------------

SSHD_T = (
    *(
        "port 22",
        "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2",
        "authorizedkeysfile /etc/ssh/keys/%u",
    ),
    *("forcecommand none", "forcecommand /bin/false", "allowusers root", "denygroups", "authorizedkeysfile none"),
)


@SETTINGS
@given(near(*SSHD_T))
def test_any_text_of_sshd_is_understood(text: str) -> None:
    applies = accounts.sshd_applies(text, "/var/lib/nova/.ssh")
    assert set(applies["rules"]) <= set(accounts._SSHD_RULES)
    if "authorizedkeysfile" not in text:
        assert not applies["keys_elsewhere"]


@SETTINGS
@given(st.lists(st.sampled_from(SSHD_T)))
def test_what_sshd_applies_is_what_its_first_word_of_a_kind_says(lines: list[str]) -> None:
    applies = accounts.sshd_applies("\n".join(lines), "/var/lib/nova/.ssh")
    files = [line for line in lines if line.startswith("authorizedkeysfile")]
    assert applies["keys_elsewhere"] == bool(files and ".ssh/authorized_keys" not in files[0].split())
    rules = {
        line.split()[0] for line in lines if line.split()[0] in accounts._SSHD_RULES and line != "forcecommand none"
    }
    assert set(applies["rules"]) == rules
