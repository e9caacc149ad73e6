# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts as hosts may hold them, for the property tests of the readers: any bytes, nearly right ones, and very long ones.

STACKMEND_EXAMPLES sets how many of each a property is tried with.
"""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("STACKMEND_EXAMPLES", "100"))
_CHECKS = [HealthCheck.too_slow]
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=_CHECKS)
# For what starts a program each time.
FEW = settings(max_examples=max(20, EXAMPLES // 10), deadline=None, suppress_health_check=_CHECKS)
# A reader that takes steps by the square of the length needs minutes for LONG characters; by the length, a fraction of a second.
LONG = 64 << 10
LONG_SETTINGS = settings(
    max_examples=max(10, EXAMPLES // 10), deadline=timedelta(seconds=60), suppress_health_check=_CHECKS
)

# As Tree.read_text gives them: no NUL, and a surrogate for each byte that is not UTF-8.
ANY = st.one_of(
    st.binary(max_size=120).map(lambda raw: raw.replace(b"\0", b" ").decode("utf-8", "surrogateescape")),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60),
)
ODD = st.sampled_from(
    ["", " ", "\t", "  ", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "\\", "\\\\", '"', "'", "#", ";", "=", ",", ":",
     "²", "٣", "-1", "0", "65536", "9" * 19, "9" * 5000, "ä", "\udcff", "-", "--", "!", "*", "[", "]", "{", "}", "(", ")"]
)  # fmt: skip
END = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r", "\\\n", "\n\n", "", " # x\n"])


def near(*tokens: str) -> st.SearchStrategy[str]:
    """Lines of these tokens in any order, cut off, repeated, oddly spaced and ended, among a few that are anything."""
    word = st.one_of(st.sampled_from(tokens), st.sampled_from(tokens), st.sampled_from(tokens), ODD, ANY)
    space = st.sampled_from([" ", " ", " ", "", "\t", "  "])
    line = st.lists(st.tuples(word, space), max_size=10).map(lambda pairs: "".join(a + b for a, b in pairs))
    whole = st.lists(st.tuples(line, END), max_size=10).map(lambda pairs: "".join(a + b for a, b in pairs))
    return st.one_of(ANY, whole, st.builds(lambda text, cut: text[: len(text) * cut // 10], whole, st.integers(0, 10)))


def long(*tokens: str) -> st.SearchStrategy[str]:
    """A few tokens repeated until they are LONG characters, with other ones before and behind."""
    some = st.lists(st.one_of(st.sampled_from(tokens), ODD.filter(lambda odd: len(odd) < 100)), max_size=4).map("".join)
    return st.builds(
        lambda before, again, after: before + again * (LONG // len(again)) + after, some, some.filter(bool), some
    )
