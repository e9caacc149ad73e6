# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change single lines of an operator's scripts, each only if it still is the one that was judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ._change import difference, lines
from ._evidence.scripts import line_digest
from ._journal import Journal
from ._model import ChangeFailed

_SECRET = re.compile(r"((?:pass(?:word)?|token|secret)[\w-]*[=\s]+)\S+", re.IGNORECASE)


def rewrite(
    journal: Journal,
    calls: list[dict[str, Any]],
    change: Callable[[str, Mapping[str, Any]], Optional[str]],
    by_hand: Callable[[Mapping[str, Any]], str],
    check_mode: bool,
) -> dict[str, Any]:
    """Change the lines, file by file; {"changed", "diff", "gone"}.

    calls: {"path", "line" (1-based), "digest", "subject", ...}. change: gives the new line, None where it cannot be made;
    by_hand then says what to do instead. Raises ChangeFailed.
    """
    diff = []
    gone: list[str] = []
    for path in dict.fromkeys(call["path"] for call in calls):
        try:
            text = journal.tree.read_text(path).split("\n")
        except FileNotFoundError:
            text = []
        before, after = [], []
        for call in (call for call in calls if call["path"] == path):
            index = call["line"] - 1
            old = text[index] if 0 <= index < len(text) else None
            if old is None or line_digest(old) != call["digest"]:
                gone.append(call["subject"] or f"{path}:{call['line']}")
                continue
            new = change(old, call)
            if new is None:
                raise ChangeFailed(
                    f"{path}:{call['line']} is no plain command line and was not changed: {by_hand(call)}"
                )
            text[index] = new
            before.append(old)
            after.append(new)
        if after:
            diff.append(difference(path, _masked(before), _masked(after)))
            if not check_mode:
                journal.write_file(path, "\n".join(text).encode("utf-8", "surrogateescape"))
    return {"changed": bool(diff), "diff": diff, "gone": gone}


def _masked(calls: list[str]) -> str:
    return lines(_SECRET.sub(r"\1********", line) for line in calls)
