# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far one request came, and what that means: the decision table of FAULTS.md F32.

A healthy conductor and scheduler log nothing of a request at INFO. So that a request came to a service is also told by what
came after it, by nova's record of the action and by placement's log; and that it did not is only believed of a request that
neither succeeded nor failed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Optional

from ._evidence._signatures import SIGNATURES
from ._model import CERTAINTIES, Certainty
from ._trace_lines import API, COMPUTE, CONDUCTOR, PLACEMENT, SCHEDULER, Entry, seconds

STAGES = (API, CONDUCTOR, SCHEDULER, COMPUTE)
# What goes to conductor and scheduler first; every other action goes from the API to the server's own compute.
SCHEDULED = ("create", "evacuate", "live-migration", "migrate", "rebuild", "resize", "unshelve")
_NO_HOST = re.compile(
    r"Got no allocation candidates|Filtering removed all hosts|NoValidHost|returned 0 hosts?\b|No valid host was found"
)
# nova's message ends so where placement gave no candidate (FAULTS.md F27)
_WITHOUT_REASON = re.compile(r"(?:No valid host was found\.|原因是)[\s.。]*$")
_EMPTIED = re.compile(r"'?(\w+): \(start: (\d+), end: 0\)|Filter (\w+) returned 0 hosts?")
_TIMEOUT = re.compile(r"MessagingTimeout|Timed out waiting for a reply")
_ON_NODE = re.compile(r"Claim successful on node (\S+)|Error from last host: (\S+) \(node")
_BY_FILTER = {
    "ComputeFilter": ("compute_service_down", "F15"),
    "ComputeCapabilitiesFilter": ("flavor_extra_specs_unscoped", "F07"),
    "AggregateInstanceExtraSpecsFilter": ("flavor_extra_specs_unscoped", "F07"),
}
_QUEUES = ("controller_backends_differ", "F06")
_DOWN = ("compute_service_down", "F15")
_STUCK = ("server_stuck_scheduling", "F15")
_VALUE = ("config_value_invalid", "F10")
_CAPACITY = ("placement_capacity_exhausted", "F27")
# A fault that a line of the same request points at more closely comes before these.
_GENERAL = ("placement_capacity_exhausted", "controller_backends_differ", "instance_mapping_missing")


class Request(NamedTuple):
    """One request and all that is known of it.

    entries: in the order of their time. action: nova's record, None where there is none. server: as nova has it now.
    waits_on: the hosts that placement has for a server without one. migrations: nova's records of those that it began.
    is_last: whether it is the newest about its server. fault: the server's fault, where it is of this request.
    """

    id: str
    entries: list[Entry]
    action: Optional[Mapping[str, Any]]
    server: Optional[Mapping[str, Any]]
    waits_on: list[str]
    is_last: bool
    migrations: list[Mapping[str, Any]]
    fault: str


class Place(NamedTuple):
    """What is known of the cloud around it.

    services: nova's own, None where nova did not tell. read: the services whose logs were read whole. queues, processes, api:
    of all hosts. endpoint: what the API's address answered. now: seconds since 1970. patience: seconds that a step may take.
    """

    services: Optional[list[Mapping[str, Any]]]
    read: Collection[str]
    queues: list[Mapping[str, Any]]
    processes: list[Mapping[str, Any]]
    api: list[Mapping[str, Any]]
    endpoint: Optional[Mapping[str, Any]]
    now: float
    patience: float


class Hint(NamedTuple):
    """A fault of the catalogue that fits, how sure that is, and why."""

    fault: str
    reference: str
    certainty: str
    why: str


class Reading(NamedTuple):
    """verdict: clear, cause, waiting or unknown. stages: {service: what is known of it, in a word or two}."""

    verdict: str
    text: str
    stages: dict[str, str]
    hints: list[Hint]


