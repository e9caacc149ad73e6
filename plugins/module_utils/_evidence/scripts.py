# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find scripts, units, cron entries and playbooks that evacuate or migrate whole hosts, and how they name the host."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from .._model import Unavailable
from . import _evacuate_calls
from ._tree import Tree

# Where operators keep what acts on a cloud by itself. Packages' own directories (site-packages, share/doc) are not here.
PATHS = (
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/opt",
    "/root",
    "/home",
    "/srv",
    "/etc/cron.d",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/crontab",
    "/var/spool/cron",
    "/etc/systemd/system",
    "/usr/lib/ocf/resource.d",
    "/usr/lib/stonith",
    "/etc/ha.d",
    "/etc/keepalived",
    "/etc/ansible",
    "/etc/masakarimonitors",
)
FILE_SIZE = 1 << 20
FILES = 20_000
SECONDS = 10.0
_DEPTH = 6
_SKIPPED_DIRECTORIES = {
    ".git", "node_modules", "site-packages", "dist-packages", "__pycache__", ".cache", ".venv", "venv", "log", "logs",
}  # fmt: skip
_SKIPPED_FILES = re.compile(
    r"^(?:readme|changelog|changes|news|licen[cs]e|copying|authors|todo|install)(?:$|\.)|"
    r"\.(?:md|rst|txt|log|html?|json|po|mo|gz|xz|bz2|zip|tar|rpm|deb|pyc|so|bak|orig|swp)$|~$",
    re.IGNORECASE,
)

# python-novaclient 18.13: the subcommands whose host is a pattern unless --strict is given (v2/shell.py _hyper_servers).
COMMANDS = ("host-evacuate", "host-evacuate-live", "host-servers-migrate", "host-meta")
_COMMAND = re.compile(r"(?<![\w-])(?P<command>host-(?:evacuate-live|evacuate|servers-migrate|meta))(?![\w-])")
_PYTHON = re.compile(r"\bhypervisors\s*\.\s*search\s*\(|hypervisor_hostname_pattern")
_ACTS = re.compile(r"evacuate|migrate")
_WITH_VALUE = ("--target_host", "--target-host", "--max-servers")
_SAYS = re.compile(r"\s*(?:sudo\s+)?(?:echo|printf|logger|print|log|warn|die)\b")


@dataclass(frozen=True)
class Call:
    """One place that names a host by pattern.

    line: 1-based. command: the novaclient subcommand, or "search" for the API's pattern. argument: the host as it is
    written when it is written out, None when it is a variable. digest: SHA-256 of the line, so that a later change of
    exactly this line can be made or refused; the line itself may hold a password and stays on the host.
    """

    path: str
    line: int
    command: str
    argument: Optional[str]
    digest: str


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """{"calls": [{path, line, command, argument, digest}], "evacuations": [...], "gaps": [...]}.

    calls name a host by pattern; evacuations are calls of evacuate for single servers (_evacuate_calls.EvacuateCall).
    options["script_paths"]: further files or directories to look in.
    """
    calls: list[dict[str, Any]] = []
    evacuations: list[dict[str, Any]] = []
    gaps = []
    end = time.monotonic() + SECONDS
    number = 0
    for path in _files(tree, (*PATHS, *(options.get("script_paths") or ()))):
        number += 1
        if number > FILES or time.monotonic() > end:
            gaps.append({"reason": f"only the first {number - 1} files of the script directories were searched"})
            break
        try:
            # Bytes first: nearly every file is done with after one search in memory.
            content = tree.read_bytes(path, FILE_SIZE)
        except FileNotFoundError:
            continue
        except Unavailable as reason:
            gaps.append({"reason": str(reason)})
            continue
        if b"host-" in content or b"hypervisor" in content:
            calls.extend(asdict(call) for call in find_calls(path, content.decode("utf-8", "surrogateescape")))
        if b"evacuate" in content:
            evacuations.extend(
                asdict(call) for call in find_evacuations(path, content.decode("utf-8", "surrogateescape"))
            )
    return {"calls": calls, "evacuations": evacuations, "gaps": gaps}


def _files(tree: Tree, places: Sequence[str]) -> Iterator[str]:
    for place in places:
        real = tree.path(place)
        if os.path.isfile(real):
            yield place
        for directory, names, files in os.walk(real):
            inside = os.path.relpath(directory, real)
            if inside.count(os.sep) >= _DEPTH:
                names.clear()
            names[:] = sorted(name for name in names if name not in _SKIPPED_DIRECTORIES)
            for name in sorted(files):
                path = os.path.normpath(os.path.join(place, inside, name))
                if not _SKIPPED_FILES.search(name) and _worth_reading(os.path.join(directory, name)):
                    yield path


