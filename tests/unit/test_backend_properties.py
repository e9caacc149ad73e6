# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever servers say, their files hold or a URL of servers is, it is read, and a limit that is set is the one that counts."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _memcached_files, _transport_url
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import (
    _amqp,
    backends,
    consoles,
    memcached,
    ssh,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.texts import ANY, FEW, LONG_SETTINGS, SETTINGS, long, near

FILE = (
    *(
        "-c",
        "-c 1024",
        "-c1024",
        "--conn-limit=5",
        "--conn-limit",
        "-m 64",
        "#",
        "-l",
        "127.0.0.1",
        "-p",
        "-s",
        "/run/x",
    ),
    *("MAXCONN=", 'MAXCONN="1024"', 'OPTIONS="-c 7"', "OPTIONS=", "export", 'PORT="11211"'),
)
URL = (
    *(
        "rabbit://",
        "u:p@",
        "h1:5672",
        "h2",
        ",",
        "[::1]",
        "[::1]:5673",
        "/",
        "?ssl=1",
        "//",
        "%2f",
        "none:",
        "a..b",
        "x" * 64,
    ),
    *("{hostname}", "{0}", "{hostname.x}", "{hostname[a]}", "{"),
)


@SETTINGS
@given(near(*FILE), st.sampled_from(_memcached_files.STYLES), st.integers(1, 99999))
@example("-c " + "9" * 5000, "arguments", 1)
@example("MAXCONN=²", "environment", 1)
def test_the_limit_that_is_set_is_the_one_that_is_read(text: str, style: str, limit: int) -> None:
    _memcached_files.limit_in(text, style)
    after = _memcached_files.with_limit(text, style, limit)
    assert _memcached_files.limit_in(after, style) == limit
    assert _memcached_files.with_limit(after, style, limit) == after


@LONG_SETTINGS
@given(long(*FILE, "\n"), st.sampled_from(_memcached_files.STYLES))
def test_long_files_are_read_in_one_go(text: str, style: str) -> None:
    _memcached_files.with_limit(text, style, 5)


@SETTINGS
@given(st.lists(st.one_of(st.sampled_from(FILE), ANY), max_size=6))
@example(["-c", "²"])
@example(["memcached", "-l", "h:²", "-p", "9" * 5000])
def test_any_words_are_a_command_of_memcached(words: list[str]) -> None:
    assert _memcached_files.limit_of(words) >= 0
    host, port = memcached._address(words)
    assert memcached._shown((host, port))


STAT = st.builds(
    "STAT {} {}".format,
    st.sampled_from(["curr_connections", "max_connections", "rejected_connections", "uptime", "x y"]),
    st.one_of(st.sampled_from(["1", "²", "-1", "9" * 5000, "", "1 2"]), ANY),
)


@SETTINGS
@given(
    st.one_of(
        st.binary(max_size=80),
        st.lists(STAT, max_size=6).map(lambda rows: "\r\n".join([*rows, "END\r\n"]).encode("utf-8", "surrogateescape")),
        st.binary(max_size=40).map(lambda raw: b"ERROR Too many open connections" + raw),
    )
)
def test_any_answer_is_understood_or_is_said_to_be_none(answer: bytes) -> None:
    try:
        kind, statistics = memcached.understood(answer, "memcached", ("127.0.0.1", 11211))
    except Unavailable:
        return
    assert kind in ("ok", "refused", "silent")
    assert memcached._number(statistics, "uptime") is None or statistics["uptime"].isdecimal()
    if memcached._number(statistics, "curr_connections") is None:
        with pytest.raises(Unavailable, match="look at its `stats` yourself"):
            memcached._current(statistics, "memcached")


FRAME = st.builds(
    lambda kind, size, method, body, end: (
        struct.pack(">BHI", kind, 0, size) + struct.pack(">HH", 10, method) + body + end
    ),
    st.sampled_from([1, 1, 8, 3]),
    st.integers(0, 40),
    st.sampled_from([10, 30, 41, 50]),
    st.binary(max_size=40),
    st.sampled_from([b"\xce", b""]),
)


@FEW
@given(st.one_of(st.binary(max_size=40), st.lists(st.one_of(FRAME, st.binary(max_size=4)), max_size=5).map(b"".join)))
def test_any_server_is_a_broker_or_none(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _address = server.accept()
            with connection:
                connection.settimeout(5)
                try:
                    connection.sendall(said)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                except OSError:
                    pass  # the other side has heard enough

        talk = threading.Thread(target=answer)
        talk.start()
        try:
            assert _amqp.log_in(server.getsockname(), "u", "p", "v" * 300).answer != "ok"
        finally:
            talk.join()


@SETTINGS
@given(near(*URL), near(*URL))
@example("rabbit://u:p@h:²/", "h:²")
@example("rabbit://u:p@[h/", "h")
def test_any_text_is_a_url_of_servers_or_none(text: str, other: str) -> None:
    url = _transport_url.parse(text)
    if url is not None:
        assert all(isinstance(node.port, int) for node in url.nodes)
        _transport_url.shown(url.nodes)
    after = _transport_url.with_hosts(text, ["h3:5", "[::1]:6"])
    if after is not None and url is not None:
        again = _transport_url.parse(after)
        assert again is not None
        assert [(node.host, node.port) for node in again.nodes] == [("h3", 5), ("::1", 6)]
        assert again.virtual_host == url.virtual_host
    backends._meaning(backends._of_template(other, text))
    backends._meaning(backends._of_template("rabbit://{username}@{hostname.x}{hostname[a]}", text))


@LONG_SETTINGS
@given(long(*URL))
def test_long_urls_are_read_in_one_go(text: str) -> None:
    _transport_url.parse(f"rabbit://{text}")
    _transport_url.with_hosts(f"rabbit://{text}", ["h:1"])


@pytest.mark.parametrize("name", ["a..b", "x" * 64])
def test_what_can_be_no_name_has_no_address(name: str) -> None:
    assert backends._address(Tree(), name, 1) == f"{name}:1"
    assert backends._version((name, 1)) == "no answer"
    assert _amqp.log_in((name, 1), "u", "p", "/").answer == "no answer"
    assert consoles.connect(name, 1)["kind"] == "unresolved"
    assert not ssh._is_own_address(name)
    with pytest.raises(Unavailable, match="could not be asked"):
        memcached._ask((name, 1), "memcached")