def read(request: Request, place: Place) -> Reading:
    """The row of the decision table that fits, in words."""
    seen = _seen(request)
    answer = _answer(request)
    scheduled = _kind(request) in SCHEDULED
    path = STAGES if scheduled else (API, COMPUTE)
    stages = {stage: _word(stage, seen, place) if stage in path else "not needed" for stage in STAGES}
    if answer is not None:
        stages[API] = f"yes ({answer.status})"

    def told(verdict: str, text: str, hints: Iterable[Hint] = ()) -> Reading:
        return Reading(verdict, text, stages, _best(hints))

    if API not in seen:
        return told(*_never_arrived(request, place))
    if answer is not None and answer.status >= 400:
        return told(*_refused(request, answer))
    errors = _errors(request)
    if not _finished(request):
        refused = _no_host(request)
        if refused:
            stages[SCHEDULER] = "yes (0 hosts)"
            return told("cause", *_nowhere(request, refused, place))
    only_logged = request.action is None and request.server is None
    if errors and (_finished(request) or _failed(request) or only_logged or _waited(request, place) >= place.patience):
        text, hints = _broken(request, errors, place)
        if COMPUTE in seen and any(entry.service == COMPUTE for entry in errors):
            stages[COMPUTE] = "yes (error)"
        return told("cause", text, hints)
    if _failed(request):
        why = request.fault or "nova says so and keeps no reason"
        return told("cause", f"It failed: {why}", _by_text([why], Certainty.PROBABLE))
    if _finished(request):
        return told("clear", f"It went through{_where(request)}; nothing wrong was read.")
    return told(*_stopped(request, seen, place, path))


# -- what is known ---------------------------------------------------------------------------------------------------------


def _seen(request: Request) -> set[str]:
    """The services that the request came to."""
    found = {entry.service for entry in request.entries} & set(STAGES)
    if any(entry.service == PLACEMENT and "/allocation_candidates" in entry.path for entry in request.entries):
        found.add(SCHEDULER)
    events = [event["event"] for event in request.action["events"]] if request.action else []
    if any(event.startswith("conductor_") for event in events):
        found.add(CONDUCTOR)
    if any(event.startswith("compute_") for event in events):
        found.add(COMPUTE)
    if request.action:
        found.add(API)
        # it is the conductor that records a creation, once the scheduler has answered (nova 34, conductor/manager.py)
        if request.action["action"] == "create":
            found.update((CONDUCTOR, SCHEDULER))
    scheduled = _kind(request) in SCHEDULED
    for stage, before in (
        (COMPUTE, (API, CONDUCTOR, SCHEDULER) if scheduled else (API,)),
        (SCHEDULER, (API, CONDUCTOR)),
    ):
        if stage in found:
            found.update(before)
    if CONDUCTOR in found or _is_only_asked_for(request):
        found.add(API)
    return found


def _kind(request: Request) -> str:
    if request.action:
        return str(request.action["action"])
    posted = any(entry.method == "POST" and entry.path.rstrip("/").endswith("/servers") for entry in request.entries)
    through = any(entry.service in (CONDUCTOR, SCHEDULER) for entry in request.entries)
    return "create" if posted or through or _is_only_asked_for(request) else ""


def _is_only_asked_for(request: Request) -> bool:
    """Whether nova's API has a server of which no conductor has made anything."""
    server = request.server
    return request.action is None and server is not None and server["status"] == "BUILD" and not server["host"]


def _word(stage: str, seen: Collection[str], place: Place) -> str:
    if stage in seen:
        return "yes"
    return "nothing" if stage in place.read else "log not read"


def _answer(request: Request) -> Optional[Entry]:
    """What the API answered. A line that only looks may carry the id of the request that its thread served before."""
    answers = [entry for entry in request.entries if entry.service == API and entry.status]
    changing = [entry for entry in answers if entry.method not in ("GET", "HEAD")]
    return next(iter(changing or answers), None)


def _errors(request: Request) -> list[Entry]:
    return [entry for entry in request.entries if entry.failed and not entry.noise]


def _events(request: Request) -> list[Mapping[str, Any]]:
    return list(request.action["events"]) if request.action else []


def _failed(request: Request) -> bool:
    if any(event["result"] == "Error" for event in _events(request)):
        return not _recovered(request)
    if any(migration["status"] in ("error", "failed") for migration in request.migrations):
        return True
    if request.action and request.action["message"] == "Error":
        return True
    status = request.server["status"] if request.server else ""
    return status == "ERROR" and bool(request.fault)


