# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a host's processes are called, listen on, say and log, and whatever its programs answer, it is read."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import (
    _log_lines,
    ceph,
    consoles,
    port_bindings,
    request_path,
    service_processes,
    services,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.texts import ANY, FEW, LONG_SETTINGS, SETTINGS, long, near

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
)


# -- the kernel's words ------------------------------------------------------------------------------------------------


@SETTINGS
@given(near("1 (nova-api) S", "2", ")", "(", "0 " * 18))
def test_any_text_is_a_process_or_one_that_is_gone(text: str) -> None:
    try:
        parent, start = service_processes.parent_and_start(text)
    except OSError:
        return
    assert parent >= 0
    assert start >= 0


@FEW
@given(st.one_of(st.binary(max_size=15), st.sampled_from([b") R 1 1", b"a) S 1 (b", b"\n) 1", b"nova-api"])))
def test_a_process_is_known_whatever_it_is_called(name: bytes) -> None:
    before = service_processes.identity(os.getpid())
    path = f"/proc/self/task/{os.getpid()}/comm"
    old = Path(path).read_bytes().rstrip(b"\n")
    try:
        Path(path).write_bytes(name)
        assert service_processes.identity(os.getpid()) == before == (os.getppid(), before[1])
    finally:
        Path(path).write_bytes(old)


