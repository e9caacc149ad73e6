# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault controller_backends_differ: a controller is given other RabbitMQ or memcached servers than it should be.

Each list is held against the servers themselves, against the lists of the other controllers, and against the one that the
operator names (stackmend_rabbit_hosts, stackmend_memcached_servers). Which of two lists is the right one is never decided by
how many have it: the minority may be the new cluster. Without a name the difference is told, and what is plainly wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._model import CERTAINTIES, Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

_KINDS = {
    "buses": ("RabbitMQ", "bus", "stackmend_rabbit_hosts", "transport_url"),
    "caches": ("memcached", "cache", "stackmend_memcached_servers", "memcached"),
}
_SAID = {
    "no answer": "does not answer",
    "refused": "refuses the login",
    "no virtual host": "does not admit the user to the virtual host",
    "not a broker": "is not a RabbitMQ",
    "not a memcached": "is not a memcached",
}

Observation = Mapping[str, Any]
List = Mapping[str, Any]


class _Problem(NamedTuple):
    """One thing that is wrong with a list. cured: whether other servers in the list are what it takes."""

    certainty: str
    text: str
    cured: bool = True


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """The lists of this host and what their servers answered; None where it has none. Never a user, password or URL."""
    reading = evidence["backends"]
    if not reading["buses"] and not reading["caches"]:
        return None
    groups = set(evidence["host"]["groups"])
    return {
        "compute": bool(groups & set(evidence["settings"]["compute_groups"])),
        **{name: reading[name] for name in ("buses", "caches", "cells", "wanted")},
    }


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge every list of every host, then nova's cell mapping."""
    hosts: Mapping[str, Observation] = evidence["hosts"]
    cells = {cell["uuid"] for seen in hosts.values() for cell in seen["cells"]}
    for name in sorted(hosts):
        for kind in _KINDS:
            for given in hosts[name][kind]:
                problems = [*_by_itself(kind, given), *_by_name(kind, given, hosts[name]["wanted"])]
                if not hosts[name]["wanted"][_KINDS[kind][1]]:
                    problems += _by_others(hosts, name, kind, given, len(cells) > 1)
                if problems:
                    yield _finding(name, kind, given, hosts[name]["wanted"], problems)
        if len(cells) == 1:
            for cell in hosts[name]["cells"]:
                if cell["differs"]:
                    yield _cell_finding(name, cell)


# -- what is wrong with a list -------------------------------------------------------------------------------------------


def _by_itself(kind: str, given: List) -> Iterator[_Problem]:
    """What its own servers say."""
    if given["mixed"]:
        lacking = ", ".join(server["name"] for server in given["servers"] if not server["credentials"])
        yield _Problem(Certainty.CERTAIN, f"{lacking} has no credentials: each host of a transport_url needs its own")
    for server in given["servers"]:
        if server["answer"] in _SAID:
            yield _Problem(Certainty.CERTAIN, f"{server['name']} {_SAID[server['answer']]}")
    clusters = sorted({server["cluster"] for server in given["servers"]} - {""})
    if len(clusters) > 1:
        yield _Problem(Certainty.CERTAIN, f"its servers are of different clusters: {', '.join(clusters)}")


def _by_name(kind: str, given: List, wanted: Mapping[str, Any]) -> Iterator[_Problem]:
    """What is otherwise than the operator named it."""
    named = wanted[_KINDS[kind][1]]
    if not named:
        return
    here, there = _places(given), [server["address"] for server in named]
    if set(here) != set(there):
        names = ", ".join(server["name"] for server in named)
        yield _Problem(Certainty.CERTAIN, f"{_KINDS[kind][2]} names {names}")
    elif given["ordered"] and here != there:
        yield _Problem(Certainty.POSSIBLE, "the order is another one, and decides which server has a key")


def _by_others(
    hosts: Mapping[str, Observation], name: str, kind: str, given: List, several_cells: bool
) -> Iterator[_Problem]:
    """What the other controllers have, where nobody said which list is right. A cell may have a RabbitMQ of its own."""
    if hosts[name]["compute"] or (several_cells and kind == "buses"):
        return
    for other in sorted(hosts):
        if other == name or hosts[other]["compute"]:
            continue
        for theirs in hosts[other][kind]:
            if (theirs["service"], theirs["section"]) != (given["service"], given["section"]):
                continue
            here, there = _places(given), _places(theirs)
            ours, clusters = _clusters(given), _clusters(theirs)
            if ours and clusters and not ours & clusters:
                yield _Problem(Certainty.CERTAIN, f"{other} is given another cluster: {', '.join(sorted(clusters))}")
            elif set(here) != set(there):
                names = ", ".join(server["name"] for server in theirs["servers"])
                yield _Problem(Certainty.POSSIBLE, f"{other} is given {names}")
            elif given["ordered"] and here != there:
                yield _Problem(
                    Certainty.POSSIBLE, f"{other} has the same servers in another order, which decides who has a key"
                )


