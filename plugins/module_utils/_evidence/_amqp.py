# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log in to a RabbitMQ as a service would, ask for a queue, and out again: AMQP 0-9-1 (amqp0-9-1.xml), as much as that takes.

Nothing is declared: a queue is asked for passively, which tells how many consume it and changes nothing.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from typing import NamedTuple, Optional

SECONDS = 4.0
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = 10, 11, 30, 31, 40, 41, 50


class Login(NamedTuple):
    """What a broker said. answer: "ok", "refused" (not this login), "no virtual host", "no answer" or "not a broker"; cluster:
    the name of its cluster, where it tells; consumers: of the queue that was asked for, 0 where there is no such queue, None
    where that could not be asked."""

    answer: str
    cluster: str = ""
    consumers: Optional[int] = None


class _Unexpected(Exception):
    """The other side speaks, and not as a broker."""


def log_in(
    address: tuple[str, int],
    user: str,
    password: str,
    virtual_host: str,
    tls: Optional[ssl.SSLContext] = None,
    queue: str = "",
) -> Login:
    """Try one login, and ask for a queue if one is named; never raises for what the other side does."""
    cluster = ""
    stage = ""
    try:
        with socket.create_connection(address, SECONDS) as plain:
            plain.settimeout(SECONDS)
            with tls.wrap_socket(plain, server_hostname=address[0]) if tls else contextlib.nullcontext(plain) as link:
                link.sendall(b"AMQP\x00\x00\x09\x01")
                method, body = _receive(link)
                if method != _START:
                    raise _Unexpected
                cluster = _cluster_name(body)
                stage = "refused"  # a broker that refuses a login says so, or only hangs up
                response = b"\0" + user.encode() + b"\0" + password.encode()
                capabilities = _short("authentication_failure_close") + b"t\x01"
                properties = _short("capabilities") + b"F" + _long(capabilities)
                _send(link, _START_OK, _long(properties) + _short("PLAIN") + _long(response) + _short("en_US"))
                method, body = _receive(link)
                if method != _TUNE:
                    return Login("refused", cluster)
                stage = "no virtual host"
                _send(link, _TUNE_OK, body[:6] + b"\0\0")  # its limits, and no heartbeats
                _send(link, _OPEN, _short(virtual_host or "/") + _short("") + b"\0")
                method, _body = _receive(link)
                if method != _OPEN_OK:
                    return Login("no virtual host", cluster)
                consumers = _consumers(link, queue) if queue else None
                _send(link, _CLOSE, struct.pack(">H", 200) + _short("") + b"\0\0\0\0")
                return Login("ok", cluster, consumers)
    except UnicodeError:
        return Login("no answer", cluster)  # a name that no host can have: two dots in a row, a label of 64 characters
    except (_Unexpected, ssl.SSLError, ValueError, struct.error, IndexError):
        return Login("not a broker")
    except (OSError, EOFError):
        return Login(stage or "no answer", cluster)


def _consumers(link: socket.socket, queue: str) -> Optional[int]:
    """How many consume a queue (queue.declare, passive)."""
    _send(link, 10, _short(""), section=20, channel=1)
    _receive(link, section=20, channel=1)
    _send(link, 10, b"\0\0" + _short(queue) + b"\x01\0\0\0\0", section=50, channel=1)
    method, body = _receive(link, section=None, channel=1)
    if method == 11:
        return int(struct.unpack(">I", body[-4:])[0])
    # channel.close: 404 for a queue that is not there
    return 0 if method == 40 and struct.unpack(">H", body[:2])[0] == 404 else None


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _send(link: socket.socket, method: int, arguments: bytes, section: int = 10, channel: int = 0) -> None:
    payload = struct.pack(">HH", section, method) + arguments
    link.sendall(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")


def _receive(link: socket.socket, section: Optional[int] = 10, channel: int = 0) -> tuple[int, bytes]:
    """(method, its arguments); of any class where none is named."""
    kind, there, size = struct.unpack(">BHI", _exactly(link, 7))
    if kind != 1 or there != channel or not 4 <= size < 1 << 20:
        raise _Unexpected
    payload = _exactly(link, size + 1)
    found, method = struct.unpack(">HH", payload[:4])
    if section is not None and found != section:
        raise _Unexpected
    return method, payload[4:-1]


def _exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = link.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _cluster_name(start: bytes) -> str:
    """server-properties["cluster_name"] of Connection.Start, which is a long string."""
    key = _short("cluster_name") + b"S"
    at = start.find(key)
    if at < 0:
        return ""
    at += len(key)
    (size,) = struct.unpack(">I", start[at : at + 4])
    return start[at + 4 : at + 4 + size].decode(errors="replace")
