# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how full each memcached of this host is, where its limit is set, and what the services here may ask of it.

The result:
  {"instances": [{
     "name": unit, container or "memcached of pid N", "pid", "address": "127.0.0.1:11211",
     "answer": "ok", "refused" (memcached said that it has too many connections) or "silent",
     "limit": connections it admits, "connections": how many it has, "grew": {counter: by how much within the look},
     "rejected": since it started or None, "evictions" or None, "uptime" or None,
     "unit": name or None, "open_files": the unit's LimitNOFILE or None,
     "file": {"path", "style", "limit": what it sets or None} or None, "by_hand": why the file cannot be changed or ""}],
   "clients": [{"service", "programs", "processes", "advanced": bool or None where it is not set, "pool": connections of a
     process to one memcached, "path", "line"}],
   "gaps": [...]}

memcached itself is asked, as `stats` and `stats settings` (doc/protocol.txt). A full one answers a new connection with
`ERROR Too many open connections`, or, with no_maxconns_fast, not at all; the sockets that its process holds tell then
how many connections it has. Connections that the kernel counts for the port are not those that memcached serves.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._memcached_files import limit_in, limit_of
from .._model import Unavailable
from .._numbers import whole
from . import _systemd, oslo_config, services
from ._tree import Tree

COUNTERS = ("rejected_connections", "listen_disabled_num")
# Between two samples of a memcached of which the first says that it may be full.
SAMPLE_SECONDS = 2.0
ANSWER_SECONDS = 1.0
_FULL = b"ERROR Too many open connections"
_FILES = {"arguments": "/etc/memcached.conf", "environment": "/etc/sysconfig/memcached"}
# oslo.cache and keystonemiddleware: connections of one process to one memcached (keystone_authtoken memcache_pool_maxsize)
_POOL = 10


class _Process(NamedTuple):
    """A memcached that runs. container: whether it sees other files than this host's."""

    pid: int
    arguments: tuple[str, ...]
    unit: Optional[str]
    container: bool
    reachable: bool


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """Every memcached that runs here. Raises Unavailable where one is installed and only files can be looked at."""
    if not tree.is_live:
        path = next((path for path in _FILES.values() if tree.exists(path)), None)
        if path:
            raise Unavailable(f"{path} says that there is a memcached; only a running one can be asked how full it is")
        return {"instances": [], "clients": [], "gaps": []}
    instances, gaps = [], []
    for process in _processes():
        try:
            instances.append(_instance(tree, process))
        except Unavailable as reason:
            gaps.append({"reason": str(reason)})
        except OSError:
            continue  # it ended meanwhile
    clients = list(_clients(tree, options)) if instances else []
    return {"instances": instances, "clients": clients, "gaps": gaps}


def _processes() -> Iterator[_Process]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        directory = f"/proc/{name}"
        try:
            with open(f"{directory}/cmdline", "rb") as file:
                arguments = [word for word in file.read(65536).decode(errors="replace").split("\0") if word]
            if not arguments or os.path.basename(arguments[0]) != "memcached":
                continue
            unit = _systemd.unit_of(int(name))
            container, reachable = services.in_container(int(name)), True
            with contextlib.suppress(PermissionError):
                reachable = os.readlink(f"{directory}/ns/net") == os.readlink("/proc/self/ns/net")
        except OSError:
            continue  # it ended, or is not ours to look at
        yield _Process(int(name), tuple(arguments), unit, container, reachable)


# -- one memcached -----------------------------------------------------------------------------------------------------


