# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find Python files that a service's own user cannot read, by looking as that user: root can read everything.

Service, interpreter and user are those that `services` finds. In a container the image would have to be mended, so
containers are not looked into.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._model import Unavailable
from . import _commands, _systemd, services
from ._interpreter import ProgramFailed, ask, isolated
from ._tree import Tree

SECONDS = 60.0
# More than these are not one file that lost a bit: the installation has to be made again.
LIMIT = 2000
_LOG_BYTES = 256 << 10
# What an interpreter has to read; it does without __pycache__ (importlib/_bootstrap_external.py, SourceLoader.get_code).
_READ_FILES = (".py", ".so", ".pth", "/METADATA", "/PKG-INFO", "/entry_points.txt")
_DIRECTORIES = (
    "/usr/lib/python3*/site-packages",
    "/usr/lib64/python3*/site-packages",
    "/usr/lib/python3/dist-packages",
    "/usr/local/lib/python3*/*-packages",
    "/opt/*/lib/python3*/site-packages",
    "/openstack/venvs/*/lib/python3*/site-packages",
)

# Runs as the service's user, with the service's interpreter (Python 3.6 or later).
_WALK = """
import json, os, sys
request = json.load(sys.stdin)
found, seen, count = [], set(), 0
def barred(path, directory):
    need = os.R_OK | os.X_OK if directory else os.R_OK
    if os.access(path, need):
        return False
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False       # a link that leads nowhere
    return True
def note(path, root):
    global count
    count += 1
    if len(found) < request["limit"]:
        found.append([path, root])
def climb(path, root):
    # the first directory on the way that keeps this user out
    parts = path.strip("/").split("/")
    for number in range(1, len(parts) + 1):
        here = "/" + "/".join(parts[:number])
        if os.path.isdir(here) and not os.access(here, os.X_OK) or number == len(parts) and barred(here, os.path.isdir(here)):
            note(here, root)
            return True
    return False
def walk(path, root):
    try:
        entries = list(os.scandir(path))
    except OSError:
        return
    for entry in entries:
        if entry.name == "__pycache__":
            continue
        if entry.is_dir(follow_symlinks=False):
            if barred(entry.path, True):
                note(entry.path, root)
            else:
                walk(entry.path, root)
        elif entry.path.endswith(tuple(request["files"])) and barred(entry.path, False):
            note(entry.path, root)
for root in request["paths"] or sys.path:
    if root.startswith("/") and root not in seen and not root.startswith("/proc/"):
        seen.add(root)
        if not climb(root, root) and os.path.isdir(root):
            walk(root, root)
print(json.dumps({"found": found, "count": count}))
"""


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the users of the services cannot read of their Python packages.

    options: as for `services`.
    Returns {"services": [{"services": [names], "user", "python", "units": {unit: state}, "count", "unreadable": [entry]}],
    "gaps": [{"reason"}]}. state: ActiveState of systemd. An entry is {"path", "root", "directory", "mode", "wanted", "owner":
    package or "", "named"}: root the directory of sys.path, mode and wanted in octal (wanted is what the package or, where none
    says, everybody's reading asks for), named: a unit's log of the last day names it. python and user are "" for a
    directory that stands for a host, of which only the modes can be read.
    """
    if not tree.is_live:
        return {"services": list(_of_directory(tree)), "gaps": []}
    programs = [program for program in services.present(tree) if not program.container]
    groups: dict[tuple[str, str], set[str]] = {}
    for service in services.find(tree, options):
        if service.python and service.user and service.user != "root":
            groups.setdefault((service.python, service.user), set()).add(service.name)
    found, gaps = [], []
    for (python, user), names in sorted(groups.items()):
        try:
            answer = _walked(python, user)
        except ProgramFailed as error:
            gaps.append(
                {"reason": f"what {user} can read of the packages of {python} could not be looked at: it {error}"}
            )
            continue
        units = {program.unit for program in programs if program.unit and program.project in names}
        entries = list(_entries(answer["found"], user))
        logs = _logs(units, names) if entries else ""
        for entry in entries:
            entry["named"] = _is_named(entry, logs)
        found.append(
            {
                "services": sorted(names),
                "user": user,
                "python": python,
                "units": _states(units) if entries else {},
                "count": max(answer["count"], len(entries)) if entries else 0,
                "unreadable": entries,
            }
        )
    return {"services": found, "gaps": gaps}


def _walked(python: str, user: str) -> Any:
    request = {"limit": LIMIT, "files": _READ_FILES, "paths": []}
    try:
        return ask(isolated([python], _WALK), request, user=user, seconds=SECONDS)
    except ProgramFailed:
        # It may be the interpreter's own directories that are closed to the user.
        home = os.path.dirname(os.path.dirname(python))
        request["paths"] = [python, *Tree().glob(f"{home}/lib*/python3*/site-packages")]
        answer = ask(isolated([sys.executable], _WALK), request, user=user, seconds=SECONDS)
        if not answer["found"]:
            raise
        return answer


def _entries(found: Iterable[tuple[str, str]], user: str) -> Iterator[dict[str, Any]]:
    """What is known of each path, with what an unreadable directory hides; less what somebody closed on purpose."""
    uid = pwd.getpwnam(user).pw_uid
    paths: dict[str, str] = {}
    for path, root in found:
        paths[path] = root
        if os.path.isdir(path):
            for hidden in _hidden(path, uid):
                paths.setdefault(hidden, root)
    packaged = _rpm_modes(paths)
    overridden = _dpkg_overrides()
    for path, root in paths.items():
        try:
            status = os.stat(path)
        except OSError:
            continue  # it is gone
        mode = stat.S_IMODE(status.st_mode)
        owner, wanted = packaged.get(path, ("", mode | (0o555 if stat.S_ISDIR(status.st_mode) else 0o444)))
        if path in overridden or (owner and wanted == mode):
            continue
        yield {
            "path": path,
            "root": root,
            "directory": stat.S_ISDIR(status.st_mode),
            "mode": f"{mode:04o}",
            "wanted": f"{wanted:04o}",
            "owner": owner,
            "named": False,
        }


def _hidden(directory: str, uid: int) -> Iterator[str]:
    for here, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name != "__pycache__"]
        for name in (*directories, *files):
            path = os.path.join(here, name)
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                closed = status.st_mode & 0o005 != 0o005
            else:
                closed = stat.S_ISREG(status.st_mode) and path.endswith(_READ_FILES) and not status.st_mode & 0o004
            if closed and status.st_uid != uid:
                yield path


def _rpm_modes(paths: Iterable[str]) -> dict[str, tuple[str, int]]:
    """{path: (package, the mode it was packaged with)} of the paths that belong to an rpm."""
    paths = list(paths)
    if not paths or not os.path.exists("/usr/bin/rpm") or not os.path.isdir("/var/lib/rpm"):
        return {}
    packages = [
        name for name in _said(["rpm", "-qf", "--qf", "%{NAME}\n", *paths]).split("\n") if re.fullmatch(r"\S+", name)
    ]
    modes = {}
    for package in sorted(set(packages)):
        query = "[%{NAME}\t%{FILEMODES:octal}\t%{FILENAMES}\n]"
        for line in _said(["rpm", "-q", "--qf", query, package]).splitlines():
            name, _tab, rest = line.partition("\t")
            mode, _tab, path = rest.partition("\t")
            if path in paths and re.fullmatch(r"[0-7]+", mode):
                modes[path] = (name, stat.S_IMODE(int(mode, 8)))
    return modes


def _dpkg_overrides() -> set[str]:
    """Paths whose mode somebody set for good on Debian (dpkg-statoverride)."""
    try:
        text = Tree().read_text("/var/lib/dpkg/statoverride")
    except (FileNotFoundError, Unavailable):
        return set()
    return {line.split(None, 3)[3] for line in text.splitlines() if len(line.split(None, 3)) == 4}


def _logs(units: Iterable[str], names: Iterable[str]) -> str:
    """What the units said within the last day, as far as it can be had."""
    texts = []
    for unit in sorted(units):
        texts.append(_said(["journalctl", "-u", unit, "--since=-24h", "-n", "2000", "-o", "cat", "--no-pager", "-q"]))
    for path in (path for name in names for path in Tree().glob(f"/var/log/{name}/*.log")):
        try:
            with open(path, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
                texts.append(file.read().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(texts)


def _is_named(entry: Mapping[str, Any], logs: str) -> bool:
    if f"Permission denied: '{entry['path']}" in logs:
        return True
    module = re.sub(
        r"(/__init__)?(\.cpython-[^/]*)?\.(py|so)$", "", os.path.relpath(entry["path"], entry["root"])
    ).replace("/", ".")
    return re.search(rf"No module named '?{re.escape(module)}(?:\.|'|$)", logs, re.MULTILINE) is not None


def _states(units: Iterable[str]) -> dict[str, str]:
    try:
        told = _systemd.show(units, "ActiveState")
    except (OSError, subprocess.SubprocessError):
        return {}
    return {unit: properties["ActiveState"] for unit, properties in told.items()}


def _said(command: list[str]) -> str:
    try:
        run = _commands.run(command, SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout


def _of_directory(tree: Tree) -> Iterator[dict[str, Any]]:
    """Of a directory that stands for a host: files of an OpenStack service's packages that are not for everybody."""
    entries = []
    for root in (root for pattern in _DIRECTORIES for root in tree.glob(pattern)):
        if not any(tree.exists(f"{root}/{name}") for name in services.PROJECTS):
            continue
        for path in _hidden(tree.path(root), -1):
            entries.append(_static(tree, path, root))
            if len(entries) > LIMIT:
                break
    if entries:
        yield {
            "services": [],
            "user": "",
            "python": "",
            "units": {},
            "count": len(entries),
            "unreadable": entries[:LIMIT],
        }


def _static(tree: Tree, real: str, root: str) -> dict[str, Any]:
    status = os.lstat(real)
    mode = stat.S_IMODE(status.st_mode)
    directory = stat.S_ISDIR(status.st_mode)
    return {
        "path": "/" + os.path.relpath(real, tree.root),
        "root": root,
        "directory": directory,
        "mode": f"{mode:04o}",
        "wanted": f"{mode | (0o555 if directory else 0o444):04o}",
        "owner": "",
        "named": False,
    }
