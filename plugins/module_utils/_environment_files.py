# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set or remove a variable in a file of assignments: /etc/default/locale, /etc/environment, profile.d, an openrc."""

from __future__ import annotations

import io
import re
import shlex
from typing import Optional

from ._evidence.locale_settings import TOKEN, assignments


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
    lines = list(io.StringIO(text, newline="\n"))
    places = [(number, given) for number, variable, given in assignments(text) if variable == name]
    for number, given in places:
        keep = value is not None and given is not None and number == places[-1][0]
        lines[number - 1] = _edited(lines[number - 1], name, value if keep else None)
    if value is not None and value_in("".join(lines), name) != value:
        # Nowhere yet, or in a line that sets it more than once: what stands last counts.
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{name}={shlex.quote(value)}\n")
    return "".join(lines)


def _edited(line: str, name: str, value: Optional[str]) -> str:
    position = 0
    while position < len(line):
        token = TOKEN.match(line, position)
        if token is None:
            return line
        position = token.end()
        if (token["word"] or "").partition("=")[0] == name:
            break
    else:
        return line
    if value is not None:
        return f"{line[: token.start()]}{name}={shlex.quote(value)}{line[position:]}"
    before = line[: token.start()]
    alone = not before.strip() or before.rstrip().endswith(";")
    rest = before + re.sub(r"^[ \t]*(;[ \t]*)?" if alone else r"^[ \t]*", "", line[position:])
    # Without a name, export would print every variable.
    rest = re.sub(r"(^|;)[ \t]*(?:export|unset)[ \t]*(?:;[ \t]*|(?=#)|$)", r"\1", rest)
    return "" if re.fullmatch(r"[\s;]*(#.*)?", rest.strip()) else rest
