# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which character encoding the OpenStack programs of a host get from its files, and whether they can write text."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from .._model import Unavailable
from . import _commands, services
from ._tree import Tree

# What decides how Python encodes what it prints (PEP 538, PEP 540; FAULTS.md F03). Nothing else is kept of an environment.
VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE")
# Read by PAM for every session and by systemd for its units; then what login shells read on top.
SESSION_FILES = ("/etc/locale.conf", "/etc/environment", "/etc/default/locale")
LOGIN_FILES = ("/etc/profile", "/etc/profile.d/*.sh", "/root/.bash_profile", "/root/.profile", "/root/.bashrc")
# What an operator reads in before using a client (kolla-ansible, openstack-ansible, packstack, by hand).
CREDENTIAL_FILES = (
    "/root/*openrc*",
    "/root/keystonerc*",
    "/home/*/*openrc*",
    "/home/*/keystonerc*",
    "/etc/kolla/*openrc*.sh",
)
_PROGRAMS = ("openstack", "nova", "glance", "nova-manage", "keystone-manage", "glance-manage", "placement-manage")
_DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/opt/*/bin", "/openstack/venvs/*/bin", "/var/lib/kolla/venv/bin")
_PROBE = "import sys; sys.stdout.write(u'\\u5982\\n'); sys.stdout.flush()"
# The second: PYTHONIOENCODING names no encoding at all.
ENCODING_ERRORS = ("UnicodeEncodeError", "LookupError")
SECONDS = 20.0

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The shell's quotes, and its words; a # begins a comment only where a word could begin.
_PIECE = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.""")
TOKEN = re.compile(
    rf"""[ \t\r\n]+|\#.*|(?P<end>;|[&|<>()]+)|(?P<word>(?:[^ \t\r\n'"\\;&|<>()]|{_PIECE.pattern})+)""", re.DOTALL
)

Variable = Mapping[str, Any]


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The environments in which the host's OpenStack programs print, and what came of printing in each.

    Returns {"environments": [{"name", "kind", "variables": [{"name", "value", "path", "line"}], "probes": [{"python",
    "error"}]}], "charmaps": {locale: charmap, "" where it is not installed}, "utf8": [locales], "default_file": path}.
    kind: "session" (PAM and systemd), "login" (a login shell of root), "credentials" (with a file of credentials read
    in), "service" (a process that runs; path is "" there). error: name of the exception with which Python refused to
    print a Chinese character, "" where it did print. probes is empty for a directory that stands for a host.
    Hosts without any OpenStack program have no environments. Containers have their image's locale and are not read.
    """
    default = "/etc/default/locale" if tree.exists("/etc/debian_version") else "/etc/locale.conf"
    pythons = _interpreters(tree)
    if not pythons:
        return {"environments": [], "charmaps": {}, "utf8": [], "default_file": default}
    session = _merged(tree, SESSION_FILES, {})
    login = _merged(tree, LOGIN_FILES, session)
    found = [_environment("every session", "session", session), _environment("a login shell", "login", login)]
    for path in _paths(tree, CREDENTIAL_FILES):
        own = _assignments(tree, path)
        if own:
            found.append(_environment(path, "credentials", _assigned(login, own)))
    if tree.is_live:
        for environment in found:
            environment["probes"] = [{"python": p, "error": _probe(p, environment)} for p in pythons]
        found += _of_services()
    values = {v["value"] for e in found for v in e["variables"] if v["name"] in ("LC_ALL", "LC_CTYPE", "LANG")}
    return {
        "environments": found,
        "charmaps": {value: _charmap(value) for value in sorted(values)} if tree.is_live else {},
        "utf8": [name for name in _installed() if re.search(r"\.utf-?8$", name, re.I)] if tree.is_live else [],
        "default_file": default,
    }


def assignments(text: str) -> Iterator[tuple[int, str, Optional[str]]]:
    """(line number, name, value) of the assignments that a shell or PAM makes whatever happens; None: it is unset.

    An indented line belongs to a condition and is left out, and so is a value that is computed.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line[0] in " \t#":
            continue
        for command in _shell_commands(line.rstrip("\r")):
            if command[0] == "unset":
                for name in command[1:]:
                    yield number, name, None
                continue
            exported = command[0] == "export"
            pairs = [word.partition("=") for word in command[exported:]]
            named = [(name, value) for name, equals, value in pairs if equals and _NAME.fullmatch(name)]
            # Before a command an assignment is for that command alone.
            if not exported and len(named) < len(pairs):
                break
            for name, value in named:
                if not re.search(r"[$`]", value):
                    yield number, name, value


