# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer to why a server finds no host, or which, as a person reads it on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from ._words import listed

EXIT_STATUS = {"fits": 0, "none": 2, "unknown": 3}
_WORDS = {"fits": "fits", "refused": "no", "unknown": "unknown"}


def lines(answer: Mapping[str, Any], width: int = 100) -> list[str]:
    """The answer in lines of at most `width` columns, without control characters."""
    found = [*_wrapped(answer["summary"], width, 0), ""]
    if answer["request"] is not None:
        found += ["ASKED OF PLACEMENT", *_request(answer["request"], width), ""]
    if answer["hosts"]:
        found += _hosts(answer["hosts"], width)
        found += ["", *_scheduler(answer["scheduler"], width), ""]
    if answer["verdict"] != "fits":
        found += ["WHAT IF", *_what_if(answer, width), ""]
    for title, sentences in (("NOT KNOWN", answer["unknown"]), ("ASSUMED", answer["assumptions"])):
        if sentences:
            found += [title, *(line for sentence in sentences for line in _wrapped(sentence, width, 2)), ""]
    while found and not found[-1]:
        found.pop()
    return ["".join(character if character.isprintable() else "?" for character in line) for line in found]


def _wrapped(text: str, width: int, indent: int, hanging: int = 2) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_on_hyphens=False,
    )


def _request(request: Mapping[str, Any], width: int) -> list[str]:
    found = []
    for suffix, group in request["groups"].items():
        parts = [f"{amount} {name}" for name, amount in group["resources"].items()]
        parts += group["required"] + [f"not {trait}" for trait in group["forbidden"]]
        found += _wrapped(f"{'group ' + suffix + ': ' if suffix else ''}{', '.join(parts)}", width, 2)
    root = request["root_required"] + [f"not {trait}" for trait in request["root_forbidden"]]
    found += _wrapped(f"of the compute itself: {', '.join(root)}", width, 2)
    for other in request["or"]:
        parts = [f"{amount} {name}" for group in other.values() for name, amount in group["resources"].items()]
        found += _wrapped(f"or, of computes that have no PCPU: {', '.join(parts)}", width, 2)
    for entry in request["within"]:
        found += _wrapped(f"in {entry['for']} (aggregates {', '.join(entry['aggregates']) or 'none'})", width, 2)
    if request["without"]:
        found += _wrapped(f"in none of the aggregates {', '.join(request['without'])}", width, 2)
    return found


def _hosts(hosts: list[Mapping[str, Any]], width: int) -> list[str]:
    """Hosts that fit first, and those that nobody asked for not at all: what is told of them is that alone."""
    shown = [host for host in hosts if not host["refusals"] or host["refusals"][0]["kind"] != "not_asked_for"]
    shown.sort(key=lambda host: ("fits", "unknown", "refused").index(host["verdict"]))
    room = max((len(host["host"]) for host in shown), default=4)
    room = min(max(room, 4), 30)
    begin = room + 2 + 9
    found = [f"{'HOST':<{room}}  {'VERDICT':<7}  WHY"]
    for host in shown:
        reasons = [
            refusal["reason"] + (f" [{refusal['by']}]" if refusal["by"] != "placement" else "")
            for refusal in host["refusals"]
        ]
        reasons = reasons or [doubt["reason"] for doubt in host["unknown"]] or [f"in zone {host['zone']}"]
        told = reasons[:1] + ([f"and {len(reasons) - 1} more"] if len(reasons) > 1 else [])
        text = textwrap.wrap("; ".join(told), max(width - begin, 30), break_on_hyphens=False)
        found.append(f"{host['host'][:room]:<{room}}  {_WORDS[host['verdict']]:<7}  {text[0]}")
        found += [" " * begin + line for line in text[1:]]
    left_out = len(hosts) - len(shown)
    if left_out:
        found.append(f"({left_out} further {'host was' if left_out == 1 else 'hosts were'} not asked for)")
    return found


def _scheduler(scheduler: Mapping[str, Any], width: int) -> list[str]:
    if not scheduler["candidates"]:
        steps = ["placement gives nova no candidate"]
    else:
        steps = [f"placement gives {scheduler['candidates']}"]
        for entry in scheduler["filters"]:
            # None: of some host it is not known what the filter says.
            steps.append(f"{entry['name']} leaves {'?' if entry['end'] is None else entry['end']}")
    return _wrapped("nova-scheduler: " + ", ".join(steps), width, 0)


def _what_if(answer: Mapping[str, Any], width: int) -> list[str]:
    found = []
    without, enabled = answer["what_if"]["without_orphans"], answer["what_if"]["enabled"]
    number = len(without["orphans"])
    for label, entry in (
        (f"without the {number} orphaned allocations" if number else "no allocation is orphaned", without),
        ("with every disabled host enabled", enabled),
    ):
        if entry["hosts"] is None:
            text = f"{label if entry is enabled else 'without orphaned allocations'}: not known, {entry['reason']}"
        elif entry is without and not number:
            text = label
        else:
            text = f"{label} {_count(entry['hosts'])}"
        found += _wrapped(text, width, 2)
    flavors = answer["what_if"]["flavors"]
    told = ", ".join(
        f"{flavor['name']} ({flavor['vcpus']} VCPU, {flavor['ram']} MiB, {flavor['disk']} GiB) on {flavor['hosts']} "
        f"{'host' if flavor['hosts'] == 1 else 'hosts'}"
        for flavor in flavors
    )
    found += _wrapped(f"with another flavor: {told or 'none of them'}", width, 2)
    return found


def _count(hosts: list[str]) -> str:
    if not hosts:
        return "still no host takes it"
    return f"{len(hosts)} {'host takes' if len(hosts) == 1 else 'hosts take'} it: {listed(hosts, 5)}"