def _places(given: List) -> list[str]:
    return [server["address"] for server in given["servers"]]


def _clusters(given: List) -> set[str]:
    return {server["cluster"] for server in given["servers"]} - {""}


# -- findings ------------------------------------------------------------------------------------------------------------


def _finding(name: str, kind: str, given: List, wanted: Mapping[str, Any], problems: Sequence[_Problem]) -> Finding:
    what, key, setting, _form = _KINDS[kind]
    subject = f"{given['path']} [{given['section']}] {given['option']}"
    remedy, reason = _remedy(name, kind, given, wanted[key], subject)
    said = "; ".join(dict.fromkeys(problem.text for problem in problems))
    certainty = max((problem.certainty for problem in problems), key=CERTAINTIES.index)
    return Finding(
        fault=FAULT.id,
        target=Target("host", name),
        certainty=certainty,
        summary=f"{given['service']} on {name} is given {what} servers that are not as they should be: {said}",
        subject=subject,
        evidence={
            "service": given["service"],
            "line": given["line"],
            "servers": [
                {"name": server["name"], "answer": server["answer"], "cluster": server["cluster"]}
                for server in given["servers"]
            ],
        },
        expected=", ".join(server["name"] for server in wanted[key])
        or f"the same {what} on all controllers, which {setting} names",
        actual=", ".join(server["name"] for server in given["servers"]),
        remedy=remedy,
        reason=reason,
        severity=None if certainty == Certainty.CERTAIN else "low",
    )


def _remedy(
    name: str, kind: str, given: List, named: Sequence[Mapping[str, str]], subject: str
) -> tuple[Optional[Remedy], str]:
    what, _key, setting, form = _KINDS[kind]
    hosts = [server["name"] for server in named]
    same = set(_places(given)) == {server["address"] for server in named}
    lacking = [server for server in given["servers"] if not server["credentials"]]
    if (
        named
        and same
        and not given["mixed"]
        and (not given["ordered"] or _places(given) == [s["address"] for s in named])
    ):
        return (
            None,
            f"the list is the one that {setting} names: see to the servers that do not answer as they should",
        )
    if not named and given["mixed"] and all(server["with_first"] == "ok" for server in lacking):
        hosts = [server["name"] for server in given["servers"]]
    if not hosts:
        return (
            None,
            f"name the right {what} servers in {setting}; which list is right is not decided by how many have it",
        )
    if not given["line"]:
        return (
            None,
            f"the value comes from the environment variable {given['path']}: change it where the service is started",
        )
    if not given["plain"]:
        return None, "the value is put together from other options; change it by hand"
    wish = {
        "path": given["path"],
        "section": given["section"],
        "option": given["option"],
        "form": form,
        "hosts": hosts,
        "expect": given["expect"],
        "subject": f"{name} {subject}",
    }
    variables = {"backend_lists_lists": [wish], "backend_lists_restarts": list(given["restarts"])}
    return Remedy("backend_lists", Risk.DISRUPTIVE, variables, rolled=True), ""


def _cell_finding(name: str, cell: Mapping[str, Any]) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=Target("host", name),
        certainty=Certainty.CERTAIN,
        summary=f"nova's mapping of cell {cell['name'] or cell['uuid']} names another RabbitMQ than nova.conf on {name}",
        subject=f"cell mapping {cell['uuid']}",
        evidence={"cell": cell["uuid"], "name": cell["name"]},
        expected="the same servers, credentials and virtual host in both",
        actual="they differ; nova's API uses the mapping, the cell's own services nova.conf",
        reason=(
            "which of the two is right has to be known: where it is nova.conf, "
            f"`nova-manage cell_v2 update_cell --cell_uuid {cell['uuid']}` copies it, and nova's API is restarted"
        ),
    )


FAULT = Fault(
    id="controller_backends_differ",
    reference="F06",
    title="Controllers are given different or wrong RabbitMQ or memcached servers",
    scope="fleet",
    severity="high",
    symptom=(
        "The same request works or fails depending on the controller that has it: 'AMQP server on ... is unreachable', "
        "'ACCESS_REFUSED', 'Timed out waiting for a reply', tokens that are checked anew each time"
    ),
    cause=(
        "A host list was changed on some controllers only, or names a host that is gone; in transport_url each host needs its "
        "own user and password, so rabbit://user:password@one,two leaves two without (oslo_messaging/transport.py). nova's API "
        "takes the URL of a cell from the cell mapping and not from nova.conf."
    ),
    fix=(
        "Write the servers that the operator names into the list that counts, in every file that differs; the credentials of the "
        "URL stay on the host and are given to each server. The services that read it are restarted, one controller at a time. A "
        "server without credentials gets those of its list's first when it takes them. Undoing puts the files back."
    ),
    detect=detect,
    host_evidence=("backends",),
    observe_host=observe_host,
)
