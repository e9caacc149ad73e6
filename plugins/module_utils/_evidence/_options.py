# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which options a service registers: asked from its own interpreter, or from the bundled tables by release.

Both give {group: {option: description}}. A description has "type" (string, bool, int, float, port, list, dict or
other) and, where they are set, "choices", "min", "max", "item" (a description, of a list's items), "ignore_case",
"bounds" ([...] around a list), "multi", "secret", "removing" (deprecated for removal) and "deprecated" ([group, name]
pairs that also set it).

Bundled notation, a line an option: `name type span [c=choices] [r=min..max] [d=group/name,...] [f=flags]`. type: m for
multi-valued, then s b i f p l d o by the first letter of the type (p port, o other), then the letter of a list's items.
span: the major releases that register it so. flags: s secret, r removing, i ignore_case, b bounds. A field may come
more than once, and a line that begins with a blank continues the one before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional
from urllib.parse import unquote

from . import _interpreter
from ._options_namespaces import LIBRARIES, OWN, REQUIRED
from ._options_probe import PROGRAM

Options = dict[str, dict[str, dict[str, Any]]]

# Importing nova takes about 3 s; a minute is a machine in trouble.
PROBE_SECONDS = 60
_TYPES = {
    "s": "string",
    "b": "bool",
    "i": "int",
    "f": "float",
    "p": "port",
    "l": "list",
    "d": "dict",
    "o": "other",
}
_FLAGS = {"s": "secret", "r": "removing", "i": "ignore_case", "b": "bounds"}


def _description(fields: list[str]) -> dict[str, Any]:
    kind = fields[1]
    found: dict[str, Any] = {}
    if kind[0] == "m":
        found["multi"] = True
        kind = kind[1:]
    found["type"] = _TYPES[kind[0]]
    limits = found
    if kind[1:]:
        limits = found["item"] = {"type": _TYPES[kind[1]]}
    for field in fields[3:]:
        label, value = field[0], field[2:]
        if label == "c":
            choices: list[Any] = [unquote(choice) for choice in value.split(",")]
            if limits["type"] in ("int", "port"):
                choices = [int(choice) for choice in choices]
            limits.setdefault("choices", []).extend(choices)
        elif label == "r":
            low, _dots, high = value.partition("..")
            for name, bound in (("min", low), ("max", high)):
                if bound:
                    limits[name] = float(bound) if "." in bound or "e" in bound else int(bound)
        elif label == "d":
            found.setdefault("deprecated", []).extend(pair.split("/", 1) for pair in value.split(","))
        else:
            for flag in value:
                (limits if flag == "i" else found)[_FLAGS[flag]] = True
    return found


def _lines(table: str) -> Iterable[tuple[str, list[str]]]:
    group = ""
    for line in table.replace("\n ", " ").split("\n"):
        if line.startswith("["):
            group = line[1:-1]
        elif line:
            yield group, line.split(" ")


def _bundled(project: str) -> tuple[tuple[int, ...], str]:
    # Imported where they are needed: compiling all the tables takes longer than judging one file.
    if project == "nova":
        from . import _options_nova

        return _options_nova.RELEASES, _options_nova.OPTIONS
    if project == "keystone":
        from . import _options_keystone

        return _options_keystone.RELEASES, _options_keystone.OPTIONS
    if project == "glance":
        from . import _options_glance

        return _options_glance.RELEASES, _options_glance.OPTIONS
    if project == "placement":
        from . import _options_placement

        return _options_placement.RELEASES, _options_placement.OPTIONS
    from . import _options_neutron

    return _options_neutron.RELEASES, _options_neutron.OPTIONS


class Bundled(NamedTuple):
    """What the tables know of one project at one release.

    options: those that this release registers. others: {group: {option: (first, last) release}} of those that only
    other releases do, (0, 0) for those of libraries that the project does not use.
    auth_plugins: what keystoneauth's plugins add to a section that loads one.
    """

    release: int
    options: Options
    others: dict[str, dict[str, tuple[int, int]]]
    auth_plugins: dict[str, dict[str, Any]]


def releases(project: str) -> tuple[int, ...]:
    """The major releases that the tables cover."""
    return _bundled(project)[0]


def bundled(project: str, release: int) -> Bundled:
    """What `release` of a project registers, with the libraries' options of every release.

    A release between those listed counts as the next older one; raises LookupError outside the table's range.
    """
    known, table = _bundled(project)
    if not known or not known[0] <= release <= known[-1]:
        raise LookupError(f"there is no option data of {project} {release}, only of {known[0]} to {known[-1]}")
    at = max(r for r in known if r <= release)
    options: Options = {}
    others: dict[str, dict[str, tuple[int, int]]] = {}
    for group, fields in _lines(table):
        first, _dash, last = fields[2].partition("-")
        span = int(first), int(last or first)
        if span[0] <= at <= span[1]:
            options.setdefault(group, {})[fields[0]] = _description(fields)
        else:
            seen = others.setdefault(group, {})
            old = seen.get(fields[0], span)
            seen[fields[0]] = min(old[0], span[0]), max(old[1], span[1])
            for pair in (p for f in fields[3:] if f.startswith("d=") for p in f[2:].split(",")):
                of_group, name = pair.split("/", 1)
                others.setdefault(of_group, {}).setdefault(name, span)
    from ._options_library import OPTIONS as library

    for namespace, text in library.items():
        mine = _matches(namespace, LIBRARIES[project])
        for group, fields in _lines(text):
            if mine:
                options.setdefault(group, {}).setdefault(fields[0], _description(fields))
            elif namespace != "keystoneauth1":
                others.setdefault(group, {}).setdefault(fields[0], (0, 0))
    plugins = {fields[0]: _description(fields) for _group, fields in _lines(library["keystoneauth1"])}
    return Bundled(at, options, others, plugins)


def _matches(namespace: str, wishes: Iterable[str]) -> bool:
    return any(namespace == w or (w.endswith("*") and namespace.startswith(w[:-1])) for w in wishes)


class Question(NamedTuple):
    """What to ask an interpreter: a project's options, and what oslo.config makes of its views."""

    project: str
    distribution: str
    python: str
    user: Optional[str]
    views: list[dict[str, Any]]


def ask(questions: Iterable[Question], seconds: float = PROBE_SECONDS) -> dict[str, dict[str, Any]]:
    """Ask several interpreters at the same time; {project: answer}.

    An answer has "options", "plugins" ({section, or * for any: {option: description}}), "version" and "views" (one per
    view asked, {"errors": [{"group", "name", "message"}], "failure": text or None}); or only "failure", a clause that
    says why there is none.
    """
    running = []
    answers: dict[str, dict[str, Any]] = {}
    for question in questions:
        try:
            running.append(
                (question, _interpreter.start(_interpreter.isolated([question.python], PROGRAM), question.user))
            )
        except _interpreter.NOT_STARTED as error:
            answers[question.project] = {"failure": f"{question.python} cannot be run: {error}"}
    deadline = time.monotonic() + seconds
    for question, process in running:
        request = {
            "namespaces": OWN[question.project] + LIBRARIES[question.project],
            "distribution": question.distribution,
            "views": question.views,
            "all_plugins": True,
        }
        try:
            output, errors = _interpreter.finish(process, json.dumps(request).encode(), deadline - time.monotonic())
        except _interpreter.ProgramFailed as failure:
            answers[question.project] = {"failure": f"{question.python} {failure}"}
            continue
        answers[question.project] = _answer(question, process.returncode, output, errors)
    return answers


def _answer(question: Question, status: int, output: bytes, errors: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(_interpreter.last_line(output)) if status == 0 else None
    except ValueError:
        answer = None
    if answer is None:
        why = _interpreter.exception_name(errors) or status
        return {"failure": f"{question.python} could not list the options of {question.project} ({why})"}
    missing = sorted(REQUIRED[question.project] - set(answer["namespaces"]))
    if missing:
        return {"failure": f"{question.python} does not have the options of {', '.join(missing)}"}
    options: Options = {}
    for groups in answer["namespaces"].values():
        for group, members in groups.items():
            options.setdefault(group if group == "DEFAULT" else group.lower(), {}).update(members)
    return {
        "options": options,
        "plugins": answer["plugins"],
        "version": answer["version"],
        "views": answer["views"],
    }
