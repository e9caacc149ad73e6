# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A trace as a person reads it on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_STAGES = (
    ("nova-api", "API"),
    ("nova-conductor", "conductor"),
    ("nova-scheduler", "scheduler"),
    ("nova-compute", "compute"),
)
_LEVELS = {"WARNING": "WARN", "CRITICAL": "CRIT"}
# A longer name would push the text off a narrow terminal.
_WIDEST = {"host": 16, "service": 14}


class Line(NamedTuple):
    """A line, and for one of the timeline whose it is and how bad."""

    text: str
    service: str = ""
    level: str = ""


def lines(answer: Mapping[str, Any], width: int = 100) -> list[str]:
    """The trace in lines of at most `width` columns, without control characters."""
    return [line.text for line in parts(answer, width)]


def parts(answer: Mapping[str, Any], width: int = 100) -> Iterator[Line]:
    """The same, with what colours need."""
    for line in _all(answer, width):
        yield line._replace(
            text="".join(letter if letter.isprintable() else "?" for letter in line.text).rstrip()[: max(width, 40)]
        )


def _all(answer: Mapping[str, Any], width: int) -> Iterator[Line]:
    yield from _wrapped(answer["summary"], width, 0)
    for server in answer["subject"]["servers"]:
        what = [f"server {server['id']}"]
        what += [f"{name} {server[name]}" for name in ("status", "task_state", "host", "flavor") if server[name]]
        yield from _wrapped(", ".join(what), width, 2)
    for request in answer["requests"]:
        yield Line("")
        yield from _request(request, width)
    if answer["timeline"]:
        yield Line("")
        yield from _timeline(answer["timeline"], width)
    if answer["folded"] or answer["left_out"]:
        told = [f"{count} {kind}" for kind, count in answer["folded"].items()]
        told += [f"{answer['left_out']} older lines"] if answer["left_out"] else []
        yield from _wrapped(f"not shown: {', '.join(told)}", width, 0)
    wrong = [host for host in answer["hosts"] if host["corrected"]]
    if wrong:
        yield Line("")
        yield Line("CLOCKS")
        for host in wrong:
            ahead = "ahead" if host["corrected"] > 0 else "behind"
            doubt = f"give or take {host['clock']['uncertainty']:.1f} s"
            text = f"{host['host']} is {abs(host['corrected']):.1f} s {ahead} ({doubt}); its times above are put right"
            yield from _wrapped(text, width, 2)
    if answer["unknown"]:
        yield Line("")
        yield Line("NOT KNOWN")
        for sentence in answer["unknown"]:
            yield from _wrapped(sentence, width, 2)


def _request(request: Mapping[str, Any], width: int) -> Iterator[Line]:
    started = request["started"] and request["started"][:19] + "Z"
    yield Line("  ".join(filter(None, (request["action"] or "request", request["request_id"], started))))
    words = [
        f"{word}: {request['stages'][stage]}" for stage, word in _STAGES if request["stages"][stage] != "not needed"
    ]
    yield from _wrapped("  ".join(words), width, 2)
    yield from _wrapped(request["reading"], width, 2)
    for fault in request["faults"]:
        yield from _wrapped(f"{fault['fault']} ({fault['reference']}, {fault['certainty']}): {fault['why']}", width, 4)
        for command in fault["commands"]:
            yield from _wrapped(command, width, 6)


def _timeline(timeline: list[Mapping[str, Any]], width: int) -> Iterator[Line]:
    room = {
        name: min(widest, max(len(name), *(len(entry[name]) for entry in timeline))) for name, widest in _WIDEST.items()
    }
    begin = 12 + 2 + room["host"] + 2 + room["service"] + 2 + 5 + 2
    yield Line(f"{'TIME (UTC)':<12}  {'HOST':<{room['host']}}  {'SERVICE':<{room['service']}}  {'LEVEL':<5}  WHAT")
    day = ""
    for entry in timeline:
        date, _t, clock = (entry["time"] or "T-").partition("T")
        if date and date != day:
            day = date
            yield Line(date)
        what = entry["what"] + (f" ({entry['count']} times)" if entry["count"] > 1 else "")
        wrapped = textwrap.wrap(what, max(width - begin, 30), break_on_hyphens=False) or [""]
        head = (
            f"{clock.rstrip('Z'):<12}  {entry['host'][: room['host']]:<{room['host']}}  "
            f"{entry['service'][: room['service']]:<{room['service']}}  {_LEVELS.get(entry['level'], entry['level'][:5]):<5}  "
        )
        for number, text in enumerate(wrapped):
            yield Line((head if number == 0 else " " * begin) + text, entry["service"], entry["level"])


def _wrapped(text: str, width: int, indent: int, hanging: int = 2) -> Iterator[Line]:
    for line in textwrap.wrap(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_on_hyphens=False,
    ):
        yield Line(line)
