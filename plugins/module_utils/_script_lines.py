# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change single lines of an operator's scripts, each only if it still is the one that was judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ._evidence._tree import Tree
from ._evidence.scripts import line_digest
from ._journal import Journal

_SECRET = re.compile(r"((?:pass(?:word)?|token|secret)[\w-]*[=\s]+)\S+", re.IGNORECASE)


class LineError(Exception):
    """A line that cannot be changed; the sentence says where and why."""


def rewrite(
    tree: Tree,
    journal: Journal,
    calls: list[dict[str, Any]],
    change: Callable[[str, Mapping[str, Any]], Optional[str]],
    by_hand: Callable[[Mapping[str, Any]], str],
    check_mode: bool,
) -> dict[str, Any]:
    """Change the lines, file by file; {"changed", "diff", "gone"}.

    calls: {"path", "line" (1-based), "digest", "subject", ...}. change: gives the new line, None where it cannot be made;
    by_hand then says what to do instead. Raises LineError.
    """
    diff = []
    gone: list[str] = []
    for path in dict.fromkeys(call["path"] for call in calls):
        try:
            lines = tree.read_text(path).split("\n")
        except FileNotFoundError:
            lines = []
        before, after = [], []
        for call in (call for call in calls if call["path"] == path):
            index = call["line"] - 1
            old = lines[index] if 0 <= index < len(lines) else None
            if old is None or line_digest(old) != call["digest"]:
                gone.append(call["subject"] or f"{path}:{call['line']}")
                continue
            new = change(old, call)
            if new is None:
                raise LineError(f"{path}:{call['line']} is no plain command line and was not changed: {by_hand(call)}")
            lines[index] = new
            before.append(old)
            after.append(new)
        if after:
            diff.append(
                {"before_header": path, "after_header": path, "before": _masked(before), "after": _masked(after)}
            )
            if not check_mode:
                journal.write_file(path, "\n".join(lines).encode("utf-8", "surrogateescape"))
    return {"changed": bool(diff), "diff": diff, "gone": gone}


def _masked(lines: list[str]) -> str:
    return "".join(_SECRET.sub(r"\1********", line) + "\n" for line in lines)
