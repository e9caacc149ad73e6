# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go through a log once, in blocks, and give the lines that hold one of many literals; memory is bounded at any line length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, Optional

from ._log_lines import Clock, moment
from ._prefilter import Prefilter

# Blocks that stay in the processor's cache are gone through fastest.
BLOCK = 64 << 10
# A line longer than this is gone through in pieces, and what is seen of it is its beginning and what is around a literal.
LONG = 256 << 10
AROUND = 4 << 10
_BEGINNING = 1 << 10
_PLACES = 32
# Lines are not quite in order: several processes write one file, clocks are set, and summer time ends.
DISORDER = 3700.0
_NEVER_FIRST = frozenset(bytes([letter]) for letter in b" \t\r\n'()*+,-./:;=>?@\\]^_`{|}~#$%&!")
_SEEK = 1 << 20

Read = Callable[[int], bytes]


class Window(NamedTuple):
    """Seconds since 1970; until is None for no end."""

    since: float
    until: Optional[float] = None

    def holds(self, when: Optional[float]) -> bool:
        # a line without any time is taken: its file was written to within the window
        return when is None or (self.since <= when and (self.until is None or when <= self.until))


class Line(NamedTuple):
    """A line, or of a long one the beginning and what is around a literal.

    when: seconds since 1970, if it can be told. again: whether it is of the same line as the one given before.
    """

    raw: bytes
    literals: list[bytes]
    when: Optional[float]
    again: bool = False


class _Block(NamedTuple):
    content: bytes
    begins: bool  # whether it begins with a line; otherwise it is a piece of a long one
    ends: bool  # whether it ends with one


def _blocks(read: Read) -> Iterator[_Block]:
    """Whole lines, or pieces of a long line that overlap by twice `AROUND`."""
    carry, begins = b"", True
    while True:
        fresh = read(BLOCK)
        block = carry + fresh
        if not fresh:
            if block:
                yield _Block(block, begins, True)
            return
        end = block.rfind(b"\n") + 1 if begins else block.find(b"\n") + 1
        if end:
            yield _Block(block[:end], begins, True)
            carry, begins = block[end:], True
        elif len(block) < LONG:
            carry = block
        else:
            yield _Block(block, begins, False)
            carry, begins = block[-2 * AROUND :], False


def scan(
    read: Read, prefilter: Prefilter, clock: Clock, window: Window, before: Optional[float] = None
) -> Iterator[Line]:
    """The lines within the window that hold a literal, in the order of the file.

    before: the time of what stands before the place where reading begins. A line without a time of its own (the rest of
    a message, a traceback of another program) has that of the nearest one before it.
    """
    last = before
    start = b""  # of the long line whose pieces are being read
    places: dict[bytes, int] = {}  # how often each literal was seen in it
    for block in _blocks(read):
        content = block.content
        if block.begins and block.ends:
            newest = _time_of(content, content.rfind(b"\n", 0, len(content) - 1) + 1, clock, 0)
            when, stop = last, 0
            early = newest is not None and newest < window.since - DISORDER
            for offset, literals in () if early else sorted(prefilter.lines(content).items()):
                end = content.find(b"\n", offset) + 1 or len(content)
                own = _time_of(content, offset, clock, stop)
                when, stop = (when if own is None else own), offset
                if window.holds(when):
                    if end - offset > LONG:
                        line = content[offset:end]
                        yield from _pieces(line, line[:_BEGINNING], prefilter, when, {}, 0, len(line))
                    else:
                        yield Line(content[offset:end], literals, when)
            last = last if newest is None else newest
        else:
            if block.begins:
                start, places = content[:_BEGINNING], {}
                own = moment(start, clock)
                last = last if own is None else own
            if window.holds(last):
                low = 0 if block.begins else AROUND
                high = len(content) if block.ends else len(content) - AROUND
                yield from _pieces(content, start, prefilter, last, places, low, high)
        if last is not None and window.until is not None and last > window.until + DISORDER:
            return


def _pieces(
    content: bytes,
    start: bytes,
    prefilter: Prefilter,
    when: Optional[float],
    places: dict[bytes, int],
    low: int,
    high: int,
) -> Iterator[Line]:
    """What is around the first places of each literal in (a piece of) a long line that begins with `start`."""
    for position, literal in prefilter.positions(content):
        if low <= position < high and places.get(literal, 0) < _PLACES:
            again = bool(places)
            places[literal] = places.get(literal, 0) + 1
            yield Line(_around(start, content, position), [literal], when, again)


def _around(start: bytes, content: bytes, position: int) -> bytes:
    """The beginning of a long line and what is around a place in it, without the halves of words at the edges."""
    if position < AROUND and content.startswith(start):
        return content[: position + AROUND]
    piece = content[max(0, position - AROUND) : position + AROUND]
    edge = piece.find(b" ", 0, AROUND)
    return start.rstrip(b"\r\n") + b" ... " + piece[max(edge, 0) :]


def _time_of(block: bytes, offset: int, clock: Clock, stop: int) -> Optional[float]:
    """The time of the line at an offset, or of the nearest line before it that has one, looked for back to `stop`."""
    while offset >= stop:
        # most lines that have no time are told by their first letter
        if block[offset : offset + 1] not in _NEVER_FIRST:
            when = moment(block[offset : offset + 64], clock)
            if when is not None:
                return when
        if offset == 0:
            break
        offset = block.rfind(b"\n", 0, offset - 1) + 1
    return None


def start_of(file: BinaryIO, size: int, clock: Clock, since: float) -> tuple[int, Optional[float]]:
    """(where in a plain file to begin, the time of the line there if it is before the window), by bisection.

    What stands before that place is older than `since` by more than the disorder that logs have.
    """
    low, high, known = 0, size, None
    while high - low > 4 * BLOCK:
        middle = (low + high) // 2
        when, place = _first_time(file, middle, clock)
        if when is None:
            break  # a megabyte without a time: a long line, or no log that has times
        if when < since - DISORDER:
            low, known = place, when
        else:
            high = middle
    return low, known


def _first_time(file: BinaryIO, offset: int, clock: Clock) -> tuple[Optional[float], int]:
    """(the time of the first line after the offset that has one, where that line begins)."""
    file.seek(offset)
    seen = 0
    rest = b""
    first = True
    while seen < _SEEK:
        fresh = file.read(BLOCK)
        if not fresh:
            break
        seen += len(fresh)
        block = rest + fresh
        base = offset + seen - len(block)
        start = block.find(b"\n") + 1 if first else 0
        if first and not start:
            rest = b""
            continue
        first = False
        while True:
            end = block.find(b"\n", start)
            if end < 0:
                break
            when = moment(block[start : start + 64], clock)
            if when is not None:
                return when, base + start
            start = end + 1
        rest = block[start:] if len(block) - start < LONG else b""
        first = not rest and start < len(block)
    return None, offset
