# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge oslo.config files against what a service registers: which values it refuses, which keys nobody reads.

One judge for both sources of options; `_evidence/oslo_config.py` says what a service's evidence holds.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._evidence._oslo_files import normal
from .._evidence.oslo_config import describe, is_secret
from .._model import Evidence, Remedy, Risk, Target

TRUE, FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no")
INLINE_COMMENT = re.compile(r"^(.*?)\s+[#;].*$", re.DOTALL)
Service = Mapping[str, Any]
Entry = Mapping[str, Any]


class Wrong(NamedTuple):
    """Why a value is refused, what would be accepted, and the one value that was surely meant."""

    reason: str
    accepted: str
    meant: Optional[str] = None


def here(evidence: Evidence) -> Target:
    return Target("host", evidence["host"]["name"])


def services(evidence: Evidence) -> Mapping[str, Service]:
    found: Mapping[str, Service] = evidence["oslo_config" if "oslo_config" in evidence else "config_files"]["services"]
    return found


def entries(service: Service) -> Iterator[tuple[str, Entry]]:
    """(path, entry) of every file that some program reads."""
    for path, found in service["files"].items():
        for entry in found:
            yield path, entry


# -- what was read, and what is to be done about it --------------------------------------------------------------------


def subject(path: str, section: str, key: str = "") -> str:
    return f"{path} [{section}] {key}".rstrip()


def shown(entry: Entry, description: Optional[Mapping[str, Any]] = None) -> str:
    """A value as a report may tell it."""
    return "(secret)" if is_secret(entry["key"], description, entry["value"]) else entry["value"]


def proof(name: str, service: Service, path: str, entry: Entry, reading: str, value: str) -> dict[str, Any]:
    """What a finding says of what was read: file, line, what oslo.config makes of it, and who says so."""
    return {
        "path": path,
        "line": entry["line"],
        "value": value,
        "oslo_config": reading,
        "release": f"{name} {service['version']}" if service["version"] else name,
        "judged_by": service["source"] or "release number",
    }


def readers(service: Service, path: str) -> list[str]:
    """The programs that read a file."""
    return sorted({program for view in service["views"] if path in view["files"] for program in view["programs"]})


def edit(
    path: str, entry: Entry, state: str, description: Optional[Mapping[str, Any]] = None, **wish: Any
) -> dict[str, Any]:
    """A wish of the role oslo_config about the line that was judged; description: of the option that was meant."""
    return {
        "path": path,
        "section": entry["section"],
        "option": entry["key"],
        "state": state,
        "line": entry["line"],
        "expect": entry["expect"],
        "secret": is_secret(entry["key"], description, entry["value"]),
        "subject": subject(path, entry["section"], entry["key"]),
        **wish,
    }


def without_restart(edits: list[dict[str, Any]]) -> Remedy:
    return Remedy("oslo_config", Risk.SAFE, {"oslo_config_edits": edits, "oslo_config_restarts": []})


def with_restart(service: Service, edits: list[dict[str, Any]], only: str = "") -> tuple[Remedy, str]:
    """A remedy that takes effect when the file's readers are restarted, and what to say where they cannot be.

    only: a pattern of the programs that read the option, where not all of the file's readers do.
    """
    path = edits[0]["path"]
    found = [wish for wish in service["restarts"].get(path, ()) if re.search(only, wish["service"])]
    programs = [program for program in readers(service, path) if re.search(only, program)]
    if only and not programs:
        return without_restart(edits), "no program that reads the option runs on this host"
    remedy = Remedy(
        "oslo_config", Risk.RESTART, {"oslo_config_edits": edits, "oslo_config_restarts": list(found)}, rolled=True
    )
    if found:
        return remedy, ""
    return remedy, f"how {', '.join(programs)} is restarted could not be told; restart it yourself after the change"


# -- values ------------------------------------------------------------------------------------------------------------


def check(description: Mapping[str, Any], value: str) -> Optional[Wrong]:
    """What oslo.config (types.py) refuses about one resolved value; None when it accepts it."""
    refused = _refuse(description, value)
    if refused is None or refused.meant is not None:
        return refused
    for candidate in (_without_comment(value), value.rstrip(",;"), value.strip("\"'")):
        if candidate and candidate != value and _refuse(description, candidate) is None:
            return refused._replace(meant=candidate)
    return refused