def _recovered(request: Request) -> bool:
    """Whether a later try of the same step succeeded."""
    last: dict[str, Mapping[str, Any]] = {event["event"]: event for event in _events(request)}
    return all(event["result"] != "Error" for event in last.values())


def _finished(request: Request) -> bool:
    """Whether it did what it was to do, as far as nova tells.

    nova closes the first of two events of one name, whichever ended (seen with nova 34), and calls a build that was given up a
    success: so what the server is comes first.
    """
    if _failed(request):
        return False
    events = _events(request)
    ended = [event for event in events if event["finished"]]
    server = request.server
    if _kind(request) == "create" and server is not None and request.is_last:
        return server["status"] not in ("BUILD", "ERROR")
    if events:
        return {event["event"] for event in events} == {event["event"] for event in ended}
    if request.action is not None:
        # stop, start, lock and the like: nothing is recorded once it is done but the server's state
        return server is None or not request.is_last or server["task_state"] is None
    answer = _answer(request)
    done = answer is not None and (answer.method in ("GET", "HEAD") or answer.status in (200, 201, 204))
    built = any(
        re.search(r"Took [\d.]+ seconds to build|finished successfully", entry.what) for entry in request.entries
    )
    return done or built


def _hosts(request: Request) -> list[str]:
    """The computes that tried, in their order."""
    found: dict[str, None] = {}
    for event in _events(request):
        if event["event"].startswith("compute_") and event["host"]:
            found[event["host"]] = None
    if not found:
        for entry in request.entries:
            named = _ON_NODE.search(entry.what)
            if named:
                found[named.group(1) or named.group(2)] = None
    return list(found)


def _where(request: Request) -> str:
    hosts = _hosts(request)
    return f" on {', '.join(hosts)}" if hosts else ""


def _first(request: Request) -> Optional[float]:
    return next((entry.time for entry in request.entries if entry.time is not None), None)


def _last_sign(request: Request) -> Optional[float]:
    times = [entry.time for entry in request.entries if entry.time is not None]
    if request.action:
        times += [
            at for at in (seconds(request.action["started"]), seconds(request.action["updated"])) if at is not None
        ]
    if not times and request.server:
        times += [at for at in (seconds(request.server["created"]),) if at is not None]
    return max(times, default=None)


def _waited(request: Request, place: Place) -> float:
    """Seconds since anything was heard of it."""
    return place.now - (_last_sign(request) or place.now)


# -- the rows --------------------------------------------------------------------------------------------------------------


def _never_arrived(request: Request, place: Place) -> tuple[str, str, list[Hint]]:
    """Nothing anywhere: the request did not arrive, or its log is not here."""
    if request.entries:
        services = ", ".join(sorted({entry.service for entry in request.entries}))
        return (
            "clear" if not _errors(request) else "cause",
            f"It is no request of nova's API: only {services} logged it.",
            _by_text([entry.what for entry in _errors(request)], Certainty.PROBABLE),
        )
    if API not in place.read:
        return "unknown", "No log of nova's API was read whole, so it cannot be said whether the request arrived.", []
    tried = []
    if place.endpoint:
        tried.append(f"the endpoint {_said(place.endpoint)}")
    tried += [f"the API on {answer['host']} ({answer['url']}) {_said(answer, url=False)}" for answer in place.api]
    bad = [answer for answer in ([place.endpoint] if place.endpoint else []) + list(place.api) if not _is_well(answer)]
    if bad:
        what = "Now " + "; ".join(tried) + "."
    elif tried:
        what = "Now " + "; ".join(tried) + ": look at the client's own address, or for an older log."
    else:
        what = "Neither the endpoint nor a backend could be tried."
    return (
        "cause" if bad else "unknown",
        "No service logged it: it never arrived (name, virtual IP, balancer, TLS, firewall), or it is older than the logs that "
        f"were read. {what}",
        [],
    )


def _is_well(answer: Mapping[str, Any]) -> bool:
    return answer["status"] is not None and answer["status"] < 500


