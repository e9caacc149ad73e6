# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring together what API and hosts know of a server or request: one timeline, and what it means (FAULTS.md F32)."""

from __future__ import annotations

import re
import shlex
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from . import _clock
from ._catalogue import FAULTS
from ._report import first_line
from ._settings import STUCK_SECONDS
from ._trace_lines import API, COMPUTE, CONDUCTOR, PLACEMENT, SCHEDULER, Entry, entries, folded, repeated, seconds
from ._trace_reading import Place, Reading, Request
from ._trace_reading import read as reading_of

SCHEMA = 1
EXIT_STATUS = {"clear": 0, "cause": 2, "waiting": 3, "unknown": 3}
# How far back logs are read unless the operator says otherwise: the client of a request remembers it for a day, a server's
# actions say when they were, and most logs are kept for two weeks.
WINDOWS = {"request": 86400.0, "server": 14 * 86400.0}
# Seconds before the first action: clocks differ.
BEFORE = 300.0
MOST_ENTRIES, MOST_SERVERS = 400, 5

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REQUEST = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Files of one name for all of nova, as where it runs under one program.
_WHOLE_NOVA = ("nova",)


# What nova calls the migration that an action begins.
_MIGRATIONS = {
    "live-migration": "live-migration",
    "migrate": "migration",
    "resize": "resize",
    "evacuate": "evacuation",
}


class BadSubject(ValueError):
    """What is to be traced is neither a server's uuid nor a request id; the sentence says what to give."""


def subject_of(text: str) -> dict[str, str]:
    """{"type": "server" or "request", "id"}. Raises BadSubject."""
    text = text.strip().lower()
    if _UUID.fullmatch(text):
        return {"type": "server", "id": text}
    if _REQUEST.fullmatch(text):
        return {"type": "request", "id": text}
    raise BadSubject(
        f"{text!r} is neither a server's uuid nor a request id: give 8-4-4-4-12 hexadecimal digits, and for a request req- "
        "before them"
    )


def search(
    subject: Mapping[str, str],
    cloud: Optional[Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]],
    window: Optional[float],
    now: float,
) -> dict[str, Any]:
    """What hosts are to be asked for: {"ids", "since", "servers": uuids that nova is to be asked for, "further": bool}.

    hosts: what they answered so far, nothing at first. further: whether there are ids that they were not asked for yet.
    """
    window = window or WINDOWS[subject["type"]]
    requests, servers = _known(subject, cloud, hosts)
    ids = sorted({subject["id"], *requests, *servers})
    # an id that nobody was asked for yet
    asked = {identifier for answer in hosts.values() for identifier in answer.get("asked", ())}
    starts = [
        at
        for kept in (cloud or {}).get("servers", ())
        for action in kept["actions"]
        if (at := seconds(action["started"])) is not None
    ]
    earliest = min(starts) - BEFORE if starts and subject["type"] == "server" else now - window
    return {
        "ids": ids,
        "since": max(earliest, now - window),
        "servers": servers,
        "further": bool(hosts) and not set(ids) <= asked,
    }


