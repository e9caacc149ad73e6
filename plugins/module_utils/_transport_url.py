# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a transport_url, as oslo.messaging reads them (oslo_messaging/transport.py, TransportURL.parse).

Every host carries its own user and password: in rabbit://u:p@h1,h2 the host h2 has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from ._numbers import whole

PORT = 5672


class Node(NamedTuple):
    """One host of a transport_url; user and password are None where the URL gives it none."""

    host: str
    port: int
    user: Optional[str]
    password: Optional[str]


class TransportURL(NamedTuple):
    """A transport_url, taken apart. Secrets are in it: it stays on its host."""

    transport: str
    nodes: tuple[Node, ...]
    virtual_host: str
    query: Mapping[str, str]


def parse(url: str) -> Optional[TransportURL]:
    """None for what is no transport_url at all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if not parts.scheme:
        return None
    query = {key: ",".join(values) for key, values in parse_qs(parts.query).items()}
    nodes = tuple(_node(entry) for entry in parts.netloc.split(",") if entry)
    return TransportURL(parts.scheme, nodes, unquote(parts.path[1:]) if parts.path.startswith("/") else "", query)


def _node(entry: str) -> Node:
    credentials, at, address = entry.rpartition("@")
    user, colon, password = credentials.partition(":")
    host, port = host_port(address, PORT)
    return Node(host, port, unquote(user) if at else None, unquote(password) if at and colon else None)


def host_port(text: str, default: int) -> tuple[str, int]:
    """("host", port) of host, host:port, [address] or [address]:port."""
    host, colon, port = text.strip().rpartition(":")
    number = whole(port)
    if colon and number is not None and (":" not in host or host.endswith("]")):
        return host.strip("[]"), number
    return text.strip().strip("[]"), default


def with_hosts(url: str, hosts: Iterable[str]) -> Optional[str]:
    """The same URL with these hosts ("host:port"), each with the credentials that the URL has for it, or else for the first
    that has any; None where it has none at all. Everything is kept as it is written, escapes too."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    written: dict[tuple[str, int], str] = {}
    for entry in parts.netloc.split(","):
        credentials, at, address = entry.rpartition("@")
        if at and ":" in credentials:
            written.setdefault(host_port(address, PORT), credentials)
    if not written:
        return None
    first = next(iter(written.values()))
    entries = []
    for text in hosts:
        host, port = host_port(text, PORT)
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        entries.append(f"{written.get((host, port), first)}@{shown}")
    return urlunsplit(parts._replace(netloc=",".join(entries)))


def shown(nodes: Iterable[Node]) -> list[str]:
    """The hosts without their credentials, and whether they have any."""
    return [
        (f"[{node.host}]:{node.port}" if ":" in node.host else f"{node.host}:{node.port}")
        + ("" if node.password is not None else " (without credentials)")
        for node in nodes
    ]