def _said(answer: Mapping[str, Any], url: bool = True) -> str:
    what = f"answers {answer['status']}" if answer["status"] is not None else f"does not answer ({answer['error']})"
    return f"{answer['url']} {what}" if url else what


def _refused(request: Request, answer: Entry) -> tuple[str, str, list[Hint]]:
    """The API itself said no."""
    why = next((entry.what for entry in request.entries if entry.what.startswith("refused: ")), "")
    if answer.method in ("GET", "HEAD") and answer.status == 404:
        return "clear", "It looked for something that is not there (404), as clients do that look a name up.", []
    if answer.status >= 500:
        errors = [entry.what for entry in _errors(request)]
        hints = _by_text(errors, Certainty.PROBABLE)
        return "cause", f"nova's API failed with {answer.status}{': ' + errors[-1] if errors else ''}.", hints
    kind = {
        401: "the token",
        403: "policy or quota",
        404: "what it named",
        409: "the server's state",
        413: "quota",
    }.get(answer.status, "what it asked for")
    text = f"nova's API refused it with {answer.status}, for {kind}"
    text += f": {why[len('refused: ') :]}" if why else "; the answer's body says why"
    return "cause", text.rstrip(".") + ".", _by_text([why], Certainty.CERTAIN)


def _no_host(request: Request) -> list[str]:
    """What says that no host was found, the most telling first."""
    found = [entry.what for entry in request.entries if _NO_HOST.search(entry.what)]
    found += [event["details"] for event in _events(request) if _NO_HOST.search(event["details"])]
    if not found and any(hint.fault == _CAPACITY[0] for hint in _by_text([request.fault], Certainty.PROBABLE)):
        found = [request.fault]
    return sorted(found, key=lambda text: ("Filter results" not in text, "Got no allocation" not in text))


def _nowhere(request: Request, refused: list[str], place: Place) -> tuple[str, list[Hint]]:
    """0 hosts: placement or a filter refused every one."""
    emptied = _EMPTIED.search(refused[0]) or next(filter(None, map(_EMPTIED.search, refused)), None)
    tried = [entry for entry in _errors(request) if entry.service == COMPUTE]
    down = [row["host"] for row in place.services or () if row["binary"] == "nova-compute" and row["state"] == "down"]
    hints = []
    if emptied:
        name = emptied.group(1) or emptied.group(3)
        before = f" of {emptied.group(2)} hosts" if emptied.group(2) else ""
        text = f"The scheduler found no host: {name} left none{before}."
        if name in _BY_FILTER:
            fault, reference = _BY_FILTER[name]
            hints.append(Hint(fault, reference, Certainty.PROBABLE, f"{name} rejected every host"))
    elif any("Got no allocation candidates" in text or _WITHOUT_REASON.search(text) for text in refused):
        text = "Placement had no candidate: no host has room for what the flavor asks for, or the traits it requires."
        hints.append(Hint(*_CAPACITY, Certainty.PROBABLE, "placement gave the scheduler no candidate"))
    else:
        text = f"No host was found: {refused[0].rstrip('.')}. The scheduler logs at INFO which filter refused the last one."
        hints.append(Hint(*_CAPACITY, Certainty.POSSIBLE, "the scheduler gave no reason that was read"))
    if tried:
        text += f" Before that {', '.join(_hosts(request)) or 'a compute'} failed: {tried[0].what}"
        hints = _by_text([entry.what for entry in tried], Certainty.PROBABLE) + hints
    if down:
        text += f" Computes that are down: {', '.join(down[:5])}{' and more' if len(down) > 5 else ''}."
        hints.append(Hint(*_DOWN, Certainty.POSSIBLE, f"{down[0]} is down, and takes no server"))
    return text, hints