@FEW
@given(
    st.one_of(st.binary(max_size=15), st.sampled_from([b'a"b', b'"),("', b'",pid=1', b'("a",pid=1', b"a\nb", b"x) y"]))
)
def test_who_has_a_port_is_known_whatever_it_is_called(name: bytes) -> None:
    """The real ss, asked about this very process under another name."""
    comm = Path(f"/proc/self/task/{os.getpid()}/comm")
    old = comm.read_bytes().rstrip(b"\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        try:
            comm.write_bytes(name)
            found = port_bindings._listeners(server.getsockname()[1])
        finally:
            comm.write_bytes(old)
    assert [entry["pid"] for entry in found] == [os.getpid()]


@SETTINGS
@given(
    near(
        'LISTEN 0 128 127.0.0.1:8774 0.0.0.0:* users:(("nova-api",pid=1,fd=3),("nova-api",pid=2,fd=3))',
        '("',
        '",pid=',
        "7",
        ",fd=",
    )
)
def test_any_text_of_ss_names_processes_or_none(text: str) -> None:
    assert all(pid >= 0 for _name, pid in port_bindings.holders(text))


@LONG_SETTINGS
@given(long('("', '",pid=', "1", ",fd=", '("a",pid=1,fd=2)'))
def test_a_long_text_of_ss_takes_a_moment(text: str) -> None:
    port_bindings.holders(text)


ADDRESSES = st.one_of(
    st.builds(lambda b, c, d: f"127.{b}.{c}.{d}", st.integers(0, 255), st.integers(0, 255), st.integers(1, 254)),
    st.just("0.0.0.0"),
)


@FEW
@given(ADDRESSES)
def test_a_server_is_found_where_it_listens(address: str) -> None:
    with socket.create_server((address, 0)) as server:
        found = request_path._listening(server.getsockname()[1])
    assert ("127.0.0.1" if address == "0.0.0.0" else address) in found


@SETTINGS
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_is_what_the_kernel_means(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    # The kernel prints each word of 32 bits as it has it: on this machine's byte order (net/ipv4/tcp_ipv4.c).
    words = [address.packed[at : at + 4] for at in range(0, len(address.packed), 4)]
    digits = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    found = request_path._address(digits, address.version == 6)
    expected = address if int(address) else ipaddress.ip_address("127.0.0.1")
    assert ipaddress.ip_address(found.strip("[]")) == expected


COMMANDS = (
    *("/usr/bin/python3", "/usr/bin/nova-api", "nova-api:", "(wsgi:nova", "uwsgi", "--config-file"),
    *("--config-file=/etc/nova/nova.conf", "--config-dir", "/etc/nova", "/usr/bin/neutron-server", "--bind"),
    *("0.0.0.0:9696", "-b", "--port=8774", "[::]:5000", "-c", "apache2"),
)


@SETTINGS
@given(st.lists(st.one_of(st.sampled_from(COMMANDS), ANY), max_size=6))
@example(["--port", "²:9"])
def test_any_words_are_a_command(words: list[str]) -> None:
    named = services.program_of(words)
    assert 0 <= port_bindings._port_of(words) < 100_000
    if named:
        project, name, wsgi = named
        with tempfile.TemporaryDirectory() as root:
            program = services.Program(project, name, tuple(words), {}, wsgi=wsgi)
            assert services.config_files(Tree(root), program) == ()


UNIT = (
    *("[Service]", "ExecStart=", "ExecStart=-/usr/bin/nova-api", "/usr/bin/python3"),
    *("--config-file /etc/nova/nova.conf", "User=nova", "Environment=", "OS_DEFAULT__DEBUG=1"),
    *("EnvironmentFile=-/etc/x", "EnvironmentFile=", "\\\n", "WSGIScriptAlias / /x/nova-api"),
    *("CONFIG_FILE=/etc/x", "UWSGI_INI_PATH=", "ExecStart=/etc/init.d/nova-api systemd-start"),
)


def _installed(text: str) -> list[services.Program]:
    with tempfile.TemporaryDirectory() as root:
        for path in ("etc/systemd/system/nova-api.service", "etc/x", "etc/httpd/conf.d/x.conf", "etc/init.d/nova-api"):
            Path(root, path).parent.mkdir(parents=True, exist_ok=True)
            Path(root, path).write_bytes(text.encode("utf-8", "surrogateescape"))
        wanted = Path(root, "etc/systemd/system/multi-user.target.wants/nova-api.service")
        wanted.parent.mkdir()
        wanted.touch()
        tree = Tree(root)
        list(services._apache(tree))
        return services.installed(tree)


@SETTINGS
@given(near(*UNIT))
def test_any_text_is_a_unit(text: str) -> None:
    assert all(program.project in services.PROJECTS for program in _installed(text))


@LONG_SETTINGS
@given(long(*UNIT, "\n"))
def test_long_units_are_read_in_one_go(text: str) -> None:
    _installed(text)


# -- what servers say --------------------------------------------------------------------------------------------------

SAID = (
    *(
        "(13)Permission denied: AH00072: make_sock: could not bind to address [::]:5000",
        "(98)",
        "AH00072: make_sock:",
        "(13)",
    ),
    *(
        "Could not bind to 0.0.0.0:8774",
        "could not bind to",
        "[Errno 98] Address already in use",
        "[Errno 13] Permission denied",
    ),
    *("bind(): Permission denied [core/socket.c line 769]", "a:1:2:3:", ":"),
)


@SETTINGS
@given(near(*SAID))
def test_any_log_is_searched_for_ports(text: str) -> None:
    for _address, port, errno in port_bindings.complaints(text, []):
        assert port >= 0
        assert errno in (13, 98)


@LONG_SETTINGS
@given(long(*SAID, "\n"))
def test_long_logs_are_searched_in_one_go(text: str) -> None:
    list(port_bindings.complaints(text, []))


DENIAL = (
    'type=AVC msg=audit(1700000000.123:45): avc:  denied  { name_bind } for  pid=1 comm="httpd" src=5000 '
    "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:commplex_main_port_t:s0 tclass=tcp_socket permissive=0"
)
AUDIT = (DENIAL, *DENIAL.split(), "{ name_bind }", 'comm="', "src=", "scontext=a:b:c_t:", "\n", "msg=audit(²")


@SETTINGS
@given(near(*AUDIT))
@example(DENIAL)
def test_any_audit_log_is_searched(text: str) -> None:
    found = list(port_bindings.denials(text, 0))
    if text == DENIAL:
        assert found == [{"command": "httpd", "port": 5000, "domain": "httpd_t", "type": "commplex_main_port_t"}]


@LONG_SETTINGS
@given(long(*AUDIT))
def test_long_audit_logs_are_searched_in_one_go(text: str) -> None:
    list(port_bindings.denials(text, 0))


CLOCK = _log_lines.Clock(UTC, datetime(2026, 11, 21, tzinfo=UTC))
LOG = (
    *("2026-11-21 10:00:00.123", "2026-02-31 25:61:61", "[Mon Nov 21 10:00:00 2026]", "Nov 21 10:00:00 "),
    *("type=AVC msg=audit(1:2):", "4711", "ERROR", "nova.api", "[None req-"),
    *("req-12345678-1234-1234-1234-123456789012", "-", "]", "[instance: ", "\\u5982", "\\xe5", "password="),
    *("'secret'", "token", ": ", "://u:p@h", "gAAAA", "X-Auth-Token", "Bearer", "-----BEGIN PRIVATE KEY"),
    *("\x1b[31m",),
)


@SETTINGS
@given(near(*LOG))
@example("2026-11-21 10:00:00 +99:99 x")
@example("0001-01-01 00:00:00 +23:59")
def test_any_line_is_a_line_of_a_log(text: str) -> None:
    for line in [text.encode("utf-8", "surrogateescape"), *text.encode("utf-8", "surrogateescape").split(b"\n")]:
        seconds = _log_lines.moment(line, CLOCK)
        _log_lines.told(seconds)
        plain = _log_lines.plain(line)
        _log_lines.head(plain)
        assert len(_log_lines.shown(plain)) <= _log_lines.SHOWN


@LONG_SETTINGS
@given(long(*LOG))
def test_long_lines_of_a_log_are_read_in_one_go(text: str) -> None:
    line = text.encode("utf-8", "surrogateescape")
    _log_lines.moment(line, CLOCK)
    _log_lines.head(_log_lines.plain(line))
    _log_lines.shown(_log_lines.plain(line))


# -- what programs answer ----------------------------------------------------------------------------------------------

ANSWERS: dict[str, Any] = {
    "health": {"checks": {"OSD_NEARFULL": {"summary": {"message": "m"}, "detail": [{"message": "d"}], "muted": False}}},
    "space": {
        "nodes": [{"id": 0, "utilization": 90.1, "reweight": 1.0, "pgs": 3}],
        "summary": {"average_utilization": 50.0},
    },
    "map": {"fsid": "f", "nearfull_ratio": 0.85, "backfillfull_ratio": 0.9, "full_ratio": 0.95, "flags": "noout"},
    "balancer": {"active": True},
    "groups": {"pg_summary": {"num_pg_by_state": [{"name": "active+clean", "num": 3}]}},
}


def _spoilt(answers: Any, path: list[int], leaf: Any) -> Any:
    """The same with something else in one place."""
    if not path or not isinstance(answers, dict | list) or not answers:
        return leaf
    keys = sorted(answers) if isinstance(answers, dict) else list(range(len(answers)))
    key = keys[path[0] % len(keys)]
    copy = answers.copy()
    copy[key] = _spoilt(answers[key], path[1:], leaf)
    return copy


@SETTINGS
@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), JSON)
def test_any_answer_of_ceph_is_understood_or_is_said_to_be_none(path: list[int], leaf: Any) -> None:
    answers = _spoilt(ANSWERS, path, leaf)
    answers = answers if isinstance(answers, dict) else {}
    try:
        found = ceph.understood(
            ["ceph"], *(answers.get(name) for name in ("health", "space", "map", "balancer", "groups"))
        )
    except Unavailable:
        return
    assert sorted(found)[0] == "average"


