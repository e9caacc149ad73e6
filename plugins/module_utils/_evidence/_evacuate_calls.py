# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of evacuate that say by themselves whether a server's disk is on shared storage, or do so by the version they speak.

The parameter onSharedStorage is part of compute API versions before 2.14 only; from then on nova finds out by itself
(nova/api/openstack/compute/rest_api_version_history.rst, 2.14).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

FIXED = (2, 14)
# Of what the remedy writes: the first that has --host and still is checked by the scheduler (2.29).
WRITTEN = "2.29"
_OPENSTACK = re.compile(r"\bopenstack\b(?P<options>[^|;&]*?)\bserver\s+evacuate\b(?P<rest>[^|;&#]*)")
_NOVA = re.compile(r"(?<![\w.-])nova\b(?P<options>(?:\s+--?[\w-]+(?:[= ][\w.:/-]+)?)*?)\s+evacuate\b(?P<rest>[^|;&#]*)")
_BODY = re.compile(r"[\"']?onSharedStorage[\"']?\s*[:=]\s*[\"']?(?P<value>true|false)\b", re.IGNORECASE)
_VERSION = re.compile(r"--os-compute-api-version[= ]+(\d+)\.(\d+|latest)")
_EXPORTED = re.compile(r"\bOS_COMPUTE_API_VERSION=[\"']?(\d+)\.(\d+)")
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
        for client, pattern in (("openstack", _OPENSTACK), ("nova", _NOVA)):
            match = pattern.search(statement)
            if match and "evacuate" in code:
                version = _version(match["options"]) or everywhere
                shared = bool(_FLAG.search(match["rest"]))
                calls.append(EvacuateCall(path, number, client, version, shared, digest[number]))
                break
        else:
            body = _BODY.search(code)
            if body:
                calls.append(
                    EvacuateCall(path, number, "body", everywhere, body["value"].lower() == "true", digest[number])
                )
    return calls


def _version(options: str) -> Optional[tuple[int, int]]:
    match = _VERSION.search(options)
    if not match:
        return None
    return int(match.group(1)), 10_000 if match.group(2) == "latest" else int(match.group(2))


def let_nova_find_out(line: str, client: str) -> Optional[str]:
    """The line without a word about shared storage, and at a version at which nova finds out by itself.

    None where the line is not a plain call of the client.
    """
    pattern = {"openstack": _OPENSTACK, "nova": _NOVA}.get(client)
    match = pattern.search(line) if pattern else None
    if match is None:
        return None
    rest = _FLAG.sub("", match["rest"])
    options = match["options"]
    if _VERSION.search(options):
        options = _VERSION.sub(f"--os-compute-api-version {WRITTEN}", options)
    else:
        options = f" --os-compute-api-version {WRITTEN}{options}"
    start, end = match.span("options")
    return line[:start] + options + line[end : match.start("rest")] + rest + line[match.end("rest") :]