def _known(
    subject: Mapping[str, str], cloud: Optional[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """(request ids, uuids of servers) that belong to the subject."""
    requests = {subject["id"]} if subject["type"] == "request" else set()
    servers = {subject["id"]} if subject["type"] == "server" else set()
    if subject["type"] == "server":
        requests.update(action["request_id"] for kept in (cloud or {}).get("servers", ()) for action in kept["actions"])
    lines = [line for answer in hosts.values() for line in answer.get("lines", ())]
    # a global request id joins the requests of several services, and what is traced may be one itself
    for line in lines:
        if line["request_id"] in requests and line["global_request_id"]:
            requests.add(line["global_request_id"])
        elif line["global_request_id"] == subject["id"] and line["logger"].startswith("nova"):
            requests.add(line["request_id"])
    if subject["type"] == "request":
        named = Counter(
            found
            for line in lines
            if {line["request_id"], line["global_request_id"]} & requests
            for found in re.findall(
                r"\[instance: ([0-9a-f-]{36})\]|/(?:servers|allocations)/([0-9a-f-]{36})", line["line"]
            )
        )
        servers.update(next(filter(None, pair)) for pair, _count in named.most_common(MOST_SERVERS))
    return sorted(requests), sorted(servers)


def trace(
    subject: Mapping[str, str],
    cloud: Optional[Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]],
    *,
    no_cloud: str = "",
    patience: float = STUCK_SECONDS,
    window: Optional[float] = None,
    now: Optional[float] = None,
) -> dict[str, Any]:
    """The answer, as the schema trace-1.json has it.

    cloud: what server_actions_info returned, None where it was not asked. hosts: {inventory name: what request_trace_info
    returned, or the result of a task that failed}. patience: seconds that a step may take before it counts as stuck. Pure but
    for `now`, which is the time by default.
    """
    now = time.time() if now is None else now
    window = window or WINDOWS[subject["type"]]
    answered = {name: answer for name, answer in hosts.items() if "lines" in answer}
    requests, servers = _known(subject, cloud, answered)
    kept = [entry for entry in (cloud or {}).get("servers", ()) if entry["id"] in servers]
    happened = _happened(subject, answered, kept, requests, servers, (cloud or {}).get("clock"))
    place = _place(cloud, hosts, answered, now, patience)
    told = [(request, reading_of(request, place)) for request in _requests(subject, requests, kept, happened, servers)]
    unknown = _unknown(cloud, no_cloud, hosts, answered, kept, window, now)
    verdict = _verdict([reading for _request, reading in told], unknown)
    shown = list(repeated(entry for entry in happened if not entry.noise))
    noise: Counter[str] = Counter()
    for entry in happened:
        if entry.noise:
            noise[entry.noise] += entry.times
    noise["requests that only look"] += sum(answer["passed_over"] for answer in answered.values())
    told_of = _most_telling(shown)
    left_out = sum(answer["left_out"] for answer in answered.values()) + len(shown) - len(told_of)
    return {
        "schema": SCHEMA,
        "cloud": cloud["cloud"] if cloud else None,
        "subject": {**subject, "servers": [_server(entry) for entry in kept]},
        "verdict": verdict,
        "summary": _summary(subject, kept, told, verdict, unknown),
        "requests": [_told(request, reading, cloud) for request, reading in told],
        "timeline": [_entry(entry) for entry in told_of],
        "folded": {kind: count for kind, count in sorted(noise.items()) if count},
        "left_out": left_out,
        "hosts": [_host(name, answer) for name, answer in sorted(hosts.items())],
        "unknown": unknown,
    }


# -- what happened ---------------------------------------------------------------------------------------------------------


def _happened(
    subject: Mapping[str, str],
    hosts: Mapping[str, Mapping[str, Any]],
    kept: list[Mapping[str, Any]],
    requests: list[str],
    servers: list[str],
    clock: Optional[Mapping[str, float]],
) -> list[Entry]:
    """All entries, by time; those of a moment that is not known at the end."""
    found = [entry for name, answer in hosts.items() for entry in entries(name, answer)]
    if subject["type"] == "request":
        found = [entry for entry in found if _belongs(entry, set(requests), set(servers))]
    behind = _clock.correction(clock)
    for entry in kept:
        found += (event._replace(time=(event.time or 0) - behind) for event in _events(entry, requests))
    found = [folded(entry, servers, requests) for entry in found]
    if all(entry.noise for entry in found if entry.is_of(requests)):
        # what is traced only looks itself
        found = [
            entry._replace(noise="") if entry.service == API and entry.is_of(requests) else entry for entry in found
        ]
    return sorted(
        found,
        key=lambda entry: (entry.time is None, (entry.time or 0.0) + 0.999 * entry.coarse, entry.source != "api"),
    )


def _belongs(entry: Entry, requests: set[str], servers: set[str]) -> bool:
    """Whether it is of the requests themselves, or a line about their servers that names no request at all."""
    own = {entry.request_id, entry.global_request_id} - {""}
    return bool(own & requests) or (not own and (bool(requests & set(entry.ids)) or entry.instance in servers))


def _events(kept: Mapping[str, Any], requests: Iterable[str]) -> Iterable[Entry]:
    """What nova's record of actions says, as entries."""
    wanted = set(requests)
    for action in kept["actions"]:
        if action["request_id"] not in wanted:
            continue
        names = Counter(event["event"] for event in action["events"])
        for event in action["events"]:
            step = event["event"].replace("conductor_", "").replace("compute_", "").strip("_")
            service = "nova-conductor" if event["event"].startswith("conductor_") else "nova-compute"
            common = {"host": event["host"], "service": service, "request_id": action["request_id"], "source": "api"}
            yield Entry(time=seconds(event["started"]), level="INFO", what=f"{step} begins", **common)
            if event["finished"]:
                failed = event["result"] == "Error"
                what = f"{step} {'failed' if failed else 'ended'}"
                what += f": {event['details']}" if event["details"] else ""
                if names[event["event"]] > 1:
                    common["host"] = ""  # nova closes the first of several events of one name, whichever ended
                yield Entry(time=seconds(event["finished"]), level="ERROR" if failed else "INFO", what=what, **common)
    fault = kept["server"] and kept["server"]["fault"]
    if fault:
        yield Entry(
            time=seconds(fault["created"]),
            host="",
            service=API,
            level="ERROR",
            what=f"fault of the server: {fault['message']}",
            source="api",
            coarse=True,
        )
    for migration in kept["migrations"]:
        where = f"{migration['source_host']} to {migration['dest_host'] or '?'}"
        yield Entry(
            time=seconds(migration["updated"] or migration["created"]),
            host="",
            service=API,
            level="ERROR" if migration["status"] in ("error", "failed") else "INFO",
            what=f"{migration['kind']} from {where}: {migration['status']}",
            source="api",
            coarse=True,
        )


def _requests(
    subject: Mapping[str, str],
    requests: list[str],
    kept: list[Mapping[str, Any]],
    happened: list[Entry],
    servers: list[str],
) -> list[Request]:
    """Each request with what is its own, the oldest first. What bears one global request id is of one request."""
    joined = {
        entry.request_id: entry.global_request_id
        for entry in happened
        if entry.request_id in requests and entry.global_request_id
    }
    found = []
    actions = [(action, entry) for entry in kept for action in entry["actions"]]
    wanted = [(action, entry) for action, entry in actions if action["request_id"] in requests]
    newest = {entry["id"]: max((action["started"] for action in entry["actions"]), default="") for entry in kept}
    for action, entry in sorted(wanted, key=lambda pair: str(pair[0]["started"])):
        mine = {action["request_id"], joined.get(action["request_id"], action["request_id"])}
        found.append(
            Request(
                id=action["request_id"],
                entries=_own(happened, mine, entry["id"], action, len(wanted) == 1),
                action=action,
                server=entry["server"],
                waits_on=entry["waits_on"],
                is_last=action["started"] == newest[entry["id"]],
                migrations=[row for row in entry["migrations"] if _began_in(row, action)],
                fault=_fault_of(action, entry),
            )
        )
    if not found:
        # of the request itself there is no record: its lines are all there is, or the server is but asked for
        server = kept[0]["server"] if kept else None
        identifier = subject["id"] if subject["type"] == "request" else ""
        mine = set(requests)
        own = [entry for entry in happened if entry.is_of(mine)]
        waits_on = kept[0]["waits_on"] if kept else []
        fault = server["fault"]["message"] if server and server["fault"] and subject["type"] == "server" else ""
        if subject["type"] == "server" and server is None:
            own = [entry for entry in happened if not entry.noise]
        found.append(Request(identifier, own, None, server, waits_on, subject["type"] == "server", [], fault))
    return found


def _fault_of(action: Mapping[str, Any], kept: Mapping[str, Any]) -> str:
    """The server's fault, if this is the newest action that began before it; a fault has whole seconds."""
    fault = kept["server"] and kept["server"]["fault"]
    if not fault:
        return ""
    created = seconds(fault["created"])
    before = [
        other
        for other in kept["actions"]
        if created is None or (began := seconds(other["started"])) is None or began <= created + 1
    ]
    newest = max(before, key=lambda other: str(other["started"]), default=None)
    return str(fault["message"]) if newest is not None and newest["request_id"] == action["request_id"] else ""


def _began_in(migration: Mapping[str, Any], action: Mapping[str, Any]) -> bool:
    created, began, ended = (seconds(at) for at in (migration["created"], action["started"], action["updated"]))
    if created is None or began is None or ended is None or _MIGRATIONS.get(action["action"]) != migration["kind"]:
        return False
    return began - 1 <= created <= ended + 1  # a migration's time has whole seconds


def _own(happened: list[Entry], ids: set[str], server: str, action: Mapping[str, Any], alone: bool) -> list[Entry]:
    """The entries of a request; lines about its server that name no request are its own where there is no other."""
    began, ended = seconds(action["started"]), seconds(action["updated"])

    def within(entry: Entry) -> bool:
        return (
            entry.time is not None and began is not None and ended is not None and began - 1 <= entry.time <= ended + 1
        )

    return [
        entry
        for entry in happened
        if entry.is_of(ids)
        or (not entry.request_id and entry.source == "log" and entry.instance == server and (alone or within(entry)))
    ]


def _place(
    cloud: Optional[Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]],
    answered: Mapping[str, Mapping[str, Any]],
    now: float,
    patience: float,
) -> Place:
    return Place(
        services=cloud["services"] if cloud else None,
        read=_read_whole(hosts, answered),
        queues=[row for answer in answered.values() for row in answer["queues"] or ()],
        processes=[{**row, "host": name} for name, answer in answered.items() for row in answer["processes"] or ()],
        api=[{**row, "host": name} for name, answer in answered.items() for row in answer["api"]],
        endpoint=cloud["endpoint"] if cloud else None,
        now=now,
        patience=patience,
    )


