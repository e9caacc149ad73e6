# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config_option_unknown (F10, 1.2): a line of a configuration file that oslo.config reads past without a word."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

from .._evidence._oslo_files import normal
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Target
from . import _config
from ._config import Entry, Names
from .auth_strategy_invalid import owns

NEAR = 0.85  # as alike as vif_pluging_timeout and vif_plugging_timeout; below it a suggestion, not a certainty


class Verdict(NamedTuple):
    """What is wrong with a key, and where its reader is: none, or (section, option)."""

    certainty: str
    why: str
    right: Optional[tuple[str, str]] = None
    plain: bool = False  # the right name is beyond doubt
    unread: bool = False  # to remove it changes nothing


def detect(evidence: Evidence) -> Iterator[Finding]:
    target = _config.here(evidence)
    for name, service in _config.services(evidence).items():
        if service["options"]:
            yield from _of_service(target, Names(name, service))


def _of_service(target: Target, names: Names) -> Iterator[Finding]:
    for path, found in names.service["files"].items():
        by_section: dict[str, list[Entry]] = {}
        for entry in found:
            by_section.setdefault(entry["section"], []).append(entry)
        for section, members in by_section.items():
            if section != "DEFAULT" and section.lower() == "default":
                yield _section(target, names, path, members, "DEFAULT", Certainty.CERTAIN)
            elif not names.is_open(normal(section)):
                yield from _of_section(target, names, path, section, members)


def _of_section(target: Target, names: Names, path: str, section: str, members: Sequence[Entry]) -> Iterator[Finding]:
    unread = {
        entry["key"]: entry
        for entry in members
        if not owns(names.name, normal(section), entry["key"]) and names.known(normal(section), entry["key"]) is None
    }
    if not unread:
        return
    if normal(section) not in names.sections and any(
        names.other_release(normal(section), key) is None for key in unread
    ):
        near = difflib.get_close_matches(normal(section), sorted(names.sections), 1, 0.8)
        if near:
            yield _section(target, names, path, members, near[0], Certainty.CERTAIN)
            return
        if names.name == "neutron":
            return  # drivers from outside the tree bring sections of their own
        if not any(names.elsewhere(key) for key in unread):
            yield _section(target, names, path, members, None, Certainty.PROBABLE)
            return
    for key, entry in unread.items():
        lines = [e["line"] for e in members if e["key"] == key]
        yield _key(target, names, path, entry, lines)


def _section(
    target: Target, names: Names, path: str, members: Sequence[Entry], right: Optional[str], certainty: str
) -> Finding:
    """A whole section that nothing reads."""
    service, first = names.service, members[0]
    section = first["section"]
    keys = list(dict.fromkeys(entry["key"] for entry in members))
    remedy: Optional[Remedy] = None
    if right is None:
        summary = f"{names.name} has no section [{section}]: nothing reads what {path} sets in it"
        reason = "no section of this service comes near it; it may belong to another program"
    else:
        why = "only [DEFAULT] in capitals is" if right == "DEFAULT" else f"[{right}] is"
        summary = f"[{section}] of {path} is not read by {names.name}: {why}"
        remedy, reason = _rename_section(names, path, members, right)
    return Finding(
        FAULT.id,
        target,
        certainty,
        summary,
        _config.subject(path, section),
        {**_config.proof(names.name, service, path, first, "ignored without any message", ""), "options": keys},
        f"[{right}]" if right else "a section that the service reads",
        f"[{section}]",
        remedy,
        reason=reason,
    )


def _rename_section(names: Names, path: str, members: Sequence[Entry], right: str) -> tuple[Optional[Remedy], str]:
    strangers = sorted({e["key"] for e in members if names.known(right, e["key"]) is None})
    if strangers:
        return None, f"[{right}] has no {', '.join(strangers)} either; correct the section by hand"
    both = sorted({e["key"] for e in members if names.sets(path, right, e["key"])})
    if both:
        return None, f"[{right}] sets {', '.join(both)} too; decide by hand which value counts"
    edits = []
    for entry in members:
        description = names.description(right, entry["key"])
        wish = _config.edit(path, entry, "renamed", description, new_section=right, new_option=entry["key"])
        edits.append({**wish, "subject": _config.subject(path, entry["section"])})
    return _config.with_restart(names.service, edits)


