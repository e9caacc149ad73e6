# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set or remove a variable in a file of assignments: /etc/default/locale, /etc/environment, profile.d, an openrc."""

from __future__ import annotations

import re
import shlex
from typing import Optional

from ._evidence.locale_settings import assignments


def value_in(text: str, name: str) -> Optional[str]:
    """The value that the file gives to a variable; None where it gives none."""
    found = None
    for _number, variable, value in assignments(text):
        if variable == name:
            found = value
    return found


def with_value(text: str, name: str, value: Optional[str]) -> str:
    """The text with the variable set to the value, in the place where it is set last, or without it if that is None.

    Other words of an `export` line stay; a line that holds nothing else goes. Of a variable that is set more than once
    only one line is left.
    """
    lines = text.splitlines(keepends=True)
    numbers = [number for number, variable, _value in assignments(text) if variable == name]
    for number in numbers:
        keep = value is not None and number == numbers[-1]
        lines[number - 1] = _edited(lines[number - 1], name, value if keep else None)
    if value is not None and not numbers:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{name}={shlex.quote(value)}\n")
    return "".join(lines)


def _edited(line: str, name: str, value: Optional[str]) -> str:
    assignment = rf"(?<![\w]){name}(?:=(?:\"[^\"]*\"|'[^']*'|[^\s;#]*))?(?=[\s;]|$)"
    if value is not None:
        return re.sub(assignment, lambda _match: f"{name}={shlex.quote(value)}", line, count=1)
    rest = re.sub(assignment + r"[ \t]*(;[ \t]*)?", "", line, count=1)
    return "" if re.fullmatch(r"(export|unset)?[\s;]*(#.*)?", rest.strip()) else rest