def _broken(request: Request, errors: list[Entry], place: Place) -> tuple[str, list[Hint]]:
    """An error was logged: what it says names the fault."""
    fault = request.fault
    texts = [fault, *(entry.what for entry in errors), *(event["details"] for event in _events(request))]
    hints = _by_text([text for text in texts if text], Certainty.PROBABLE)
    first = errors[0]
    where = f"{first.service} on {first.host}"
    hosts = _hosts(request)
    several = _kind(request) == "create" and len(hosts) > 1
    if first.service == COMPUTE and hosts and _kind(request) == "create":
        where = f"{COMPUTE} on {hosts[0]}"
    if _finished(request):
        then = f"it was tried again and went through on {hosts[-1]}" if several else "it went through all the same"
        return f"{where} failed: {first.what}; {then}.", hints
    if several:
        return f"Every host that was tried failed ({', '.join(hosts)}): {fault or errors[-1].what}", hints
    if any(_TIMEOUT.search(text) for text in texts) and not any(hint.fault == _QUEUES[0] for hint in hints):
        hints.append(Hint(*_QUEUES, Certainty.PROBABLE, "a service got no answer through the message queue"))
    # nova keeps no more of many exceptions than their name
    return f"{where} failed: {fault if ' ' in fault else first.what}", hints


def _stopped(
    request: Request, seen: Collection[str], place: Place, path: tuple[str, ...]
) -> tuple[str, str, list[Hint]]:
    """Neither success nor failure: it waits somewhere between the last service that has it and the next."""
    reached = [stage for stage in path if stage in seen][-1]
    waited = _waited(request, place)
    if request.server is None and request.action is not None:
        return "clear", f"It came as far as {reached}, and the server was deleted meanwhile.", []
    if reached == COMPUTE:
        return _silent(request, place, waited)
    following = path[path.index(reached) + 1]
    if request.action is None and request.server is None and following not in place.read:
        return (
            "unknown",
            f"It came as far as {reached}; no log of {following} was read whole, and nova was not asked.",
            [],
        )
    since = f"{_lasting(waited)} ago"
    under_way = f"{reached} had it {since}; it may still be under way. Trace it again in a while."
    if following == COMPUTE:
        hosts = request.waits_on or ([request.server["host"]] if request.server and request.server["host"] else [])
        for host in hosts:
            state = _state(place, COMPUTE, host)
            if state == "down":
                why = f"it waits for {host}, whose nova-compute is down"
                # nothing is to be done about the server itself: it is built once that is up again
                return "cause", f"{reached} passed it on {since}, and {why}.", [Hint(*_DOWN, Certainty.CERTAIN, why)]
        if waited < place.patience:
            return "waiting", under_way, []
        where = f"{', '.join(hosts)} is up and did not take it" if hosts else "no compute took it"
        text = f"{reached} passed it on {since}, and {where}: the message was lost, or nobody reads its queue"
        hints = [Hint(*_STUCK, Certainty.PROBABLE, where)] if path == STAGES else []
        queues = [f"compute.{host}" for host in hosts]
        return "cause", text + _of_queues(place, queues) + ".", [*hints, *_unread(place, queues)]
    if waited < place.patience:
        return "waiting", under_way, []
    return "cause", *_between(place, reached, path, since)


def _between(place: Place, reached: str, path: tuple[str, ...], since: str) -> tuple[str, list[Hint]]:
    """Of a request that a service took and that no later one tells of; nova-conductor tells nothing of what goes well."""
    following = [stage for stage in path[path.index(reached) + 1 :] if stage != COMPUTE]
    dead = next((stage for stage in following if _is_down(place, stage)), None)
    text = f"{reached} accepted it {since}, and "
    hints = []
    if dead:
        hosts = ", ".join(row["host"] for row in place.services or () if row["binary"] == dead)
        text += f"{dead} never had it: every {dead} is down ({hosts})"
        why = f"{dead} is down: a service that meets a value it refuses does not start"
        hints = [Hint(*_VALUE, Certainty.POSSIBLE, why), Hint(*_QUEUES, Certainty.POSSIBLE, f"{dead} is down")]
        following = [dead]
    elif len(following) > 1:
        text += (
            f"no later service told of it. One of {' and '.join(following)} is dead or hangs (the first logs nothing of what "
            "goes well), or the message queue lost it (transport_url, cell mapping)"
        )
    else:
        text += f"{following[0]} never had it: it is dead, or the message queue lost it (transport_url, cell mapping)"
    queues = [stage[len("nova-") :] for stage in following]
    text += _of_queues(place, queues) + "".join(_of_processes(place, stage) for stage in following)
    lost = Hint(*_QUEUES, Certainty.PROBABLE, f"nothing came from {reached} to {following[0]}")
    return text + ".", [*_unread(place, queues), *(hints or [lost])]


