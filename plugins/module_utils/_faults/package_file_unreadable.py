# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault package_file_unreadable: a service's user cannot read a Python file, so the service does not start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

_FILES = "package_permissions_files"
_RESTARTS = "package_permissions_restarts"
# States of a unit that wants to run and does not.
_DOWN = ("failed", "activating")
_SHOWN = 20

Entry = Mapping[str, Any]


def detect(evidence: Evidence) -> Iterator[Finding]:
    host = evidence["host"]["name"]
    seen: dict[str, set[str]] = {}
    for service in evidence["unreadable_packages"]["services"]:
        packages: dict[str, list[Entry]] = {}
        for entry in service["unreadable"]:
            packages.setdefault(_package(entry), []).append(entry)
        for subject, entries in sorted(packages.items()):
            # Two services of one interpreter share the files: what the first one's finding mends is not told twice.
            paths = {entry["path"] for entry in entries}
            if paths <= seen.get(subject, set()):
                continue
            seen.setdefault(subject, set()).update(paths)
            yield _finding(host, subject, service, entries)


def _package(entry: Entry) -> str:
    """The package or module of sys.path that an entry is of; a directory on the way to sys.path stands for itself."""
    if not entry["path"].startswith(entry["root"] + "/"):
        return str(entry["path"])
    return os.path.join(entry["root"], os.path.relpath(entry["path"], entry["root"]).split("/")[0])


def _finding(host: str, subject: str, service: Mapping[str, Any], entries: Sequence[Entry]) -> Finding:
    user = service["user"]
    own = any(subject == os.path.join(entry["root"], name) for entry in entries for name in service["services"])
    whole = any(not entry["path"].startswith(entry["root"] + "/") for entry in entries)
    sure = own or whole or any(entry["named"] for entry in entries)
    shut = [entry for entry in entries if entry["mode"] == entry["wanted"]]
    down = sorted(unit for unit, state in service["units"].items() if state in _DOWN)
    reason = ""
    if not user:
        reason = "this is a directory: whether a service has to read it has to be looked at on the running host"
    elif shut:
        reason = (
            f"its mode lets {user} read {shut[0]['path']}; an access control list or SELinux does not: see getfacl and "
            "restorecon -n"
        )
    elif service["count"] > len(service["unreadable"]):
        reason = f"{service['count']} files are closed to {user}: install the packages again, with umask 022"
    return Finding(
        fault=FAULT.id,
        target=Target("host", host),
        certainty=Certainty.POSSIBLE if not user else Certainty.CERTAIN if sure else Certainty.PROBABLE,
        summary=_summary(user, subject, service, entries, down),
        subject=subject,
        evidence={
            "user": user,
            "python": service["python"],
            "services": list(service["services"]),
            "units": dict(service["units"]),
            "named_in_log": any(entry["named"] for entry in entries),
            "paths": [f"{entry['mode']} {entry['path']}" for entry in entries[:_SHOWN]],
            "count": len(entries),
        },
        expected=f"{entries[0]['wanted']} {entries[0]['path']}",
        actual=f"{entries[0]['mode']} {entries[0]['path']}",
        remedy=None if reason else _remedy(subject, entries, down),
        reason=reason,
    )


def _summary(user: str, subject: str, service: Mapping[str, Any], entries: Sequence[Entry], down: Sequence[str]) -> str:
    if not user:
        return f"{subject} has files that are not readable by everybody"
    what = entries[0]["path"] if len(entries) == 1 else f"{len(entries)} files of {subject}"
    state = f"; {', '.join(down)} does not run" if down else ""
    return f"{user}, who runs {', '.join(service['services'])}, cannot read {what}{state}"


def _remedy(subject: str, entries: Sequence[Entry], down: Sequence[str]) -> Remedy:
    files = [
        {"path": entry["path"], "mode": entry["wanted"], "expect": entry["mode"], "subject": subject}
        for entry in entries
    ]
    return Remedy(
        "package_permissions",
        Risk.RESTART if down else Risk.SAFE,
        {_FILES: files, _RESTARTS: list(down)},
    )


FAULT = Fault(
    id="package_file_unreadable",
    reference="F08",
    title="A service cannot read a file of its Python packages",
    scope="host",
    severity="high",
    symptom=(
        'A service does not start: ImportError, ModuleNotFoundError or "PermissionError: [Errno 13]" of a file below '
        "site-packages or dist-packages, while as root everything can be imported."
    ),
    cause=(
        "A file or directory lost its read or search permission for others: pip as root with umask 027 or 077, a restored "
        "backup, a hardening script."
    ),
    fix=(
        "Give exactly these files the mode they were packaged with (rpm), or reading for everybody, and start the service that "
        "failed. Nothing is changed recursively. A module that is really missing is not installed."
    ),
    detect=detect,
    host_evidence=("unreadable_packages",),
)