def _without_comment(value: str) -> str:
    match = INLINE_COMMENT.match(value)
    return match.group(1) if match else ""


def _refuse(description: Mapping[str, Any], value: str) -> Optional[Wrong]:
    kind = description["type"]
    if kind == "bool":
        return _bool(value)
    if kind in ("int", "float", "port"):
        return _number(description, value)
    if kind == "list":
        return _list(description, value)
    if kind == "string" and "choices" in description:
        return _choice(description, value)
    if kind == "dict" and value.strip() and ":" not in value:
        return Wrong("it is not a list of NAME:VALUE pairs", "NAME:VALUE pairs separated by commas")
    return None


def _bool(value: str) -> Optional[Wrong]:
    if value.lower() in TRUE + FALSE:
        return None
    return Wrong("it is not a boolean", "true or false", nearest(value.lower(), ("true", "false")))


def _number(description: Mapping[str, Any], value: str) -> Optional[Wrong]:
    low, high = description.get("min"), description.get("max")
    if description["type"] == "port":
        low, high = low if low is not None else 0, high if high is not None else 65535
    noun = "a number" if description["type"] == "float" else "an integer"
    accepted = noun + (f" from {low}" if low is not None else "") + (f" up to {high}" if high is not None else "")
    if "choices" in description:
        accepted = " or ".join(str(choice) for choice in description["choices"])
    if not value.strip():
        return None  # oslo.config reads an empty number as not set
    try:
        number = float(value) if description["type"] == "float" else int(value)
    except ValueError:
        return Wrong(f"it is not {noun}", accepted)
    if "choices" in description:
        return None if number in description["choices"] else Wrong("it is none of the accepted numbers", accepted)
    if low is not None and number < low:
        return Wrong(f"it is less than {low}", accepted)
    if high is not None and number > high:
        return Wrong(f"it is greater than {high}", accepted)
    return None


def _choice(description: Mapping[str, Any], value: str) -> Optional[Wrong]:
    choices = [str(choice) for choice in description["choices"]]
    if value in choices or (description.get("ignore_case") and value.lower() in [c.lower() for c in choices]):
        return None
    accepted = ", ".join(choice or "(empty)" for choice in choices)
    return Wrong("it is none of the accepted values", accepted, nearest(value, choices))


def _list(description: Mapping[str, Any], value: str) -> Optional[Wrong]:
    text = value.strip().rstrip(",")
    if description.get("bounds"):
        if not (text.startswith("[") and text.endswith("]")):
            return Wrong("it does not stand in [ ]", "a list in [ ]")
        text = text[1:-1]
    item = description.get("item")
    # an item of oslo.config's lists may hold commas; only those that cannot are judged one by one
    if not item or not text or item["type"] not in ("string", "int", "port", "bool", "float"):
        return None
    items = text.split(",")
    wrong = {piece: refused for piece in items if (refused := _refuse(item, piece.strip()))}
    if not wrong:
        return None
    meant = None
    if all(refused.meant for refused in wrong.values()):
        meant = ",".join(
            piece.replace(piece.strip(), str(wrong[piece].meant)) if piece in wrong else piece for piece in items
        )
        meant = f"[{meant}]" if description.get("bounds") else meant
    piece, first = next(iter(wrong.items()))
    return Wrong(f"of its item {piece.strip()!r}, {first.reason}", f"items: {first.accepted}", meant)


def nearest(word: str, candidates: Iterable[str], least: float = 0.75) -> Optional[str]:
    """The one candidate that a misspelling was surely meant to be; None when there is none, or more than one."""
    # sha256 is no slip of sha512, nor tls 1.1 of 1.2: numbers are chosen, not mistyped
    candidates = [c for c in candidates if re.findall(r"\d+", c) == re.findall(r"\d+", word)]
    same = [c for c in candidates if c.lower() == word.lower()]
    slips = same or [c for c in candidates if len(c) > 2 and misspelt(word, c)]
    if len(slips) == 1:
        return slips[0]
    ranked = sorted(((difflib.SequenceMatcher(None, word, c).ratio(), c) for c in candidates), reverse=True)
    if not ranked or ranked[0][0] < least or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < 0.05):
        return None
    return ranked[0][1]