def _is_down(place: Place, binary: str) -> bool:
    """Whether nova knows of such a service, and none is up."""
    states = {row["state"] for row in place.services or () if row["binary"] == binary}
    return bool(states) and "up" not in states


def _silent(request: Request, place: Place, waited: float) -> tuple[str, str, list[Hint]]:
    host = (_hosts(request) or [request.server["host"] if request.server else ""])[-1]
    state = _state(place, COMPUTE, host)
    named = f"nova-compute on {host}" if host else "nova-compute"
    if state == "down":
        return (
            "cause",
            f"{named} had it and has been silent for {_lasting(waited)}, and is down now.",
            [Hint(*_DOWN, Certainty.CERTAIN, f"{host} stopped in the midst of it")],
        )
    if waited < place.patience:
        return (
            "waiting",
            f"{named} works on it ({_lasting(waited)} since the last sign). Trace it again in a while.",
            [],
        )
    stuck = _of_processes(place, COMPUTE, host)
    return (
        "cause",
        f"{named} had it and has been silent for {_lasting(waited)}, while it still reports: it hangs, or does what takes "
        f"long (storage, libvirt, a large image){stuck}. Before a restart let it write its threads to its log (kill -USR2).",
        [],
    )


def _state(place: Place, binary: str, host: str) -> str:
    return next((row["state"] for row in place.services or () if row["binary"] == binary and row["host"] == host), "")


def _unread(place: Place, names: list[str]) -> list[Hint]:
    lost = [row for row in place.queues if row["queue"] in names and not row["consumers"]]
    return [Hint(*_QUEUES, Certainty.PROBABLE, f"queue {lost[0]['queue']} has no consumer")] if lost else []


def _of_queues(place: Place, names: list[str]) -> str:
    """What RabbitMQ says of the queues, as the rest of a sentence."""
    told = [
        f"queue {row['queue']} has {row['messages']} messages and {row['consumers']} consumers"
        for row in place.queues
        if row["queue"] in names
    ]
    return f"; {', '.join(told)}" if told else ""


def _of_processes(place: Place, program: str, host: str = "") -> str:
    """What hosts say of a service's processes, as the rest of a sentence."""
    mine = [row for row in place.processes if row["program"] == program and host in ("", row["host"])]
    held = [row for row in mine if row["state"] in ("D", "Z", "T")]
    words = {"D": "waits for a device", "Z": "has ended", "T": "is stopped"}
    return "".join(f"; process {row['pid']} on {row['host']} {words[row['state']]}" for row in held)


def _lasting(waited: float) -> str:
    waited = max(waited, 0.0)
    return (
        f"{waited:.0f} s" if waited < 120 else f"{waited / 60:.0f} min" if waited < 7200 else f"{waited / 3600:.0f} h"
    )


# -- faults ----------------------------------------------------------------------------------------------------------------


def _by_text(texts: Iterable[str], certainty: str) -> list[Hint]:
    """The faults whose signatures the texts bear."""
    found = []
    for text in texts:
        for signature in SIGNATURES:
            if signature.certainty == Certainty.POSSIBLE:
                continue
            if any(
                literal in text.encode() and signature.value(literal, text) is not None
                for literal in signature.literals
            ):
                found.append(Hint(signature.fault, signature.reference, certainty, signature.meaning))
    return found


def _best(hints: Iterable[Hint]) -> list[Hint]:
    """Each fault once, the more telling ones first."""
    kept: dict[str, Hint] = {}
    for hint in hints:
        kept.setdefault(hint.fault, hint)
    return sorted(kept.values(), key=lambda hint: (-CERTAINTIES.index(hint.certainty), hint.fault in _GENERAL))
