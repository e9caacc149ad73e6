# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault memcached_connections_exhausted: memcached has as many connections as it admits, and turns clients away.

What memcached says of itself decides; a count of refusals that stands still is history, and no finding. What its clients
on the same host may open only tells how much room it needs, and whose pools are at the root of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._memcached_files import DEFAULT_LIMIT
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

FULL, NEARLY_FULL = 0.95, 0.8
LEAST, MOST = 4096, 65536
# Descriptors beside those of connections: listeners, event loops, log (FAULTS.md F14).
DESCRIPTORS = 100


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge every memcached of the host."""
    reading, here = evidence["memcached"], Target("host", evidence["host"]["name"])
    for instance in reading["instances"]:
        wanted = _demand(reading["clients"])
        judged = _judge(instance, wanted)
        if judged:
            yield _finding(here, instance, reading["clients"], wanted, *judged)


def _demand(clients: list[Mapping[str, Any]]) -> int:
    """How many connections the pools of this host's services may open to one memcached."""
    return sum(client["processes"] * client["pool"] for client in clients)


def _judge(instance: Mapping[str, Any], wanted: int) -> Optional[tuple[str, str]]:
    """(certainty, what is seen) of one memcached; None when it has room."""
    limit, connections = instance["limit"], instance["connections"]
    if instance["answer"] == "refused":
        return Certainty.CERTAIN, "turns new connections away"
    if instance["answer"] == "silent":
        return Certainty.CERTAIN, "accepts no more connections"
    if instance["grew"]:
        return Certainty.CERTAIN, "turned connections away while it was looked at"
    if connections >= FULL * limit:
        return Certainty.CERTAIN, "has hardly a connection left"
    if connections >= NEARLY_FULL * limit:
        return Certainty.POSSIBLE, "is nearly full"
    if limit <= DEFAULT_LIMIT and wanted > NEARLY_FULL * limit:
        return Certainty.POSSIBLE, "admits fewer connections than the services of this host alone may open"
    return None


def _finding(
    here: Target,
    instance: Mapping[str, Any],
    clients: list[Mapping[str, Any]],
    wanted: int,
    certainty: str,
    seen: str,
) -> Finding:
    new = _room(max(instance["connections"], min(instance["limit"], MOST), wanted))
    subject = f"{instance['name']} on {instance['address']}"
    leaking = [
        f"{client['path']} line {client['line']}: [keystone_authtoken] memcache_use_advanced_pool is off "
        f"({', '.join(client['programs'])})"
        for client in clients
        if client["advanced"] is False and client["path"]
    ]
    remedy, reason = _remedy(instance, new, subject)
    return Finding(
        fault=FAULT.id,
        target=here,
        certainty=certainty,
        summary=f"memcached on {instance['address']} {seen}: {instance['connections']} of {instance['limit']} connections",
        subject=subject,
        evidence={
            "unit": instance["unit"],
            "pid": instance["pid"],
            "answer": instance["answer"],
            "connections": instance["connections"],
            "grew": dict(instance["grew"]),
            "rejected_connections": instance["rejected"],
            "evictions": instance["evictions"],
            "file": (instance["file"] or {}).get("path"),
            "pools_of_this_host": wanted,
            "clients_without_pool": leaking,
        },
        expected=f"room for {new} connections",
        actual=f"{instance['connections']} of {instance['limit']}",
        remedy=remedy,
        reason=reason,
        severity=None if certainty == Certainty.CERTAIN else "low",
    )


def _room(used: int) -> int:
    """The next power of two above twice what is used, within what is sane (FAULTS.md F14)."""
    room = LEAST
    while room <= 2 * used and room < MOST:
        room *= 2
    return room


def _remedy(instance: Mapping[str, Any], new: int, subject: str) -> tuple[Optional[Remedy], str]:
    file, unit = instance["file"], instance["unit"]
    if instance["limit"] >= MOST:
        return None, (
            f"it admits {instance['limit']} connections already: find out which client does not give them back "
            "(keystonemiddleware before 9.3 without memcache_use_advanced_pool does not)"
        )
    if not file:
        return None, instance["by_hand"]
    if (file["limit"] or DEFAULT_LIMIT) >= new:
        return None, f"{file['path']} sets {file['limit']} already: restart {unit} when its cache may be lost"
    needed = new + DESCRIPTORS
    short = instance["open_files"] is not None and instance["open_files"] < needed
    wish = {
        "unit": unit,
        "path": file["path"],
        "style": file["style"],
        "max_connections": new,
        "expect": file["limit"] or 0,
        "open_files": needed if short else 0,
        "address": instance["address"],
        "subject": subject,
    }
    return Remedy("memcached_limits", Risk.DISRUPTIVE, {"memcached_limits_instances": [wish]}, rolled=True), ""


FAULT = Fault(
    id="memcached_connections_exhausted",
    reference="F14",
    title="memcached has no connection left",
    scope="host",
    severity="high",
    symptom=(
        "The dashboard and every API that checks tokens are slow by the seconds of a timeout, at random; memcached answers "
        "'ERROR Too many open connections' or does not answer"
    ),
    cause=(
        "memcached admits 1024 connections unless told otherwise (memcached.c), and the pools of all workers of all "
        "services together open more; keystonemiddleware before 9.3 without memcache_use_advanced_pool does not give "
        "them back."
    ),
    fix=(
        "Raise the limit to the next power of two above twice what is used, at least 4096, and the unit's limit of open "
        "files where that is lower; restart one memcached at a time. Everything else that memcached is given stays, the "
        "addresses it listens on above all. The restart empties its cache: tokens are checked anew, and sessions of a "
        "dashboard that keeps them there are lost."
    ),
    detect=detect,
    host_evidence=("memcached",),
)
