# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse oslo.config files as oslo.config does, and keep where each value stands.

The rules are those of oslo_config/iniparser.py and cfg.py (10.7; unchanged since 1.2 where they matter here), tested
against that library by tests/unit/test_oslo_config_properties.py. Python's configparser has other ones.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Optional


class ParseError(Exception):
    """A file that oslo.config refuses, so that the service does not start; says at which line and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Assignment(NamedTuple):
    """One `key = value` of a file; value as oslo.config keeps it, lines (from 1) as an editor counts them."""

    section: str
    key: str
    value: str
    line: int
    last_line: int


def split_lines(text: str) -> list[str]:
    """Lines without their ends, as reading a file in text mode finds them: only \\n, \\r\\n and \\r end one."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def parse(text: str) -> list[Assignment]:
    """Every assignment, in the file's order. Raises ParseError where oslo.config does."""
    found: list[Assignment] = []
    section: Optional[str] = None
    key = ""
    values: list[str] = []
    start = last = number = 0

    def flush() -> None:
        nonlocal key
        if key:
            if section is None:
                raise ParseError(start, "an assignment stands before any [section]")
            found.append(Assignment(section, key, "\n".join(values), start, last))
        key = ""

    for number, raw in enumerate(split_lines(text), 1):
        line = raw.rstrip()
        if not line:
            flush()
        elif line[0] in " \t":
            if not key:
                raise ParseError(number, "an indented line continues nothing")
            values.append(line.lstrip())
            last = number
        else:
            flush()
            if line[0] == "[":
                section = _section(line, number)
            elif line[0] not in "#;":
                key, value = _assignment(line, number)
                values, start, last = [value], number, number
    flush()
    return found


def _section(line: str, number: int) -> str:
    if not line.endswith("]"):
        raise ParseError(number, "a section header does not end with ]")
    if len(line) <= 2:
        raise ParseError(number, "a section has no name")
    return line[1:-1]


def _assignment(line: str, number: int) -> tuple[str, str]:
    ends = [position for position in (line.find(":"), line.find("=")) if position >= 0]
    if not ends:
        raise ParseError(number, "a line has neither '=' nor ':'")
    key = line[: min(ends)].strip()
    if not key:
        raise ParseError(number, "an assignment has no key")
    return key, unquote(line[min(ends) + 1 :].strip())


def unquote(value: str) -> str:
    """Without the matching quotes around it, as oslo.config reads the first line of a value."""
    if value and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def normal(section: str) -> str:
    """The name under which oslo.config looks a section up: any case, but DEFAULT only as such."""
    return section if section == "DEFAULT" else section.lower()


def environment_name(group: str, option: str) -> str:
    return f"OS_{group.upper()}__{option.upper()}"


def fingerprint(value: str, key: str) -> str:
    """What a change compares to know that a value is still the one that was judged; tells nothing about the value."""
    return hmac.new(
        key.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"), hashlib.sha256
    ).hexdigest()


Name = tuple[str, str]
Files = Iterable[tuple[str, Iterable[Mapping[str, Any]]]]


class Source(NamedTuple):
    """Where an effective value comes from: a file and line, or an environment variable (line 0)."""

    path: str
    line: int


class Effective:
    """What a process makes of its files and environment.

    files: (path, entries) in the process's order, an entry being a mapping with section, key, value and line.
    """

    def __init__(self, files: Files, environment: Mapping[str, str]) -> None:
        self.environment = environment
        # newest file first, as oslo.config searches
        self._newest: list[tuple[str, dict[Name, list[Mapping[str, Any]]]]] = []
        for path, entries in files:
            by_name: dict[Name, list[Mapping[str, Any]]] = {}
            for entry in entries:
                by_name.setdefault((normal(entry["section"]), entry["key"]), []).append(entry)
            self._newest.insert(0, (path, by_name))

    def raw(
        self, group: str, option: str, former: Iterable[Name] = (), multi: bool = False
    ) -> Optional[tuple[Any, Source]]:
        """The value, uninterpreted, and its source; a list for a multi-valued option; None when it is not set.

        former: deprecated (group, name) pairs that the option may also be set by.
        """
        variable = environment_name(group, option)
        if variable in self.environment:
            return self.environment[variable], Source(variable, 0)
        names = [(normal(group), option)] + [(normal(g), n) for g, n in former]
        values: list[str] = []
        source: Optional[Source] = None
        for path, by_name in self._newest:
            for name in names:
                entries = by_name.get(name)
                if not entries:
                    continue
                source = source or Source(path, entries[-1]["line"])
                if not multi:
                    return entries[-1]["value"], source
                values = [entry["value"] for entry in entries] + values
        return (values, source) if source else None

    def text(self, group: str, option: str, default: str = "") -> str:
        """The effective value of a single-valued option as text, references resolved where the files hold them."""
        found = self.raw(group, option)
        if found is None:
            return default

        def look_up(of_group: str, of_option: str) -> Optional[str]:
            inner = self.raw(of_group, of_option)
            return None if inner is None else str(inner[0])

        return interpolate(found[0], group, look_up)


class _Template(string.Template):
    idpattern = r"[_a-z][\._a-z0-9]*"


_REFERENCE = re.compile(r"(?<!\\)\$(?!\$)")


def interpolate(value: str, group: str, look_up: Callable[[str, str], Optional[str]], depth: int = 8) -> str:
    """Resolve $option, ${option}, $group.option and the escapes $$ and \\$.

    look_up(group, option) gives a raw value, None for one that is unknown: that reference stays as it is. A plain name
    is sought in `group` first, then in DEFAULT. Values that refer to each other are followed `depth` deep.
    """
    if "$" not in value:
        return value

    class Names(dict):  # type: ignore[type-arg]
        def __missing__(self, name: str) -> str:
            section, dot, option = name.partition(".")
            places = [(section, option)] if dot else [(group, name), ("DEFAULT", name)]
            for of_group, of_option in places:
                found = look_up(of_group, of_option)
                if found is not None:
                    return interpolate(found, of_group, look_up, depth - 1) if depth else found
            raise KeyError(name)

    return _Template(value.replace(r"\$", "$$")).safe_substitute(Names())


def refers(value: str) -> bool:
    """Whether a value refers to another option, so that it cannot be judged by its own text."""
    return bool(_REFERENCE.search(value))
