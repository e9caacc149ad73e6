# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which RabbitMQ and memcached servers the services of this host are given, and try each of them.

The result:
  {"buses": [LIST], "caches": [LIST], "cells": [CELL], "wanted": {"bus": [server], "cache": [server]}, "gaps": [...]}
LIST: {"service", "programs", "path", "section", "option", "line", "expect": fingerprint of the value, "plain": whether the
  value stands in the file as it is, "restarts", "ordered": whether the order of the servers decides which has a key,
  "servers": [SERVER], "mixed": whether only some servers have credentials}
SERVER: {"name": "host:port" as written, "address": what it resolves to, "credentials": bool, "answer": "ok" or what is wrong,
  "cluster": RabbitMQ's name for its cluster or "", "with_first": the answer to the first server's credentials, where it has
  none of its own}
CELL: {"uuid", "name", "differs": whether its servers, credentials or virtual host are not those of nova.conf}

A RabbitMQ is asked by logging in with the credentials of the URL, a memcached by `version`. No user, password or URL is in
the result.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from .. import _transport_url
from .._model import Unavailable
from . import _amqp, _interpreter, oslo_config, services
from ._cell_urls_program import PROGRAM
from ._oslo_files import Effective, fingerprint, refers
from ._tree import Tree

AT_ONCE = 8
CACHE_PORT = 11211
CACHE_SECONDS = 3.0
CELLS_SECONDS = 30.0
_RABBIT = ("rabbit", "kombu")
# (section, options, option that names the backend or None): lists of memcached servers
_CACHES = (
    ("keystone_authtoken", ("memcached_servers", "memcache_servers"), None),
    ("cache", ("memcache_servers",), "backend"),
)
# python-memcached takes the server by its place in the list; pymemcache and bmemcached by its name.
_ORDERED = ("oslo_cache.memcache_pool", "dogpile.cache.memcached", "dogpile.cache.pylibmc")


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The lists of every service. options: as for `services`, and rabbit_hosts and memcached_servers, the right ones."""
    result: dict[str, Any] = {"buses": [], "caches": [], "cells": [], "wanted": _wanted(tree, options), "gaps": []}
    for service in services.find(tree, options):
        seen = set()
        for view in service.views:
            try:
                files = {path: oslo_config.read_file(tree, path, oslo_config.host_key(tree)) for path in view.files}
            except (OSError, Unavailable) as error:
                result["gaps"].append({"reason": f"the backends of {service.name} were not judged: {error}"})
                continue
            effective = oslo_config.effective({"files": files}, {"files": view.files, "environment": view.environment})
            for kind, found in _lists(service, view, effective, files):
                key = (found["path"], found["section"], found["option"], found["expect"])
                if key not in seen:
                    seen.add(key)
                    result[kind].append(found)
            if service.name == "nova" and tree.is_live and not result["cells"]:
                result["cells"] = _cells(service, effective, result["gaps"])
    if tree.is_live:
        _try_all(result)
    elif result["buses"] or result["caches"]:
        result["gaps"].append({"reason": "RabbitMQ and memcached can only be tried from a running host"})
    for found in (*result["buses"], *result["caches"]):
        for server in found["servers"]:
            del server["login"]
    return result


def _wanted(tree: Tree, options: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """The servers that the operator names as the right ones."""
    wanted = {}
    for kind, option, port in (
        ("bus", "rabbit_hosts", _transport_url.PORT),
        ("cache", "memcached_servers", CACHE_PORT),
    ):
        servers = [_transport_url.host_port(str(text), port) for text in options.get(option) or ()]
        wanted[kind] = [{"name": f"{host}:{port}", "address": _address(tree, host, port)} for host, port in servers]
    return wanted


def _lists(
    service: services.Service, view: services.View, effective: Effective, files: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    found = effective.raw("DEFAULT", "transport_url")
    url = _transport_url.parse(effective.text("DEFAULT", "transport_url")) if found else None
    if found and url and url.transport in _RABBIT and url.nodes:
        tls = tls_of(url, effective)
        servers = [
            {
                **_server(node.host, node.port),
                "credentials": node.password is not None,
                "login": (node, url.nodes[0], url.virtual_host, tls),
            }
            for node in url.nodes
        ]
        told = {server["credentials"] for server in servers}
        yield (
            "buses",
            {
                **_origin(service, view, files, "DEFAULT", "transport_url", found),
                "ordered": False,
                "servers": servers,
                "mixed": len(told) > 1,
            },
        )
    for section, names, backend in _CACHES:
        option = next((name for name in names if effective.raw(section, name)), None)
        if option is None:
            continue
        if backend and effective.text(section, "enabled", "false").lower() not in ("true", "1", "on", "yes"):
            continue
        found = effective.raw(section, option)
        assert found is not None
        named = effective.text(section, backend, "") if backend else _ORDERED[0]
        if backend and "memcache" not in named:
            continue
        text = effective.text(section, option)
        servers = [
            {
                **_server(*_transport_url.host_port(part.replace("inet6:", "").replace("inet:", ""), CACHE_PORT)),
                "login": None,
            }
            for part in text.split(",")
            if part.strip() and not part.strip().startswith(("unix:", "/"))
        ]
        yield (
            "caches",
            {
                **_origin(service, view, files, section, option, found),
                "ordered": named in _ORDERED,
                "servers": servers,
                "mixed": False,
            },
        )


def _origin(
    service: services.Service,
    view: services.View,
    files: Mapping[str, Any],
    section: str,
    option: str,
    found: tuple[Any, Any],
) -> dict[str, Any]:
    value, source = found
    entry = next((entry for entry in files.get(source.path, ()) if entry["line"] == source.line), None)
    return {
        "service": service.name,
        "programs": list(view.programs),
        "path": source.path,
        "section": section,
        "option": entry["key"] if entry else option,
        "line": source.line,
        "expect": entry["expect"] if entry else fingerprint(str(value), ""),
        "plain": bool(entry) and not refers(str(value)),
        "restarts": list(service.restarts.get(source.path, ())),
    }


def _server(host: str, port: int) -> dict[str, Any]:
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    found = {"name": name, "host": host, "port": port, "address": "", "credentials": True}
    return {**found, "answer": "", "cluster": "", "with_first": ""}


def tls_of(url: _transport_url.TransportURL, effective: Effective) -> Optional[ssl.SSLContext]:
    """How the services themselves speak to the broker: without a CA file they check no certificate (kombu)."""
    group = "oslo_messaging_rabbit"
    on = url.query.get("ssl", effective.text(group, "ssl", "false"))
    if on.lower() not in ("true", "1", "on", "yes"):
        return None
    authority = url.query.get("ssl_ca_file", effective.text(group, "ssl_ca_file"))
    try:
        context = ssl.create_default_context(cafile=authority or None)
        context.check_hostname = False
        if not authority:
            context.verify_mode = ssl.CERT_NONE
        certificate = effective.text(group, "ssl_cert_file")
        if certificate:
            context.load_cert_chain(certificate, effective.text(group, "ssl_key_file") or None)
    except (OSError, ssl.SSLError):
        return ssl.create_default_context()
    return context


# -- trying ------------------------------------------------------------------------------------------------------------


def _try_all(result: dict[str, Any]) -> None:
    """Fill in what each server answers; a server that several lists name is asked once."""
    questions: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for kind in ("buses", "caches"):
        for found in result[kind]:
            for server in found["servers"]:
                login = server["login"]
                key = (kind, server["host"], server["port"], login[:3] if login else None)
                questions.setdefault(key, []).append(server)
    if not questions:
        return
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = list(pool.map(lambda servers: _try(servers[0]), questions.values()))
    for number, servers in enumerate(questions.values()):
        for server in servers:
            server.update(answers[number])


def _try(server: Mapping[str, Any]) -> dict[str, str]:
    address = _address(Tree(), server["host"], server["port"])
    place = (server["host"], server["port"])
    if not server["login"]:
        return {"address": address, "answer": _version(place)}
    node, first, virtual_host, tls = server["login"]
    if node.password is not None:
        login = _amqp.log_in(place, node.user, node.password, virtual_host, tls)
        return {"address": address, "answer": login.answer, "cluster": login.cluster}
    if first.password is None:
        # No credentials at all: oslo.messaging's driver logs in as kombu does by itself.
        login = _amqp.log_in(place, "guest", "guest", virtual_host, tls)
        return {"address": address, "answer": login.answer, "cluster": login.cluster}
    login = _amqp.log_in(place, first.user, first.password, virtual_host, tls)
    return {"address": address, "answer": "no credentials", "cluster": login.cluster, "with_first": login.answer}


def _version(place: tuple[str, int]) -> str:
    try:
        with socket.create_connection(place, CACHE_SECONDS) as connection:
            connection.settimeout(CACHE_SECONDS)
            connection.sendall(b"version\r\n")
            said = connection.recv(256)
    except (OSError, UnicodeError):
        return "no answer"
    # One that is full, or that asks for a password, is a memcached all the same.
    return "ok" if said.startswith((b"VERSION", b"ERROR", b"CLIENT_ERROR")) else "not a memcached"


def _address(tree: Tree, host: str, port: int) -> str:
    """What a name stands for on this host, so that a name and its address are the same server; the name if for nothing."""
    if not tree.is_live:
        return f"{host}:{port}"
    try:
        found = sorted(info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):  # UnicodeError: two dots in a row, a label of 64 characters
        return f"{host}:{port}"
    return f"{found[0]}:{port}"


# -- nova's cell mappings ----------------------------------------------------------------------------------------------


def _cells(service: services.Service, effective: Effective, gaps: list[dict[str, str]]) -> list[dict[str, Any]]:
    """nova's cells but cell0, which has no queue; nothing where this host has no API database."""
    database, own = effective.text("api_database", "connection"), effective.text("DEFAULT", "transport_url")
    if not database or not own.startswith(_RABBIT):
        return []
    if not service.python:
        gaps.append({"reason": "nova's cell mappings were not read: no interpreter of nova was found"})
        return []
    command = _interpreter.isolated([service.python], PROGRAM)
    try:
        rows = _interpreter.ask(command, {"url": database}, user=service.user, seconds=CELLS_SECONDS)["cells"]
    except _interpreter.ProgramFailed as failure:
        gaps.append({"reason": f"nova's cell mappings were not read: {service.python} {failure}"})
        return []
    return [
        {
            "uuid": row["uuid"],
            "name": row["name"],
            "differs": _meaning(_of_template(row["transport_url"], own)) != _meaning(own),
        }
        for row in rows
        if not row["disabled"] and not row["transport_url"].startswith("none:")
    ]


def _meaning(url: str) -> Any:
    """What two URLs that mean the same share: servers with their credentials, in any order, and the virtual host."""
    parsed = _transport_url.parse(url)
    return (frozenset(parsed.nodes), parsed.virtual_host) if parsed else url


def _of_template(url: str, base: str) -> str:
    """nova/objects/cell_mapping.py, _format_url: {hostname} and its kin stand for the parts of nova.conf's own URL."""
    if "{" not in url:
        return url
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(base)
    except ValueError:
        return url
    entries = parts.netloc.split(",")
    known: dict[str, Any] = {
        "scheme": parts.scheme,
        "query": parts.query,
        "fragment": parts.fragment,
        "path": parts.path.lstrip("/"),
    }
    for number, entry in enumerate(entries):
        credentials, _at, address = entry.rpartition("@")
        user, _colon, password = credentials.partition(":")
        host, port = _transport_url.host_port(address, 0)
        these = {"username": user, "password": password, "hostname": host, "port": port or ""}
        if number == 0:
            known.update(these)
        if len(entries) > 1:
            known.update({f"{key}{number + 1}": value for key, value in these.items()})
    try:
        return url.format(**known)
    except (LookupError, ValueError, AttributeError, TypeError):
        return url
