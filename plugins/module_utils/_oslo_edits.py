# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change single lines of an oslo.config file: the ones that count, with everything around them as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from ._evidence._oslo_files import Assignment, fingerprint, normal, parse, unquote
from ._evidence.oslo_config import is_secret
from ._model import ChangeFailed

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_BEFORE_VALUE = re.compile(r"[^:=]*[:=]\s*")


class Change(NamedTuple):
    """What one wish did: lines as the file has them before and after, with their section's header."""

    before: list[str]
    after: list[str]


class Outcome(NamedTuple):
    """The text with all wishes, one Change for each wish that changed something, and the subjects that were gone."""

    text: str
    changes: list[Change]
    gone: list[str]


def apply(text: str, edits: Iterable[Mapping[str, Any]], key: str = "") -> Outcome:
    """Carry out wishes about one file, one after the other; ParseError when oslo.config could not read the file.

    A wish has section, option, state (present, absent, renamed), value, new_section, new_option, and optionally expect
    (the fingerprint, under `key`, of the value that was judged), multi, secret and subject.
    """
    changes: list[Change] = []
    gone: list[str] = []
    for wish in edits:
        file = _File(text)
        if wish["state"] == "present":
            change = _present(file, wish, key)
        elif wish["state"] == "absent":
            change = _absent(file, wish, key)
        else:
            change = _renamed(file, wish, key)
        if change is None:
            gone.append(wish.get("subject") or f"[{wish['section']}] {wish['option']}")
        elif "".join(file.lines) != text:  # not the shown lines: a changed secret looks the same
            text = "".join(file.lines)
            changes.append(change)
    return Outcome(text, changes, gone)


class _File:
    """The lines of a file, and what oslo.config reads in them."""

    def __init__(self, text: str) -> None:
        self.lines = _LINE.findall(text)
        self.assignments = parse(text)
        end = re.search(r"\r\n|\n|\r", text)
        self.end = end.group() if end else "\n"

    def of(self, section: str, option: str) -> list[Assignment]:
        return [a for a in self.assignments if normal(a.section) == normal(section) and a.key == option]

    def raw(self, assignment: Assignment) -> list[str]:
        return self.lines[assignment.line - 1 : assignment.last_line]

    def replace(self, assignment: Assignment, lines: list[str]) -> None:
        # the number of lines stays, so that other assignments stay where they were parsed
        span = assignment.last_line - assignment.line + 1
        merged = ["".join(lines)] + [""] * (span - 1)
        self.lines[assignment.line - 1 : assignment.last_line] = merged

    def add(self, section: str, line: str) -> list[str]:
        """Put a line behind what its section says last; returns the header where the section is new."""
        place = None
        current = False
        for number, raw in enumerate(self.lines):
            text = raw.rstrip()
            if text.startswith("["):
                current = normal(text[1:-1]) == normal(section)
                place = number if current else place
            elif current and text and not text.startswith(("#", ";")):
                place = number
        if place is not None:
            if not self.lines[place].endswith(("\n", "\r")):
                self.lines[place] += self.end
            self.lines.insert(place + 1, line + self.end)
            return []
        if self.lines and not self.lines[-1].endswith(("\n", "\r")):
            self.lines[-1] += self.end
        blank = [self.end] if any(self.lines) else []
        self.lines += [*blank, f"[{section}]{self.end}", line + self.end]
        return [f"[{section}]"]


def _judged(found: list[Assignment], wish: Mapping[str, Any], key: str) -> Optional[Assignment]:
    """The assignment that was judged: the last, which counts, or of a multi-valued option the one with that value."""
    if not wish.get("expect"):
        return found[-1] if found else None
    candidates = found if wish.get("multi") else found[-1:]
    same = [a for a in candidates if fingerprint(a.value, key) == wish["expect"]]
    return same[-1] if same else None


def _present(file: _File, wish: Mapping[str, Any], key: str) -> Optional[Change]:
    value = wish["value"]
    if value is None:
        raise ChangeFailed(f"[{wish['section']}] {wish['option']} is to be present but has no value")
    if "\n" in value or "\r" in value:
        raise ChangeFailed(f"the value for [{wish['section']}] {wish['option']} has more than one line; give it as one")
    found = file.of(wish["section"], wish["option"])
    if found and found[-1].value == value:
        return Change([], [])
    judged = _judged(found, wish, key)
    if judged is None:
        if wish.get("expect"):
            return None
        line = f"{wish['option']} = {_written(value)}"
        return Change([], file.add(wish["section"], line) + _shown(wish, wish["section"], [line]))
    old = file.raw(judged)
    before_value = _BEFORE_VALUE.match(old[0].rstrip("\r\n"))
    prefix = before_value.group() if before_value else f"{wish['option']} = "
    new = [prefix + _written(value) + _line_end(old[-1])]
    file.replace(judged, new)
    return Change(_shown(wish, judged.section, old), _shown(wish, judged.section, new))


def _absent(file: _File, wish: Mapping[str, Any], key: str) -> Optional[Change]:
    found = file.of(wish["section"], wish["option"])
    if not found:
        return Change([], [])
    if _judged(found, wish, key) is None:
        return None
    before = []
    for assignment in found:
        before += file.raw(assignment)
        file.replace(assignment, [])
    return Change(_shown(wish, found[-1].section, before), _shown(wish, found[-1].section, []))


def _renamed(file: _File, wish: Mapping[str, Any], key: str) -> Optional[Change]:
    section = wish.get("new_section") or wish["section"]
    option = wish.get("new_option") or wish["option"]
    found = file.of(wish["section"], wish["option"])
    there = file.of(section, option)
    if not found:
        return Change([], []) if there or not wish.get("expect") else None
    judged = _judged(found, wish, key)
    if judged is None or (there and not wish.get("multi")):
        return None  # somebody has set the right one meanwhile: which of the two counts is theirs to say
    before: list[str] = []
    after: list[str] = []
    for assignment in found:
        old = file.raw(assignment)
        new = [_with_key(old[0], wish["option"], option), *old[1:]]
        before += old
        after += new
        file.replace(assignment, new if normal(section) == normal(assignment.section) else [])
    if normal(section) == normal(judged.section):
        return Change(_shown(wish, judged.section, before), _shown(wish, judged.section, after))
    moved = [line.rstrip("\r\n") for line in after]
    header = file.add(section, file.end.join(moved))
    return Change(_shown(wish, judged.section, before), [*header, *_shown(wish, section, moved, header=not header)])


def _with_key(line: str, old: str, new: str) -> str:
    return re.sub(rf"^{re.escape(old)}(?=\s*[:=])", lambda _match: new, line, count=1)


def _written(value: str) -> str:
    """A value such that oslo.config reads exactly it."""
    return f'"{value}"' if value != value.strip() or unquote(value) != value else value


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _shown(wish: Mapping[str, Any], section: str, lines: list[str], header: bool = True) -> list[str]:
    """Lines for a diff: the section's header first, secrets masked, a masked value's further lines left out."""
    shown = [f"[{section}]"] if header else []
    hidden = False
    for line in lines:
        text = line.rstrip("\r\n")
        if text.startswith((" ", "\t")):
            if not hidden:
                shown.append(text)
            continue
        before_value = _BEFORE_VALUE.match(text)
        prefix = before_value.group() if before_value else text
        option = re.split("[:=]", prefix, maxsplit=1)[0].strip()
        # a secret under a misspelt name is one too
        names = (option, wish.get("new_option") or option)
        hidden = bool(wish.get("secret")) or any(is_secret(name, None, text[len(prefix) :]) for name in names)
        shown.append(prefix + "********" if hidden else text)
    return shown
