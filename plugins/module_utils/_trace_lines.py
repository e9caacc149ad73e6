# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a log line says in a timeline: of which service it is, what happened, and whether it is everyday noise (FAULTS.md F32)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Optional
from urllib.parse import unquote

from ._clock import correction

API, CONDUCTOR, SCHEDULER, COMPUTE, PLACEMENT = (
    "nova-api",
    "nova-conductor",
    "nova-scheduler",
    "nova-compute",
    "placement",
)

_PREFIX = re.compile(
    r"^.*?\b\d+ (?:TRACE|DEBUG|INFO|AUDIT|WARNING|ERROR|CRITICAL) [\w.-]+ ?(?:\[(?!instance:)[^\]]*\] ?)?"
    r"(?:\[instance: (?P<instance>[0-9a-f-]{36})\] ?)?(?P<message>.*)$",
    re.DOTALL,
)
_REQUEST = re.compile(
    r'"(?P<method>GET|HEAD|POST|PUT|PATCH|DELETE) (?P<path>\S+)(?: HTTP/[\d.]+)?" (?:status: )?(?P<status>\d{3})\b'
    r"(?:.*? time: (?P<time>[\d.]+))?"
)
_REFUSED = re.compile(r"^HTTP exception thrown: (?P<why>.*)$")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TRACEBACK = re.compile(r"^(?:Traceback \(most recent call last\):|\s|\^|$)")
_LAST_HOST = re.compile(r"^(Error from last host: .*?\)): \[.*", re.DOTALL)
_ERRORS = ("ERROR", "CRITICAL")

# One process may be all of nova, and one file may hold several services: then the logger tells. Longest first.
_LOGGERS = {
    "nova.api": API,
    "nova.osapi_compute": API,
    "nova.wsgi": API,
    "nova.compute.api": API,
    "nova.conductor": CONDUCTOR,
    "nova.scheduler.utils": CONDUCTOR,
    "nova.scheduler": SCHEDULER,
    "nova.filters": SCHEDULER,
    "nova.weights": SCHEDULER,
    "nova.compute": COMPUTE,
    "nova.virt": COMPUTE,
    "nova.pci": COMPUTE,
    "os_brick": COMPUTE,
    "os_vif": COMPUTE,
    "placement": PLACEMENT,
    "neutron": "neutron",
    "glance": "glance",
    "keystone": "keystone",
    "cinder": "cinder",
}
# What runs in several of nova's services says nothing of where it ran.
_ANYWHERE = ("nova.scheduler.client", "nova.compute.rpcapi", "nova.scheduler.rpcapi", "nova.conductor.rpcapi")
_FILES = (
    (re.compile(r"nova[-_]?(?:os)?api|nova[-_]metadata"), API),
    (re.compile(r"nova[-_](?:super)?conductor"), CONDUCTOR),
    (re.compile(r"nova[-_]scheduler"), SCHEDULER),
    (re.compile(r"nova[-_]compute"), COMPUTE),
    (re.compile(r"placement"), PLACEMENT),
)
_NOISE = (
    ("deprecations and thread pools", re.compile(r"\bdeprecat|thread pool .* is initialized|In native threading mode")),
    (
        "periodic tasks",
        re.compile(
            r"During sync_power_state|Re-created its InstanceList|Successfully synced instances from host|"
            r"Updating instance_info_cache|Running periodic task"
        ),
    ),
)


class Entry(NamedTuple):
    """One thing that happened.

    time: seconds since 1970 by the control node's clock, None where the line has none. what: a sentence or line, masked.
    instance: the server that nova named in it. method, path, status: of a request that a service answered.
    noise: why it is folded away; empty for what is shown. coarse: whether its time has whole seconds only.
    """

    time: Optional[float]
    host: str
    service: str
    level: str
    what: str
    request_id: str = ""
    global_request_id: str = ""
    ids: tuple[str, ...] = ()
    instance: str = ""
    source: str = "log"
    method: str = ""
    path: str = ""
    status: int = 0
    noise: str = ""
    times: int = 1
    coarse: bool = False

    @property
    def failed(self) -> bool:
        return self.level in _ERRORS

    def is_of(self, requests: Collection[str]) -> bool:
        """Whether it is of one of these requests: its own, or what nova asked another service for on its behalf."""
        return self.request_id in requests or (
            self.global_request_id in requests and not self.service.startswith("nova-")
        )