def test_what_ceph_says_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("[" * 100_000)
    (tmp_path / "bytes").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(Unavailable, match="no JSON"):
        ceph.ask(["sh", "-c", f"cat {tmp_path}/deep", "--"], "health")
    assert ceph.ask(["sh", "-c", f"cat {tmp_path}/bytes", "--"], "health") == {"a": "\ufffd"}


@SETTINGS
@given(
    st.lists(
        st.one_of(
            JSON,
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["conductor", "compute.a", "x"]),
                    "messages": JSON,
                    "consumers": JSON,
                    "messages_unacknowledged": JSON,
                }
            ),
        ),
        max_size=3,
    )
)
def test_any_rows_are_queues(rows: list[Any]) -> None:
    json.dumps(request_path.of_nova(rows))


@SETTINGS
@given(
    near(
        "<domstatus>",
        "<domain>",
        "</domain>",
        "<devices>",
        "<graphics type='vnc' port='²'/>",
        "&",
        "<?xml version='1.0' encoding='x'?>",
    )
)
@example("<domain><devices><graphics type='vnc' port='x'/></devices></domain>")
@example("<?xml version='1.0' encoding='utf-16'?><domain/>")
@example("<a>" * 5000)
def test_any_text_is_a_domain_of_libvirt_or_is_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root, "run/libvirt/qemu")
        directory.mkdir(parents=True)
        (directory / "a.xml").write_bytes(text.encode("utf-8", "surrogateescape"))
        try:
            assert consoles.guests(Tree(root)) == []
        except Unavailable as reason:
            assert "a.xml" in str(reason)  # noqa: PT017
        Path(root, "etc/libvirt").mkdir(parents=True)
        Path(root, "etc/libvirt/qemu.conf").write_bytes(
            f"remote_display_port_min = {text}".encode("utf-8", "surrogateescape")
        )
        assert len(consoles._ports(Tree(root), [5901])) == 2
