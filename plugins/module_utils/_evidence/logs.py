# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the logs of a host say of known faults, and all that they say of one request or server.

A log line is historic: it says that something happened, not that it is so now (FAULTS.md 1.4).
"""

from __future__ import annotations

import functools
import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from ._log_files import PATHS, Logs, limits_of
from ._log_lines import head, plain, server_of, shown, told
from ._log_scan import Line, Window
from ._prefilter import Prefilter
from ._signatures import SIGNATURES, Signature
from ._tree import Tree

# How far back is looked unless the operator says otherwise, in seconds (FAULTS.md 1.4).
WINDOW = 86400.0
# What is kept of each signature: the newest lines, and what they are about.
SAMPLES = 5
VALUES = 100
# Lines that `follow` gives at most.
LINES = 5000


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The signatures of known faults in the host's logs.

    options: log_window (seconds back from now), log_paths (further patterns of files), log_megabytes and log_seconds (when to
    stop). Returns {"matches": [...], "gaps": [{"reason"}], "read": {"files", "bytes"}}; a match is {"signature", "fault",
    "reference", "meaning", "certainty", "count", "first", "last", "values": [what the newest lines are about], "servers": [in
    whose context they were written], "lines": [the newest ones]}, and a line {"file", "service", "time", "level",
    "request_id", "global_request_id", "line"}. Times are RFC 3339 in UTC, or None where a line's cannot be told; what may be
    secret in a line is masked.
    """
    window = Window(time.time() - float(options.get("log_window") or WINDOW))
    logs = Logs(tree, _prefilter, window, limits_of(options))
    found: dict[str, _Matches] = {}
    matched: set[str] = set()
    for path, service, line in logs.lines((*PATHS, *(options.get("log_paths") or ()))):
        if not line.again:
            matched = set()
        text = plain(line.raw)
        for literal in line.literals:
            for signature in _by_literal()[literal]:
                if signature.id in matched or not _applies(signature, service):
                    continue
                value = signature.value(literal, text)
                if value is not None:
                    matched.add(signature.id)
                    found.setdefault(signature.id, _Matches(signature)).add(value, path, service, line, text)
    matches = [found[signature.id].told() for signature in SIGNATURES if signature.id in found]
    return {"matches": matches, "gaps": logs.gaps, "read": logs.read}


class _Newest:
    """Counts lines and keeps the newest of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0
        # (time, number, file, service, text); the number keeps lines of one moment in order
        self._heap: list[tuple[float, int, str, str, str]] = []

    def add(self, path: str, service: str, line: Line, text: str) -> None:
        self.count += 1
        entry = (line.when or 0.0, self.count, path, service, text)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def kept(self) -> list[tuple[str, str, Optional[float], str]]:
        """(file, service, time or None, text) of each, by time."""
        return [(path, service, when or None, text) for when, _number, path, service, text in sorted(self._heap)]


class _Matches:
    """The lines of one signature: all are counted, the newest are kept."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._first: Optional[float] = None
        self._last: Optional[float] = None
        self._values: dict[str, None] = {}
        self._servers: dict[str, None] = {}
        self._newest = _Newest(SAMPLES)

    def add(self, value: str, path: str, service: str, line: Line, text: str) -> None:
        if line.when is not None:
            self._first = line.when if self._first is None else min(self._first, line.when)
            self._last = line.when if self._last is None else max(self._last, line.when)
        _remember(self._values, value)
        _remember(self._servers, server_of(text))
        self._newest.add(path, service, line, text)

    def told(self) -> dict[str, Any]:
        return {
            "signature": self._signature.id,
            "fault": self._signature.fault,
            "reference": self._signature.reference,
            "meaning": self._signature.meaning,
            "certainty": self._signature.certainty,
            "count": self._newest.count,
            "first": told(self._first),
            "last": told(self._last),
            "values": [shown(value) for value in self._values],
            "servers": list(self._servers),
            "lines": [_told(*kept) for kept in self._newest.kept()],
        }


def _remember(known: dict[str, None], value: str) -> None:
    """Keep the newest."""
    if value:
        known.pop(value, None)
        known[value] = None
        if len(known) > VALUES:
            del known[next(iter(known))]


def follow(
    tree: Tree,
    ids: Iterable[str],
    since: float,
    until: Optional[float] = None,
    options: Optional[Mapping[str, Any]] = None,
    passed_over: Callable[[str], bool] = lambda _line: False,
) -> dict[str, Any]:
    """All that the host's logs say of some request ids, global request ids or server uuids.

    since, until: seconds since 1970. options: as for `read`, and log_lines, the most lines that are given.
    passed_over: says of a line that it is only counted.
    Returns {"lines": [{"ids", "file", "service", "time", "level", "logger", "request_id", "global_request_id", "line"}] in the
    order of their time, the newest ones where there are too many, "left_out": how many are not given, "passed_over": how many
    were only counted, "services": whose logs there are, "gaps", "read"}.
    """
    options = options or {}
    prefilter = Prefilter(identifier.encode() for identifier in ids if identifier)
    logs = Logs(tree, lambda _service: prefilter, Window(since, until), limits_of(options))
    newest = _Newest(int(options.get("log_lines") or LINES))
    counted = 0
    for path, service, line in logs.lines((*PATHS, *(options.get("log_paths") or ()))):
        if line.again:
            continue
        text = plain(line.raw)[: 16 << 10]
        if passed_over(text):
            counted += 1
            continue
        newest.add(path, service, line, text)
    wanted = sorted(literal.decode() for literal in prefilter.literals)
    lines = [
        {
            "ids": [identifier for identifier in wanted if identifier in text],
            "logger": head(text).logger,
            **_told(path, service, when, text),
        }
        for path, service, when, text in newest.kept()
    ]
    return {
        "lines": lines,
        "left_out": newest.count - len(lines),
        "passed_over": counted,
        "services": sorted(logs.services),
        "gaps": logs.gaps,
        "read": logs.read,
    }


def _told(path: str, service: str, when: Optional[float], text: str) -> dict[str, Any]:
    start = head(text)
    return {
        "file": path,
        "service": service,
        "time": told(when),
        "level": start.level,
        "request_id": start.request,
        "global_request_id": start.global_request,
        "line": shown(text),
    }


def _applies(signature: Signature, service: str) -> bool:
    return signature.where is None or bool(signature.where.search(service))


def _prefilter(service: str) -> Prefilter:
    """What is looked for in the logs of a service."""
    return _of_signatures(tuple(_applies(signature, service) for signature in SIGNATURES))


@functools.lru_cache(maxsize=8)
def _of_signatures(applies: tuple[bool, ...]) -> Prefilter:
    chosen = (signature for signature, does in zip(SIGNATURES, applies) if does)  # noqa: B905
    return Prefilter(literal for signature in chosen for literal in signature.literals)


@functools.lru_cache(maxsize=1)
def _by_literal() -> dict[bytes, list[Signature]]:
    found: dict[bytes, list[Signature]] = {}
    for signature in SIGNATURES:
        for literal in signature.literals:
            found.setdefault(literal, []).append(signature)
    return found