def seconds(text: Optional[str]) -> Optional[float]:
    """RFC 3339 as seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def entries(host: str, answer: Mapping[str, Any]) -> list[Entry]:
    """What the lines of one host say, its clock put right, a traceback with the line it belongs to.

    answer: as the module request_trace_info returns it.
    """
    behind = correction(answer.get("clock"))
    by_file: dict[str, list[Mapping[str, Any]]] = {}
    for line in answer["lines"]:
        by_file.setdefault(line["file"], []).append(line)
    return [
        entry._replace(time=entry.time - behind) if entry.time is not None else entry
        for lines in by_file.values()
        for entry in _with_tracebacks(host, lines)
    ]


def _with_tracebacks(host: str, lines: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """Entries, the lines of a traceback folded into the one before: the last of them names the exception."""
    before: Optional[Entry] = None
    key: Optional[tuple[Any, ...]] = None
    inside = False
    for line in lines:
        entry = _entry(host, line)
        same = (line["time"], line["logger"], line["level"]) == key and not line["request_id"]
        if before is not None and same and before.failed:
            if _TRACEBACK.match(entry.what):
                inside = True
                continue
            if inside:
                if entry.what not in before.what:
                    before = before._replace(what=f"{before.what}: {entry.what}")
                continue
        if before is not None:
            yield before
        before, key, inside = entry, (line["time"], line["logger"], line["level"]), False
    if before is not None:
        yield before


def _entry(host: str, line: Mapping[str, Any]) -> Entry:
    text = line["line"]
    found = _PREFIX.match(text)
    message = _LAST_HOST.sub(r"\1", found.group("message") if found else text)
    entry = Entry(
        time=seconds(line["time"]),
        host=host,
        service=service_of(line["service"], line["logger"]),
        level=line["level"],
        what=message,
        request_id=line["request_id"],
        global_request_id=line["global_request_id"],
        ids=tuple(line["ids"]),
        instance=(found.group("instance") or "") if found else "",
    )
    asked = _REQUEST.search(message)
    if asked:
        took = f" ({float(asked['time']):.2f} s)" if asked["time"] else ""
        entry = entry._replace(
            what=f"{asked['method']} {unquote(asked['path'])} -> {asked['status']}{took}",
            method=asked["method"],
            path=asked["path"],
            status=int(asked["status"]),
        )
    refused = _REFUSED.match(message)
    if refused:
        entry = entry._replace(what=f"refused: {refused['why']}")
    return entry


def service_of(file: str, logger: str) -> str:
    """The service that wrote a line, by the name of its file where that is of one service, else by the logger."""
    for pattern, service in _FILES:
        if pattern.search(file):
            return service
    if not logger.startswith(_ANYWHERE):
        for prefix in sorted(_LOGGERS, key=len, reverse=True):
            if logger == prefix or logger.startswith(prefix + "."):
                return _LOGGERS[prefix]
    return file


def folded(entry: Entry, servers: Iterable[str], requests: Iterable[str]) -> Entry:
    """The entry, with the noise that it is, if any. servers, requests: what is traced."""
    return entry._replace(noise=_noise(entry, set(servers), set(requests)))


def _noise(entry: Entry, servers: set[str], requests: set[str]) -> str:
    own = bool({entry.request_id, entry.global_request_id} & requests)
    if entry.method in ("GET", "HEAD"):
        if entry.path.startswith("/allocation_candidates"):
            return ""
        if entry.status < 400:
            return "requests that only look"
        if entry.status == 404:
            return "look-ups that found nothing"
    if entry.what.startswith("refused:") and not own:
        return "look-ups that found nothing"
    for kind, pattern in _NOISE:
        if pattern.search(entry.what):
            return kind
    if entry.level in ("DEBUG", "TRACE") and not entry.what.startswith("Filter "):
        return "debugging"
    if not own and entry.instance and entry.instance not in servers:
        return "lines about other servers"
    return ""


def repeated(shown: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, those that follow each other and say the same counted as one."""
    before: Optional[Entry] = None
    for entry in shown:
        if before is not None and _same(before, entry):
            before = before._replace(times=before.times + entry.times)
            continue
        if before is not None:
            yield before
        before = entry
    if before is not None:
        yield before


def _same(one: Entry, other: Entry) -> bool:
    def told(entry: Entry) -> tuple[str, ...]:
        # ids that differ make no different saying
        what = _UUID.sub("...", re.sub(r"\d+\.\d+", "n", entry.what))
        return entry.host, entry.service, entry.level, what, entry.request_id

    return told(one) == told(other)
