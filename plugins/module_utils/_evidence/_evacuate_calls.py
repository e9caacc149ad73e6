# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of evacuate that say by themselves whether a server's disk is on shared storage, or do so by the version they speak.

The parameter onSharedStorage is part of compute API versions before 2.14 only; from then on nova finds out by itself
(nova/api/openstack/compute/rest_api_version_history.rst, 2.14).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

FIXED = (2, 14)
# Of what the remedy writes: the first that has --host and still is checked by the scheduler (2.29).
WRITTEN = "2.29"
_OPENSTACK = re.compile(r"\bopenstack\b")
_EVACUATE = re.compile(r"\bserver\s+evacuate\b")
_REST = re.compile(r"[^|;&#]*")
# Written so that every option can be read in one way only: else a long line of them takes for ever.
_NOVA = re.compile(
    r"(?<![\w.-])nova\b(?P<options>(?:\s+--?\w[\w-]*(?:=[\w.:/-]+| (?!-)[\w.:/-]+)?)*?)\s+evacuate\b(?P<rest>[^|;&#]*)"
)
_BODY = re.compile(r"[\"']?onSharedStorage[\"']?\s*[:=]\s*[\"']?(?P<value>true|false)\b", re.IGNORECASE)
_VERSION = re.compile(r"--os-compute-api-version[= ]+(\d{1,9})\.(\d{1,9}|latest)")
_EXPORTED = re.compile(r"\bOS_COMPUTE_API_VERSION=[\"']?(\d{1,9})\.(\d{1,9})")
_FLAG = re.compile(r"\s--(?:on-)?shared-storage(?![\w-])")


@dataclass(frozen=True)
class EvacuateCall:
    """line: 1-based. client: "openstack", "nova" or "body". version: (2, 13) as it is written, None where it is not.
    shared: what it says of the storage. digest: SHA-256 of the line."""

    path: str
    line: int
    client: str
    version: Optional[tuple[int, int]]
    shared: bool
    digest: str


def find(path: str, text: str, lines: list[tuple[int, str, str]], digest: dict[int, str]) -> list[EvacuateCall]:
    """The calls in a file; lines are (number, the line's code without comment, the whole statement that begins there)."""
    exported = _EXPORTED.search(text)
    everywhere = (int(exported.group(1)), int(exported.group(2))) if exported else None
    calls = []
    for number, code, statement in lines:
        for client in _CLIENTS:
            spans = _CLIENTS[client](statement)
            if spans and "evacuate" in code:
                options, rest = spans
                version = _version(statement[slice(*options)]) or everywhere
                shared = bool(_FLAG.search(statement[slice(*rest)]))
                calls.append(EvacuateCall(path, number, client, version, shared, digest[number]))
                break
        else:
            body = _BODY.search(code)
            if body:
                calls.append(
                    EvacuateCall(path, number, "body", everywhere, body["value"].lower() == "true", digest[number])
                )
    return calls


Spans = tuple[tuple[int, int], tuple[int, int]]


def _of_openstack(text: str) -> Optional[Spans]:
    """Where the options and the rest of the first `openstack ... server evacuate ...` are, within one command."""
    before = 0
    for verb in _EVACUATE.finditer(text):
        start = max(before, *(text.rfind(end, before, verb.start()) + 1 for end in "|;&"))
        client = _OPENSTACK.search(text, start, verb.start())
        if client:
            rest = _REST.match(text, verb.end())
            return (client.end(), verb.start()), (verb.end(), rest.end() if rest else verb.end())
        before = verb.end()
    return None


def _of_nova(text: str) -> Optional[Spans]:
    match = _NOVA.search(text)
    return (match.span("options"), match.span("rest")) if match else None


_CLIENTS: dict[str, Callable[[str], Optional[Spans]]] = {"openstack": _of_openstack, "nova": _of_nova}


def _version(options: str) -> Optional[tuple[int, int]]:
    match = _VERSION.search(options)
    if not match:
        return None
    return int(match.group(1)), 10_000 if match.group(2) == "latest" else int(match.group(2))


def let_nova_find_out(line: str, client: str) -> Optional[str]:
    """The line without a word about shared storage, and at a version at which nova finds out by itself.

    None where the line is not a plain call of the client.
    """
    spans = _CLIENTS[client](line) if client in _CLIENTS else None
    if spans is None:
        return None
    (start, end), (begin, stop) = spans
    rest = _FLAG.sub("", line[begin:stop])
    options = line[start:end]
    if _VERSION.search(options):
        options = _VERSION.sub(f"--os-compute-api-version {WRITTEN}", options)
    else:
        options = f" --os-compute-api-version {WRITTEN}{options}"
    return line[:start] + options + line[end:begin] + rest + line[stop:]