def _instance(tree: Tree, process: _Process) -> dict[str, Any]:
    name = process.unit or f"memcached of pid {process.pid}"
    if not process.reachable:
        raise Unavailable(
            f"{name} has a network of its own and cannot be asked from here; look at its `stats` from inside its container"
        )
    if "-Z" in process.arguments or "--enable-ssl" in process.arguments:
        raise Unavailable(f"{name} speaks TLS only and was not asked how full it is; look at its `stats` yourself")
    address = _address(process.arguments)
    limit = limit_of(process.arguments)
    connections = 0
    answer, first = _ask(address, name)
    grew: dict[str, int] = {}
    last = first
    if answer == "ok":
        limit = _number(first, "max_connections") or limit
        connections = _current(first, name)
        if any(_number(first, counter) for counter in COUNTERS) or connections >= 0.8 * limit:
            time.sleep(SAMPLE_SECONDS)
            again, last = _ask(address, name)
            if again == "ok":
                grew = {key: (_number(last, key) or 0) - (_number(first, key) or 0) for key in COUNTERS}
                grew = {key: more for key, more in grew.items() if more > 0}
                connections = max(connections, _current(last, name))
            else:
                answer, last = again, first
    if answer != "ok":
        sockets = _descriptors(process.pid, "socket:")
        connections = sockets if sockets is not None else limit
    if answer == "silent" and (_descriptors(process.pid) or 0) < 0.95 * limit:
        raise Unavailable(f"{name} did not answer on {_shown(address)} and does not seem to be full")
    found: dict[str, Any] = {
        "name": name,
        "pid": process.pid,
        "address": _shown(address),
        "answer": answer,
        "limit": limit,
        "connections": connections,
        "grew": grew,
        "rejected": _number(last, "rejected_connections"),
        "evictions": _number(last, "evictions"),
        "uptime": _number(last, "uptime"),
        "unit": process.unit,
        "open_files": None,
        "file": None,
        "by_hand": "",
    }
    if process.container:
        found["by_hand"] = (
            "it runs in a container: raise the limit where the container is deployed "
            "(kolla-ansible: memcached_connection_limit)"
        )
    elif process.unit is None:
        found["by_hand"] = "it was started by hand: start it with a higher -c"
    else:
        found["open_files"] = _open_files(process.unit)
        found["file"], found["by_hand"] = _file(tree, process.unit)
    return found


def _number(stats: Mapping[str, str], key: str) -> Optional[int]:
    return whole(stats.get(key, ""))


def _current(stats: Mapping[str, str], name: str) -> int:
    count = _number(stats, "curr_connections")
    if count is None:
        raise Unavailable(f"{name} does not say how many connections it has; look at its `stats` yourself")
    return count


def _descriptors(pid: int, kind: str = "") -> Optional[int]:
    """How many files of a kind a process has open; memcached keeps some for itself of as many as it admits connections.

    None where we may not look, as in a container without CAP_SYS_PTRACE.
    """
    count = 0
    try:
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            for entry in descriptors:
                with contextlib.suppress(FileNotFoundError):
                    count += os.readlink(entry.path).startswith(kind)
    except PermissionError:
        return None
    return count


def _address(arguments: Sequence[str]) -> tuple[str, int]:
    """Where to ask: (host, port), or (path, 0) of a socket file."""
    port, listen, path = 11211, "", ""
    words = iter(arguments[1:])
    for word in words:
        option, value = word[:2], word[2:]
        if word.startswith("--"):
            option, _equals, value = word.partition("=")
            option = {"--port": "-p", "--listen": "-l", "--unix-socket": "-s"}.get(option, "")
        if option in ("-p", "-l", "-s"):
            value = value or next(words, "")
            if option == "-p":
                port = whole(value) or port
            elif option == "-l":
                listen = listen or value.split(",")[0]  # of several, any will do
            elif option == "-s":
                path = value
    if path:
        return path, 0
    host, colon, named = listen.rpartition(":")
    own = whole(named)
    if colon and own is not None and (host.count(":") == 0 or host.endswith("]")):
        listen, port = host, own
    listen = listen.strip("[]")
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "INADDR_ANY": "127.0.0.1"}.get(listen, listen), port


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ask(address: tuple[str, int], name: str) -> tuple[str, dict[str, str]]:
    """("ok", {statistic: value}), ("refused", {}) or ("silent", {}); Unavailable where it does not let itself be asked."""
    host, port = address
    answer = b""
    try:
        if port:
            connection = socket.create_connection((host, port), ANSWER_SECONDS)
        else:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(host)
        with connection:
            until = time.monotonic() + ANSWER_SECONDS
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"stats\r\n")
            while not answer.endswith(b"END\r\n") and time.monotonic() < until and len(answer) < 1 << 20:
                with contextlib.suppress(ConnectionError):
                    piece = connection.recv(65536)
                    answer += piece
                    if piece:
                        continue
                break
    except socket.timeout:
        pass
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise Unavailable(f"{name} could not be asked on {_shown(address)}: {said}") from None
    return understood(answer, name, address)


