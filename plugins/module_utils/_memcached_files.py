# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in which memcached's limit of connections is set: Debian's memcached.conf and RHEL's /etc/sysconfig file.

Debian's is a list of arguments, one a line, of which `systemd-memcached-wrapper` makes the command. RHEL's is an
environment file of the unit, whose command is `memcached -p ${PORT} -u ${USER} -m ${CACHESIZE} -c ${MAXCONN} $OPTIONS`:
a -c in OPTIONS comes later, and wins. Whatever else a file says, where memcached listens above all, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from ._numbers import whole

# memcached's own (memcached.c, settings_init)
DEFAULT_LIMIT = 1024
STYLES = ("arguments", "environment")

# -c 1024, -c1024, --conn-limit=1024, --conn-limit 1024, after a blank, a quote or at the beginning of a line
_ARGUMENT = re.compile(r"(?:(?<=^)|(?<=[\s\"']))(-c\s*|--conn-limit[=\s]\s*)([0-9]{1,9})(?=[\s\"']|$)")
_OPTIONS = re.compile(r"^\s*(?:export\s+)?OPTIONS\s*=", re.MULTILINE)
_MAXCONN = re.compile(r"^(\s*(?:export\s+)?MAXCONN\s*=\s*[\"']?)([0-9]{1,9})(?![0-9])")


class _Place(NamedTuple):
    """Where the limit that counts stands: number of the line, the span of the digits in it, and the limit."""

    line: int
    start: int
    end: int
    limit: int


def limit_in(text: str, style: str) -> Optional[int]:
    """The limit of connections that a file sets; None where it leaves it to the default."""
    place = _find(text.splitlines(keepends=True), style)
    return place.limit if place else None


def with_limit(text: str, style: str, limit: int) -> str:
    """The text with another limit, in the place that counts, and nothing else changed."""
    lines = text.splitlines(keepends=True)
    place = _find(lines, style)
    if place:
        line = lines[place.line]
        lines[place.line] = f"{line[: place.start]}{limit}{line[place.end :]}"
        return "".join(lines)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join(lines) + (f"-c {limit}\n" if style == "arguments" else f'MAXCONN="{limit}"\n')


def _find(lines: Sequence[str], style: str) -> Optional[_Place]:
    found: Optional[_Place] = None
    options: Optional[_Place] = None
    for number, line in enumerate(lines):
        if style == "arguments":
            # The wrapper cuts a line at a # that no backslash precedes.
            cut = re.search(r"(?<!\\)#", line)
            found = _last(_ARGUMENT, 2, line[: cut.start()] if cut else line, number) or found
        elif not line.lstrip().startswith(("#", ";")):
            found = _last(_MAXCONN, 2, line, number) or found
            if _OPTIONS.match(line):
                options = _last(_ARGUMENT, 2, line, number)
    return options or found


def _last(pattern: re.Pattern[str], group: int, line: str, number: int) -> Optional[_Place]:
    found = None
    for match in pattern.finditer(line):
        found = _Place(number, match.start(group), match.end(group), int(match.group(group)))
    return found


def limit_of(arguments: Sequence[str]) -> int:
    """The limit of connections that memcached takes from its command line."""
    limit = DEFAULT_LIMIT
    for number, word in enumerate(arguments):
        value = ""
        if word in ("-c", "--conn-limit") and number + 1 < len(arguments):
            value = arguments[number + 1]
        elif word.startswith("--conn-limit="):
            value = word[13:]
        elif re.fullmatch(r"-c[0-9]+", word):
            value = word[2:]
        limit = whole(value) or limit
    return limit
