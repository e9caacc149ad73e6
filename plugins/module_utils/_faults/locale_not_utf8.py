# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault locale_not_utf8: clients and administration programs fail on names that are not ASCII.

It rests on printing such a character with the programs' own interpreter (`_evidence/locale_settings.py`), because what
a locale does depends on the interpreter: LC_ALL=C broke Python 2 and does nothing since Python 3.7 (PEP 538, PEP 540).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown

_LOCALES = ("LC_ALL", "LC_CTYPE", "LANG")
_NEUTRAL = ("C", "POSIX", "")
_WISHES = "locale_settings"

Variable = Mapping[str, Any]


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    reading = evidence["locale_settings"]
    host = Target("host", evidence["host"]["name"])
    seen: set[str] = set()
    session_fails = any(
        _error(environment) for environment in reading["environments"] if environment["kind"] == "session"
    )
    for environment in reading["environments"]:
        error = _error(environment)
        if environment["kind"] == "service" and error and session_fails:
            continue  # it has what its session gave it, and the files are reported
        if error:
            for finding in _failing(host, reading, environment, error):
                if finding.subject not in seen:
                    seen.add(finding.subject)
                    yield finding
        elif not environment["probes"]:
            doubtful = [v for v in environment["variables"] if _suspicious(v)]
            if doubtful:
                yield Unknown(
                    FAULT.id,
                    host,
                    f"{_place(doubtful[0])} sets {doubtful[0]['name']}={doubtful[0]['value']}; whether the programs of "
                    "this host can print with that has to be tried on the running host",
                )
                return
    for environment in reading["environments"]:
        for variable in environment["variables"]:
            missing = variable["name"] in _LOCALES and reading["charmaps"].get(variable["value"]) == ""
            if missing and variable["path"] and not _error(environment):
                finding = _missing(host, variable)
                if finding.subject not in seen:
                    seen.add(finding.subject)
                    yield finding


def _error(environment: Mapping[str, Any]) -> str:
    return next((probe["error"] for probe in environment["probes"] if probe["error"]), "")


def _suspicious(variable: Variable) -> bool:
    """Whether a value may keep Python from printing: of a locale, one that names another character set than UTF-8."""
    value = variable["value"]
    if variable["name"] == "PYTHONIOENCODING":
        encoding = value.partition(":")[0]
        return bool(encoding) and not _is_utf8(encoding)
    if variable["name"] in _LOCALES:
        return value not in _NEUTRAL and not value.startswith("C.") and not _is_utf8(value.partition(".")[2])
    return bool(value == "0")


def _is_utf8(charset: str) -> bool:
    return charset.partition("@")[0].lower().replace("-", "").replace("_", "") == "utf8"


def _failing(host: Target, reading: Mapping[str, Any], environment: Mapping[str, Any], error: str) -> Iterator[Finding]:
    """One finding for each line that has to change; one for the whole where nothing sets a locale at all."""
    probe = next(probe for probe in environment["probes"] if probe["error"])
    wanted = _wanted(reading)
    blamed = [v for v in environment["variables"] if _blamed(v, reading)]
    locale = [v for v in environment["variables"] if v["name"] in _LOCALES]
    if not blamed and locale and environment["kind"] != "service":
        blamed = locale  # an interpreter to which C means ASCII
    evidence = {"environment": environment["name"], "python": probe["python"], "error": error}
    if not blamed:
        path = reading["default_file"]
        in_a_process = environment["kind"] == "service"
        yield Finding(
            fault=FAULT.id,
            target=host,
            certainty=Certainty.CERTAIN,
            summary=f"{environment['name']} cannot print text that is not ASCII: no locale is set for it",
            subject=environment["name"] if in_a_process else f"{path} LANG",
            evidence=evidence,
            expected=f"LANG={wanted or 'C.UTF-8'}",
            actual="no locale",
            remedy=None if in_a_process else _remedy(path, "LANG", wanted, f"{path} LANG"),
            reason=_why_not(wanted, "", environment),
        )
    for variable in blamed:
        name, path = variable["name"], variable["path"]
        subject = f"{_place(variable) or environment['name']} {name}"
        value = wanted if name == "LANG" else None
        by_hand = _why_not(wanted, path, environment)
        yield Finding(
            fault=FAULT.id,
            target=host,
            certainty=Certainty.CERTAIN,
            summary=f"{name}={variable['value']} keeps {environment['name']} from printing text that is not ASCII",
            subject=subject,
            evidence={**evidence, "path": path, "line": variable["line"]},
            expected=f"LANG={wanted or 'C.UTF-8'}" if name == "LANG" else f"no {name}",
            actual=f"{name}={variable['value']}",
            remedy=None if by_hand else _remedy(path, name, value, subject, variable["value"]),
            reason=by_hand,
        )