def understood(answer: bytes, name: str, address: tuple[str, int]) -> tuple[str, dict[str, str]]:
    """What `_ask` gives, of the answer to `stats`."""
    if answer.startswith(_FULL):
        return "refused", {}
    if answer.endswith(b"END\r\n"):
        rows = (line.split(" ", 2) for line in answer.decode(errors="replace").split("\r\n"))
        return "ok", {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "STAT"}
    if answer:
        raise Unavailable(
            f"{name} does not tell its statistics on {_shown(address)} (it may ask for a password); "
            "look at its `stats` yourself"
        )
    return "silent", {}


# -- where its limits are set ------------------------------------------------------------------------------------------


def _file(tree: Tree, unit: str) -> tuple[Optional[dict[str, Any]], str]:
    """The file that sets the limit of a unit's memcached, and why it cannot be changed there."""
    settings = services.unit_settings(tree, unit)
    command = settings.get("ExecStart", [""])[-1]
    try:
        words = shlex.split(command.lstrip("-@:+!"))
    except ValueError:
        words = []
    style, path = "", ""
    if words and words[0].endswith("systemd-memcached-wrapper"):
        style, path = "arguments", words[1] if len(words) > 1 else _FILES["arguments"]
    elif "MAXCONN" in command and settings.get("EnvironmentFile"):
        style, path = "environment", settings["EnvironmentFile"][-1].lstrip("-")
    if not style or not path.startswith("/") or "%" in path:
        return None, f"the limit is in the command of {unit} itself: change -c there (systemctl edit {unit})"
    try:
        text = tree.read_text(path)
    except FileNotFoundError:
        return None, f"{path}, which {unit} reads, does not exist: create it with what memcached is to be given"
    except Unavailable as reason:
        return None, str(reason)
    return {"path": path, "style": style, "limit": limit_in(text, style)}, ""


def _open_files(unit: str) -> Optional[int]:
    """The hard limit of open files that systemd gives a unit; None where it cannot be told or there is none."""
    try:
        told = _systemd.show([unit], "LimitNOFILE")
    except (OSError, subprocess.SubprocessError):
        return None
    return whole(told[unit]["LimitNOFILE"]) if unit in told else None


# -- who asks it -------------------------------------------------------------------------------------------------------


def _clients(tree: Tree, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The services of this host that check tokens with memcached, with what their processes may open."""
    counts = _counts()
    for name, service in oslo_config.read_files(tree, options)["services"].items():
        for view in service["views"]:
            effective = oslo_config.effective(service, view)
            group = "keystone_authtoken"
            if not effective.raw(group, "memcached_servers", [(group, "memcache_servers")]):
                continue
            advanced = effective.raw(group, "memcache_use_advanced_pool")
            pool = whole(effective.text(group, "memcache_pool_maxsize"))
            yield {
                "service": name,
                "programs": view["programs"],
                "processes": sum(counts.get(program, 0) for program in view["programs"]),
                "advanced": advanced[0].lower() in ("true", "1", "on", "yes") if advanced else None,
                "pool": _POOL if pool is None else pool,
                "path": advanced[1].path if advanced else "",
                "line": advanced[1].line if advanced else 0,
            }


def _counts() -> dict[str, int]:
    """How many processes of each program run, workers of a program counted one by one."""
    counts: dict[str, int] = {}
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = [word for word in file.read(65536).decode(errors="replace").split("\0") if word]
        except OSError:
            continue
        named = services.program_of(words)
        if named:
            counts[named[1]] = counts.get(named[1], 0) + 1
    return counts
