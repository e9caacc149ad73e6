# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find which of many literals a block of bytes holds, in one pass whose cost does not grow with their number.

Figures and punctuation, two fifths of a log, are dropped first. What is left is taken as a row of aligned 8-byte words,
and the words are intersected with a set, which the interpreter does at hundreds of megabytes a second. A literal of which
15 bytes are left covers a whole aligned word wherever it stands; for each of the eight ways in which it can lie across
the words, the two rarest words of it (or the only one) are in the set. A literal of which they are found is then searched
for as itself. The few literals that are shorter are searched for one by one; those that are not ASCII or hold an escape
only in blocks that do.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

_WORD = 8
# Shorter literals may lie across two words without covering either.
_COVERING = 2 * _WORD - 1
_DROPPED = b'0123456789-:.,[]{}"/_\t'


class Prefilter:
    """Literals, as bytes; none may hold a newline or be empty."""

    def __init__(self, literals: Iterable[bytes]) -> None:
        self.literals = frozenset(literals)
        self.longest = max(map(len, self.literals), default=0)
        words: dict[int, list[tuple[int, bytes]]] = {}
        short = []
        for literal in sorted(self.literals):
            left = literal.translate(None, _DROPPED)
            if len(left) < _COVERING:
                short.append(literal)
                continue
            for start in range(_WORD):
                rarest, second = _most_telling(left, start)
                words.setdefault(rarest, []).append((second, literal))
        self._of_word = words
        self._words = frozenset(words).union(second for found in words.values() for second, _literal in found)
        self._escaped = [literal for literal in short if b"\\" in literal]
        self._foreign = [literal for literal in short if not literal.isascii()]
        plain = [literal for literal in short if literal.isascii() and b"\\" not in literal]
        # what is looked for in the block that lost its figures has lost them too, unless that leaves nothing telling
        self._plain = [
            (left if len(left := literal.translate(None, _DROPPED)) > 3 else b"", literal) for literal in plain
        ]

    def lines(self, block: bytes) -> dict[int, list[bytes]]:
        """{offset of a line's first byte: the literals found in it}, of a block that begins with a line."""
        found: dict[int, list[bytes]] = {}
        for literal in self._candidates(block):
            position = block.find(literal)
            while position >= 0:
                found.setdefault(block.rfind(b"\n", 0, position) + 1, []).append(literal)
                end = block.find(b"\n", position)
                position = block.find(literal, end) if end >= 0 else -1
        return found

    def positions(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """(offset, literal) of every place of every literal."""
        for literal in self._candidates(block):
            position = block.find(literal)
            while position >= 0:
                yield position, literal
                position = block.find(literal, position + len(literal))

    def _candidates(self, block: bytes) -> Iterator[bytes]:
        left = block.translate(None, _DROPPED)
        words = self._words.intersection(memoryview(left)[: len(left) & -_WORD].cast("Q"))
        yield from {literal for word in words for second, literal in self._of_word.get(word, ()) if second in words}
        yield from (literal for remains, literal in self._plain if remains in left)
        if self._foreign and not block.isascii():
            yield from self._foreign
        if self._escaped and b"\\" in block:
            yield from self._escaped


def _most_telling(left: bytes, start: int) -> tuple[int, int]:
    """The two rarest of the words that a literal covers when its first whole word begins at `start`."""
    pieces = [left[i : i + _WORD] for i in range(start, len(left) - _WORD + 1, _WORD)]
    rarest = sorted(pieces, key=_rarity, reverse=True)[:2]
    first, second = struct.unpack("=2Q", rarest[0] + rarest[-1])
    return first, second


def _rarity(piece: bytes) -> int:
    # Any log holds "instance"; where one word ends and another begins, and capitals, are what tells texts apart.
    return sum(2 if byte >= 128 or 65 <= byte <= 90 else 0 if 97 <= byte <= 122 else 1 for byte in piece)