def _read_whole(hosts: Mapping[str, Mapping[str, Any]], answered: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The services of which silence means something: somebody has their logs, and every host was read without a gap."""
    if len(answered) < len(hosts) or any(answer["gaps"] or answer["left_out"] for answer in answered.values()):
        return set()
    named = {service for answer in answered.values() for service in answer["services"]}
    found = {
        service
        for service, words in (
            (API, ("api", "metadata")),
            (CONDUCTOR, ("conductor",)),
            (SCHEDULER, ("scheduler",)),
            (COMPUTE, ("compute",)),
        )
        if any(name in _WHOLE_NOVA or ("nova" in name and any(word in name for word in words)) for name in named)
    }
    return found | ({PLACEMENT} if any("placement" in name for name in named) else set())


def _most_telling(shown: list[Entry]) -> list[Entry]:
    """As many as a person may read: of those that warn of nothing the oldest are left out first."""
    spare = len(shown) - MOST_ENTRIES
    found = []
    for entry in shown:
        if spare > 0 and not (entry.failed or entry.level == "WARNING"):
            spare -= 1
        else:
            found.append(entry)
    return found[-MOST_ENTRIES:]


# -- what is told ----------------------------------------------------------------------------------------------------------


def _verdict(readings: list[Reading], unknown: list[str]) -> str:
    verdicts = [reading.verdict for reading in readings]
    for verdict in ("cause", "unknown", "waiting"):
        if verdict in verdicts:
            return verdict
    return "unknown" if unknown else "clear"


def _summary(
    subject: Mapping[str, str],
    kept: list[Mapping[str, Any]],
    told: list[tuple[Request, Reading]],
    verdict: str,
    unknown: list[str],
) -> str:
    server = kept[0]["server"] if kept else None
    if subject["type"] == "server":
        named = f"Server {server['name']!r} is {server['status']}" if server else f"Server {subject['id']} is deleted"
        if not kept:
            named = f"Server {subject['id']}"
    else:
        named = f"Request {subject['id']}"
    bad = [(request, reading) for request, reading in told if reading.verdict == verdict]
    if verdict == "clear":
        return f"{named}: nothing wrong was read."
    if bad:
        request, reading = bad[-1]
        kind = f"{request.action['action']}: " if request.action else ""
        return f"{named}. {kind}{reading.text}"
    return f"{named}: what was read shows nothing wrong, and not everything could be read."


def _server(kept: Mapping[str, Any]) -> dict[str, Any]:
    server = kept["server"] or {}
    return {
        "id": kept["id"],
        **{name: server.get(name) for name in ("name", "status", "task_state", "host")},
        "fault": (server.get("fault") or {}).get("message", ""),
        "flavor": (server.get("flavor") or {}).get("name"),
        "image": server.get("image"),
    }


def _told(request: Request, reading: Reading, cloud: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    action = request.action
    return {
        "request_id": request.id,
        "action": action["action"] if action else None,
        "started": action["started"] if action else None,
        "hosts": list(dict.fromkeys(event["host"] for event in action["events"] if event["host"])) if action else [],
        "verdict": reading.verdict,
        "stages": reading.stages,
        "reading": reading.text,
        "faults": [
            {
                "fault": hint.fault,
                "reference": hint.reference,
                "certainty": hint.certainty,
                "why": hint.why,
                "commands": _commands(hint.fault, request, cloud),
            }
            for hint in reading.hints
        ],
    }


def _commands(fault: str, request: Request, cloud: Optional[Mapping[str, Any]]) -> list[str]:
    """What to run next: the fault's remedy, where the catalogue holds it; and why no host takes a server."""
    of_cloud = f" --cloud {cloud['cloud']}" if cloud else ""
    found = [f"stackmend remediate --fault {fault} -i INVENTORY{of_cloud}"] if fault in FAULTS else []
    server = request.server
    if fault == "placement_capacity_exhausted" and server and server["image"] and server["flavor"]["name"]:
        made_of = f"--flavor {shlex.quote(server['flavor']['name'])} --image {server['image']}"
        found.insert(0, f"stackmend explain {made_of} -i INVENTORY{of_cloud}")
    return found


def _entry(entry: Entry) -> dict[str, Any]:
    at = None
    if entry.time is not None:
        moment = datetime.fromtimestamp(entry.time, timezone.utc)
        at = moment.isoformat(timespec="seconds" if entry.coarse else "milliseconds").replace("+00:00", "Z")
    return {
        "time": at,
        "host": entry.host,
        "service": entry.service,
        "level": entry.level,
        "what": entry.what,
        "request_id": entry.request_id,
        "source": entry.source,
        "count": entry.times,
    }


def _host(name: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    if "lines" not in answer:
        return {"host": name, "read": False, "reason": _why_not(answer), "lines": 0, "clock": None, "corrected": 0.0}
    return {
        "host": name,
        "read": True,
        "reason": "",
        "lines": len(answer["lines"]),
        "clock": answer.get("clock"),
        "corrected": _clock.correction(answer.get("clock")),
    }


def _why_not(answer: Mapping[str, Any]) -> str:
    kind = "could not be reached" if answer.get("unreachable") else "could not be read"
    return f"{kind}: {first_line(answer)}"


def _unknown(
    cloud: Optional[Mapping[str, Any]],
    no_cloud: str,
    hosts: Mapping[str, Mapping[str, Any]],
    answered: Mapping[str, Mapping[str, Any]],
    kept: list[Mapping[str, Any]],
    window: float,
    now: float,
) -> list[str]:
    """What was not read, in sentences."""
    found = [] if cloud else [f"nova's API was not asked: {no_cloud or 'no cloud is named'}"]
    found += [gap["reason"] for gap in (cloud or {}).get("gaps", ())]
    found += [gap["reason"] for entry in kept for gap in entry["gaps"]]
    found += [f"host {name} {_why_not(answer)}" for name, answer in sorted(hosts.items()) if name not in answered]
    for name, answer in sorted(answered.items()):
        found += [f"host {name}: {gap['reason']}" for gap in answer["gaps"]]
        if answer["left_out"]:
            found.append(f"host {name} has {answer['left_out']} older lines that were left out")
    starts = [seconds(action["started"]) for entry in kept for action in entry["actions"]]
    older = sum(1 for at in starts if at is not None and at < now - window)
    if older:
        found.append(
            f"{older} of the actions are older than the logs that were read ({window / 3600:.0f} h; stackmend_log_window)"
        )
    if not hosts:
        found.append("no host was read: the inventory has none")
    return list(dict.fromkeys(found))