def _shell_commands(line: str) -> list[list[str]]:
    """The commands of a line that the shell runs itself whatever happens, each as its words; none where a quote is open."""
    commands: list[list[str]] = [[]]
    position = 0
    while position < len(line):
        token = TOKEN.match(line, position)
        if token is None:
            return []
        position = token.end()
        if token["word"]:
            commands[-1].append(_PIECE.sub(_unquoted, token["word"]))
        elif token["end"] == ";":
            commands.append([])
        elif token["end"] in ("&&", "||"):
            break
        elif token["end"]:
            commands.pop()  # a pipe, a background job, a redirection
            break
    return [command for command in commands if command]


def _unquoted(piece: re.Match[str]) -> str:
    text = piece[0]
    if text[0] == '"':
        return re.sub(r'\\([$`"\\])', r"\1", text[1:-1])
    return text[1:-1] if text[0] == "'" else text[1:]


def _environment(name: str, kind: str, variables: Mapping[str, Variable]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "variables": list(variables.values()), "probes": []}


def _merged(tree: Tree, patterns: Iterable[str], before: Mapping[str, Variable]) -> dict[str, Variable]:
    found = dict(before)
    for path in _paths(tree, patterns):
        found = _assigned(found, _assignments(tree, path))
    return found


def _paths(tree: Tree, patterns: Iterable[str]) -> list[str]:
    return [path for pattern in patterns for path in tree.glob(pattern) if not tree.is_dir(path)]


def _assignments(tree: Tree, path: str) -> list[Variable]:
    try:
        text = tree.read_text(path)
    except (FileNotFoundError, Unavailable):
        return []  # an encrypted or binary file is no script of assignments
    return [
        {"name": name, "value": value, "path": path, "line": number}
        for number, name, value in assignments(text)
        if name in VARIABLES
    ]


def _assigned(before: Mapping[str, Variable], own: Iterable[Variable]) -> dict[str, Variable]:
    found = dict(before)
    for variable in own:
        found.pop(variable["name"], None)
        if variable["value"] is not None:
            found[variable["name"]] = variable
    return found


def _interpreters(tree: Tree) -> list[str]:
    """The interpreters of the clients and administration programs, each once."""
    found: dict[str, str] = {}
    for path in (path for d in _DIRECTORIES for program in _PROGRAMS for path in tree.glob(f"{d}/{program}")):
        python = services._shebang(tree, [path])
        if python:
            # the same binary in two virtual environments encodes alike
            found.setdefault(tree.path(python), python)
    return list(found.values())


def _of_services() -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            if os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
                continue
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = [w for w in file.read(65536).decode(errors="replace").replace("\0", " ").split(" ") if w]
            named = services.program_of(words)
            python = os.readlink(f"/proc/{pid}/exe")
            if named is None or not os.path.basename(python).startswith("python"):
                continue
            with open(f"/proc/{pid}/environ", "rb") as file:
                pairs = (part.partition("=") for part in file.read(1 << 20).decode(errors="replace").split("\0"))
                mine = [(name, value) for name, _equals, value in pairs if name in VARIABLES]
        except OSError:
            continue  # it ended
        key = (named[1], python, tuple(mine))
        if key not in found:
            variables = {name: {"name": name, "value": value, "path": "", "line": 0} for name, value in mine}
            found[key] = _environment(named[1], "service", variables)
            found[key]["probes"] = [{"python": python, "error": _probe(python, found[key])}]
    return [found[key] for key in sorted(found, key=str)]


_known_probes: dict[tuple[Any, ...], str] = {}


def _probe(python: str, environment: Mapping[str, Any]) -> str:
    """What Python says when it prints to a pipe in this environment; the program writes nothing else, nowhere."""
    variables = {variable["name"]: variable["value"] for variable in environment["variables"]}
    key = (python, tuple(sorted(variables.items())))
    if key not in _known_probes:
        try:
            run = subprocess.run(
                [python, "-B", "-c", _PROBE],
                env={"PATH": _commands.LOCAL_PATH, "HOME": "/nonexistent", **variables},
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f"{python} could not be asked to print a character: {error}") from error
        said = run.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1].partition(":")[0]
        if run.returncode and said not in ENCODING_ERRORS:
            raise Unavailable(
                f"{python} did not print a character, and not for its encoding ({said[:80] or run.returncode})"
            )
        _known_probes[key] = said if run.returncode else ""
    return _known_probes[key]


def _charmap(value: str) -> str:
    """The character set of a locale; "" where the host does not have that locale."""
    run = _locale("charmap", value)
    return "" if run.stderr.strip() else run.stdout.strip()


def _installed() -> list[str]:
    return _locale("-a", "C").stdout.split()


def _locale(argument: str, value: str) -> subprocess.CompletedProcess[str]:
    try:
        return _commands.run(["locale", argument], SECONDS, _commands.LOCAL_PATH, value)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"the locales of the host could not be listed: {error}") from error