def verdict(names: Names, section: str, key: str) -> Verdict:
    """Why nothing reads a key of a section (normalised) that the service has."""
    under = key.replace("-", "_")
    if "-" in key and names.known(section, under) is not None:
        return Verdict(Certainty.CERTAIN, f"oslo.config reads only {under}", (section, under), True)
    span = names.other_release(section, key)
    release = names.service["release"]
    if span == (0, 0):
        return Verdict(Certainty.POSSIBLE, f"it is the option of a library that {names.name} does not use")
    if span and release is not None and span[1] < release:
        return Verdict(Certainty.POSSIBLE, f"{names.name} {span[1]} was the last release that read it", unread=True)
    if span and release is not None:
        return Verdict(Certainty.POSSIBLE, f"{names.name} {span[0]} is the first release that reads it")
    own = names.keys(section)
    near = difflib.get_close_matches(key, own, 2, NEAR)
    if near:
        slips = [option for option in own if _config.misspelt(key, option)]
        return Verdict(Certainty.CERTAIN, f"{near[0]} is", (section, near[0]), slips == [near[0]])
    if key in names.service["plugins"].get("*", {}):
        return Verdict(Certainty.PROBABLE, f"it belongs to an authentication plugin, which [{section}] does not load")
    others = names.elsewhere(key)
    if 0 < len(others) <= 4:
        listed = " and ".join(f"[{group}]" for group in others)
        right = (others[0], key) if len(others) == 1 else None
        return Verdict(Certainty.CERTAIN, f"it belongs in {listed}", right, right is not None)
    far = difflib.get_close_matches(key, own, 1, 0.75)
    hint = f"; {far[0]} comes nearest" if far else ""
    return Verdict(Certainty.PROBABLE, f"no option of this name is registered{hint}")


def _key(target: Target, names: Names, path: str, entry: Entry, lines: list[int]) -> Finding:
    service = names.service
    judged = verdict(names, normal(entry["section"]), entry["key"])
    remedy: Optional[Remedy] = None
    reason = ""
    description = None
    if judged.right:
        description = names.description(*judged.right)
        remedy, reason = _correct(names, path, entry, judged)
    elif judged.unread:
        remedy = _config.without_restart([{**_config.edit(path, entry, "absent"), "secret": True}])
        reason = "nothing reads the line, so nothing needs a restart"
    elif judged.certainty == Certainty.POSSIBLE:
        reason = "it does no harm; remove it if it was not left there on purpose"
    else:
        reason = "what was meant cannot be told; correct or remove it by hand"
    expected = "no such line"
    if judged.right:
        same = judged.right[0] == normal(entry["section"])
        expected = judged.right[1] if same else f"[{judged.right[0]}] {judged.right[1]}"
    # of a key that nobody knows, nobody knows whether its value is a secret
    value = _config.shown(entry, description) if description else "(not shown)"
    proof = _config.proof(names.name, service, path, entry, "ignored without any message", value)
    return Finding(
        FAULT.id,
        target,
        judged.certainty,
        f"{names.name} does not read [{entry['section']}] {entry['key']} ({path} line {entry['line']}): {judged.why}",
        _config.subject(path, entry["section"], entry["key"]),
        {**proof, "lines": lines},
        expected,
        entry["key"],
        remedy,
        "low" if judged.certainty == Certainty.POSSIBLE else None,
        reason,
    )


def _correct(names: Names, path: str, entry: Entry, judged: Verdict) -> tuple[Optional[Remedy], str]:
    group, option = judged.right or ("", "")
    description: Any = names.description(group, option) or {}
    if names.sets(path, group, option) and not description.get("multi"):
        remedy = _config.without_restart([_config.edit(path, entry, "absent", description)])
        return remedy, f"[{group}] {option} is set as well and counts; the line that nothing reads is removed"
    if not judged.plain:
        return None, f"more than one name comes near it; if {option} was meant, rename it by hand"
    refused = _config.check(description, entry["value"]) if description else None
    if refused and "$" not in entry["value"]:
        return None, f"as {option} its value would be refused: {refused.reason}; correct both by hand"
    wish = {"new_section": _section_name(entry, group), "new_option": option, "multi": bool(description.get("multi"))}
    edits = [_config.edit(path, entry, "renamed", description, **wish)]
    return _config.with_restart(names.service, edits)


def _section_name(entry: Entry, group: str) -> str:
    """The section as the file writes it, where the key stays in it."""
    section: str = entry["section"]
    return section if normal(section) == group else group


FAULT = Fault(
    id="config_option_unknown",
    reference="F10",
    title="A configuration line that no service reads",
    scope="host",
    severity="medium",
    symptom="A setting has no effect, and nothing says so: oslo.config ignores unknown sections and options.",
    cause="A misspelt option or section, [default] in small letters, a hyphen for an underscore, the right option in "
    "the wrong section, or an option that this release no longer has.",
    fix="Rename or move the line where it is plain what was meant, and restart what reads it; remove what is unread.",
    detect=detect,
    host_evidence=("oslo_config",),
)