# -- names -------------------------------------------------------------------------------------------------------------


class Names:
    """Every (section, key) that a service reads, deprecated names included, and what each belongs to."""

    def __init__(self, name: str, service: Service) -> None:
        self.name = name
        self.service = service
        self.sections: set[str] = set(service["options"]) | {"DEFAULT"}
        self.sections |= {normal(section) for section in service["plugins"] if section != "*"}
        self.former: dict[tuple[str, str], tuple[str, str]] = {}
        for group, members in service["options"].items():
            for option, description in members.items():
                for of_group, key in description.get("deprecated", ()):
                    self.former.setdefault((normal(of_group), key), (group, option))
                    self.sections.add(normal(of_group))
        self.open = set(self._open_sections())
        self.stores = set(self._stores())
        self.sections |= self.open | self.stores

    def _values(self, key: str) -> Iterator[str]:
        for _path, entry in entries(self.service):
            if entry["key"] == key:
                yield entry["value"]

    def _open_sections(self) -> Iterator[str]:
        """Sections named by a value, whose options cannot be told from what is registered."""
        for value in self._values("auth_section"):
            yield normal(value)
        for value in self._values("config_source"):
            yield from (normal(item.strip()) for item in value.split(","))

    def _stores(self) -> Iterator[str]:
        """glance: each backend has a section with its store's options, and two are reserved."""
        if self.name == "glance":
            yield from ("os_glance_tasks_store", "os_glance_staging_store")
            for value in self._values("enabled_backends"):
                yield from (normal(pair.split(":")[0].strip()) for pair in value.split(",") if ":" in pair)

    def is_open(self, section: str) -> bool:
        """Whether anything may stand in a section: its readers are told by names that are made up on the host."""
        if section in self.open or section.startswith("cors."):
            return True
        return self.name == "nova" and section.startswith(("mdev_", "vgpu_"))

    def known(self, section: str, key: str) -> Optional[tuple[str, str]]:
        """The (group, option) that a key of a normalised section sets; None when nothing reads it."""
        if describe(self.service, section, key) is not None:
            return section, key
        if section in self.stores and key in self.service["options"].get("glance_store", {}):
            return "glance_store", key
        if section == "DEFAULT" and key in ("config_file", "config_dir", "config_source", "shell_completion"):
            return section, key
        return self.former.get((section, key))

    def description(self, group: str, option: str) -> Optional[Mapping[str, Any]]:
        return describe(self.service, group, option)

    def keys(self, section: str) -> list[str]:
        """The options that can stand in a section."""
        members = list(self.service["options"].get(section, {}))
        if section in self.stores:
            members += self.service["options"].get("glance_store", {})
        members += [k for s, o in self.service["plugins"].items() if normal(s) == section for k in o]
        if "auth_type" in self.service["options"].get(section, {}):
            members += self.service["plugins"].get("*", {})
        return members

    def elsewhere(self, key: str) -> list[str]:
        """The sections in which a key is an option."""
        return [group for group, members in sorted(self.service["options"].items()) if key in members]

    def other_release(self, section: str, key: str) -> Optional[tuple[int, int]]:
        """The (first, last) release that registers a key which this one does not; (0, 0): a library's."""
        span = self.service["others"].get(section, {}).get(key)
        return (span[0], span[1]) if span else None

    def sets(self, path: str, section: str, key: str) -> bool:
        """Whether a program that reads `path` gets this option from any of its files."""
        wanted = normal(section), key
        files = {file for view in self.service["views"] if path in view["files"] for file in view["files"]}
        return any((normal(e["section"]), e["key"]) == wanted for file in files for e in self.service["files"][file])


def misspelt(word: str, right: str) -> bool:
    """Whether two names are a slip apart: one letter dropped, doubled, changed or swapped, or two in a long name."""
    limit = 1 if len(right) < 8 else 2
    return _distance(word.lower(), right.lower(), limit) <= limit


def _distance(one: str, other: str, limit: int) -> int:
    """Letters dropped, added, changed or swapped (optimal string alignment); limit + 1 when there are more."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before_that, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before_that[j - 2] + 1)
            row.append(cost)
    return row[-1]


def source_entry(service: Service, path: str, line: int) -> Optional[Entry]:
    return next((entry for entry in service["files"].get(path, ()) if entry["line"] == line), None)