def _worth_reading(real: str) -> bool:
    try:
        status = os.lstat(real)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and 0 < status.st_size <= FILE_SIZE


def find_calls(path: str, text: str) -> list[Call]:
    """The calls in one file's text that select servers by a pattern of the host's name."""
    if "\0" in text:
        return []
    lines = text.split("\n")
    acts = _ACTS.search(text)
    calls = []
    for index, line in enumerate(lines):
        code = _without_comment(line)
        match = _COMMAND.search(code)
        if match:
            statement = _statement(lines, index)
            spoken = _SAYS.match(code) and not re.search(r"\$\(|`", code)
            if not spoken and _runs(code, match) and "--strict" not in statement:
                argument = _argument(statement[statement.find(match["command"]) + len(match["command"]) :])
                calls.append(Call(path, index + 1, match["command"], argument, line_digest(line)))
        elif _PYTHON.search(code) and not _SAYS.match(code) and acts:
            calls.append(Call(path, index + 1, "search", None, line_digest(line)))
    return calls


def find_evacuations(path: str, text: str) -> list[_evacuate_calls.EvacuateCall]:
    """The calls of evacuate in one file's text."""
    if "\0" in text:
        return []
    lines = text.split("\n")
    codes = [(index, _without_comment(line)) for index, line in enumerate(lines)]
    said = [
        (index + 1, code, _statement(lines, index))
        for index, code in codes
        if ("evacuate" in code or "onSharedStorage" in code)
        and not (_SAYS.match(code) and not re.search(r"\$\(|`", code))
    ]
    return _evacuate_calls.find(path, text, said, {number: line_digest(lines[number - 1]) for number, _, _ in said})


def _runs(code: str, match: re.Match[str]) -> bool:
    """Whether the word is run, not only named: behind a `nova` command, or an item of an argument list."""
    before = code[: match.start()]
    if re.search(r"\bnova\b|\$\{?NOVA", before):
        return True
    return bool(re.search(r"[\"'\[,]\s*[\"']?$|^\s*-\s*[\"']?$", before))


def _without_comment(line: str) -> str:
    """The line up to a comment; a # inside a word or quotes is none."""
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position]
    return line


def _statement(lines: list[str], index: int) -> str:
    """The line with what belongs to it: shell continuations, the open bracket's or YAML list's following lines."""
    text = _without_comment(lines[index])
    following = index + 1
    is_item = re.match(r"\s*-\s", text)
    while following < len(lines) and following < index + 12:
        more = _without_comment(lines[following])
        if text.endswith("\\"):
            text = text[:-1] + " " + more
        elif text.count("[") > text.count("]") or text.count("(") > text.count(")"):
            text += " " + more
        elif lines[index].rstrip().endswith(",") or (is_item and re.match(r"\s*-\s", more)):
            text += " " + more
            if not is_item and re.search(r"[\])]", more):
                break
        else:
            break
        following += 1
    return text


def _argument(rest: str) -> Optional[str]:
    """The host that follows a subcommand when it is written out: the first word that is no option."""
    # Behind a quote the command was an item of a list, and a word without quotes there is a name, not a host.
    in_list = rest[:1] in ("'", '"')
    words = re.findall(r"[^\s,;&|\[\]()]+", rest[1:] if in_list else rest)
    skip = False
    for word in words:
        bare = word.strip("\"'")
        if skip:
            skip = False
        elif bare in _WITH_VALUE:
            skip = True
        elif bare and not bare.startswith("-"):
            if in_list and word == bare:
                return None
            return bare if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._%-]*", bare) else None
    return None


def line_digest(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "surrogateescape")).hexdigest()


def make_strict(line: str, command: str, argument: Optional[str], exact: Optional[str]) -> Optional[str]:
    """The line with --strict behind the subcommand, and the exact name in place of a written-out one.

    None where the line is not of the form that can be changed safely (an argument list in Python or YAML).
    """
    match = re.search(rf"(?<![\w-]){re.escape(command)}(?![\w-])", line)
    if match is None or line[match.end() : match.end() + 1] not in ("", " ", "\t"):
        return None
    head, tail = line[: match.end()], line[match.end() :]
    if argument and exact and argument != exact:
        tail, count = re.subn(rf"(?<![\w.-]){re.escape(argument)}(?![\w.-])", lambda _match: exact, tail, count=1)
        if not count:
            return None
    return f"{head} --strict{tail}"
