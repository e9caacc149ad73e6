# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what of a host tells why a request stops there: the state of nova's processes, queues, and the API it serves (F32)."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

from .._numbers import whole
from ._tree import Tree

SECONDS = 10.0
_PROGRAM = re.compile(r"^nova-(?:api|conductor|scheduler|compute)$")
_QUEUE = re.compile(r"^(?:conductor|scheduler|compute)(?:\.|$)")
# A cloud has two queues per compute; those at fault are few, or all of them for one reason.
_MOST = 200
_LISTENS = "0A"


def processes(tree: Tree) -> Optional[list[dict[str, Any]]]:
    """[{"program", "pid", "state"}] of nova's programs; state is ps' letter (D waits for a device, Z ended, T stopped).

    None for a directory that stands for a host.
    """
    return sorted(_processes(), key=lambda found: (found["program"], found["pid"])) if tree.is_live else None


def _processes() -> Iterator[dict[str, Any]]:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read(4096).decode(errors="replace").split("\0")
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read()
        except OSError:
            continue  # it ended meanwhile
        # a process that ended has no command line any more, only the name between the brackets
        name = fields[fields.find("(") + 1 : fields.rfind(")")]
        program = next(
            (base for word in (*words[:2], name) if _PROGRAM.match(base := os.path.basename(word).split(":")[0])), None
        )
        if program:
            yield {"program": program, "pid": int(pid), "state": fields[fields.rfind(")") + 2 :][:1]}


def queues(tree: Tree) -> Optional[list[dict[str, Any]]]:
    """[{"queue", "messages", "unacknowledged", "consumers"}] of nova's services, as the RabbitMQ of this host tells.

    conductor and scheduler always, of the computes those without a consumer or with messages waiting. None where there is
    no RabbitMQ, or it does not say.
    """
    command = _rabbitmqctl() if tree.is_live else None
    hosts = _rows([*command, "list_vhosts", "name"]) if command else None
    if command is None or hosts is None:
        return None
    columns = ("name", "messages", "messages_unacknowledged", "consumers")
    return of_nova(
        row
        for host in hosts
        if isinstance(host, Mapping)
        for row in _rows([*command, "list_queues", "-p", str(host.get("name")), *columns]) or ()
    )


def of_nova(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What `queues` gives, of the rows that `rabbitmqctl list_queues` prints."""
    found = []
    for row in rows:
        if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
            continue
        name, waiting, consumers = row["name"], _count(row, "messages"), _count(row, "consumers")
        if not _QUEUE.match(name) or (name not in ("conductor", "scheduler") and consumers and not waiting):
            continue
        unacknowledged = _count(row, "messages_unacknowledged")
        found.append({"queue": name, "messages": waiting, "unacknowledged": unacknowledged, "consumers": consumers})
    return sorted(found, key=lambda row: str(row["queue"]))[:_MOST]


def _count(row: Mapping[str, Any], column: str) -> int:
    return whole(str(row.get(column))) or 0  # a queue whose node is down has "" or null


def _rabbitmqctl() -> Optional[list[str]]:
    own = shutil.which("rabbitmqctl")
    if own:
        return [own, "--quiet", "--formatter", "json"]
    for engine in filter(None, map(shutil.which, ("podman", "docker"))):
        if _run([engine, "top", "rabbitmq"]) is not None:
            return [engine, "exec", "rabbitmq", "rabbitmqctl", "--quiet", "--formatter", "json"]
    return None


def _rows(command: list[str]) -> Optional[list[dict[str, Any]]]:
    text = _run(command)
    try:
        rows = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return rows if isinstance(rows, list) else None


def _run(command: list[str]) -> Optional[str]:
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout if run.returncode == 0 else None


def backends(tree: Tree, given: Iterable[str], port: Optional[int]) -> list[dict[str, Any]]:
    """[{"url", "status" or None, "seconds", "error"}]: what nova's API answers here, without any balancer before it.

    given: its URLs on this host; without any, the addresses that this host listens on at `port` are tried.
    """
    urls = list(given)
    if not urls and port and tree.is_live:
        urls = [f"http://{address}:{port}/" for address in _listening(port)]
    return [asked(url) for url in urls[:10]]


def asked(url: str, seconds: float = SECONDS) -> dict[str, Any]:
    """What one GET of a URL gives, certificates unchecked: whether it answers is what matters here."""
    began = time.monotonic()
    try:
        status: Optional[int] = _status(url, seconds)
        error = ""
    except (OSError, http.client.HTTPException, ValueError) as problem:
        status, error = None, str(problem) or type(problem).__name__
    return {"url": url, "status": status, "seconds": round(time.monotonic() - began, 3), "error": error}


def _status(url: str, seconds: float) -> int:
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=seconds, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    finally:
        connection.close()


def _listening(port: int) -> list[str]:
    """The addresses on which something listens at a port, as /proc tells; 127.0.0.1 for all of them."""
    found = set()
    for path, is_six in (("/proc/net/tcp", False), ("/proc/net/tcp6", True)):
        try:
            with open(path, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            address, _colon, number = row[1].partition(":")
            if row[3] == _LISTENS and int(number, 16) == port:
                found.add(_address(address, is_six))
    return sorted(found)


def _address(digits: str, is_six: bool) -> str:
    if not int(digits, 16):
        return "127.0.0.1"
    if not is_six:
        return ".".join(str(byte) for byte in reversed(bytes.fromhex(digits)))
    words = [bytes.fromhex(digits[start : start + 8])[::-1].hex() for start in range(0, 32, 8)]
    return "[" + ":".join(word[start : start + 4] for word in words for start in (0, 4)) + "]"