def _blamed(variable: Variable, reading: Mapping[str, Any]) -> bool:
    if variable["name"] in _LOCALES:
        charmap = reading["charmaps"].get(variable["value"])
        return variable["value"] not in _NEUTRAL and charmap not in ("UTF-8", "", None)
    return _suspicious(variable)


def _wanted(reading: Mapping[str, Any]) -> str:
    """A UTF-8 locale that this host has: C.UTF-8 changes neither messages nor sort order; EL 7 has only en_US."""
    names = {name.lower().replace("-", ""): name for name in reading["utf8"]}
    for name in ("C.UTF-8", "en_US.UTF-8"):
        if name.lower().replace("-", "") in names:
            return name
    return ""


def _why_not(wanted: str, path: str, environment: Mapping[str, Any]) -> str:
    if environment["kind"] == "service" and not path:
        return (
            "the process has it from its start: from its unit, or from before the files were changed, until it is restarted; "
            "as it also decides the language of the log, nothing is restarted for it"
        )
    if not wanted:
        return "the host has no UTF-8 locale: install one (glibc-minimal-langpack, locales) first"
    if path == "/etc/profile":
        return "/etc/profile belongs to the distribution; take the line out by hand, or override it in /etc/profile.d"
    return ""


def _remedy(path: str, name: str, value: Optional[str], subject: str, expect: Optional[str] = None) -> Remedy:
    wish: dict[str, Any] = {"path": path, "variable": name, "subject": subject}
    wish.update({"value": value} if value else {"state": "absent"})
    if expect is not None:
        wish["expect"] = expect
    # Files of persons are theirs: somebody has to agree.
    system = path.startswith("/etc/") and not path.startswith("/etc/kolla/")
    return Remedy("locale", Risk.SAFE if system else Risk.DISRUPTIVE, {_WISHES: [wish]})


def _missing(host: Target, variable: Variable) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=host,
        certainty=Certainty.POSSIBLE,
        severity="low",
        summary=f"{variable['name']}={variable['value']} names a locale that this host does not have",
        subject=f"{_place(variable)} {variable['name']}",
        evidence={"path": variable["path"], "line": variable["line"]},
        expected="a locale of `locale -a`",
        actual=variable["value"],
        reason="Python works without it, older programs fall back to ASCII; generate the locale or correct the name",
    )


def _place(variable: Variable) -> str:
    return str(variable["path"])


FAULT = Fault(
    id="locale_not_utf8",
    reference="F03",
    title="Programs cannot print names that are not ASCII",
    scope="host",
    severity="low",
    symptom=(
        "openstack, glance or nova-manage end with UnicodeEncodeError, \"'ascii' codec can't encode character\", as soon as "
        "a name in their output is not ASCII."
    ),
    cause=(
        "The environment gives Python another encoding than UTF-8: PYTHONIOENCODING, a locale with an old character set, or, "
        "with Python 2 and 3.6, LC_ALL=C or no locale at all. From Python 3.7 on LC_ALL=C does no harm."
    ),
    fix=(
        "Take the offending line out of the file that sets it, and set LANG to C.UTF-8 (en_US.UTF-8 where there is no C.UTF-8) "
        "in the system's locale file. LC_ALL is never set: it would override everything, and change the language of logs. "
        "Nothing is restarted; new sessions have it at once."
    ),
    detect=detect,
    host_evidence=("locale_settings",),
)
