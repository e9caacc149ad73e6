# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Understand and edit the text of authorized_keys and known_hosts: pure functions, one line format each (sshd(8))."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

_KEY_TYPE = re.compile(r"(ssh-(rsa|dss|ed25519)|ecdsa-sha2-[a-z0-9]+|sk-[a-z0-9-]+@openssh\.com)")
_OPENSSH_MAGIC = b"openssh-key-v1\0"

# What a key that moves instance files never needs (FAULTS.md F21; sshd(8), AUTHORIZED_KEYS FILE FORMAT).
RESTRICTIONS = "no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding"


@dataclass(frozen=True)
class AuthorizedKey:
    """One key of an authorized_keys file. `blob` is its base64 text; `sources` is what from= admits, None for all."""

    type: str
    blob: str
    sources: Optional[tuple[str, ...]] = None


@dataclass(frozen=True)
class PublicKey:
    """A public key as a .pub file has it; `blob` is its base64 text."""

    type: str
    blob: str
    comment: str = ""


def public_key(line: str) -> Optional[PublicKey]:
    """The key of a .pub line ("ssh-ed25519 AAAA... comment"), or None when it is none."""
    fields = re.split(r"[ \t]+", line.strip(" \t\r\n"), maxsplit=2)
    if len(fields) < 2 or not _KEY_TYPE.fullmatch(fields[0]):
        return None
    # The key itself says of which type it is; ssh takes none that says otherwise or is cut off.
    if _strings(_decode(fields[1]) or b"")[:1] != [fields[0].encode()]:
        return None
    return PublicKey(fields[0], fields[1], fields[2].strip() if len(fields) > 2 else "")


def fingerprint(blob: str) -> str:
    """The fingerprint of a public key, as ssh-keygen prints it: "SHA256:..."; "" when the blob is not base64."""
    raw = _decode(blob)
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=") if raw else ""


def public_blob(private: bytes) -> Optional[str]:
    """The public half that an OpenSSH private key file states in the clear; None for another format."""
    match = re.search(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", private, re.S)
    raw = _decode(re.sub(rb"\s", b"", match.group(1)).decode("ascii", "replace")) if match else None
    if raw is None or not raw.startswith(_OPENSSH_MAGIC):
        return None
    rest = raw[len(_OPENSSH_MAGIC) :]
    for _part in ("cipher", "key derivation", "its options"):
        _value, rest = _string(rest)
    blob, _more = _string(rest[4:])  # after the number of keys
    return base64.b64encode(blob).decode() or None


def _string(raw: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(raw[:4], "big")
    return raw[4 : 4 + length], raw[4 + length :]


def _strings(raw: bytes) -> list[bytes]:
    """The strings of which a public key is made; none where the last one is not whole."""
    found = []
    while raw:
        value, rest = _string(raw)
        if len(raw) != 4 + len(value) + len(rest) or int.from_bytes(raw[:4], "big") != len(value):
            return []
        found.append(value)
        raw = rest
    return found


def _decode(blob: str) -> Optional[bytes]:
    try:
        return base64.b64decode(blob, validate=True)
    except (ValueError, binascii.Error):
        return None


def authorized_keys(text: str) -> Iterator[AuthorizedKey]:
    """The keys of an authorized_keys file; comments and what sshd would not understand are passed over."""
    for line in text.split("\n"):
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        options = ""
        if not public_key(line):
            options, line = _split_options(line)
        key = public_key(line)
        if key:
            yield AuthorizedKey(key.type, key.blob, _sources(options))


# Quotes hold an option together, and \\" is no quote (auth-options.c, sshauthopt_parse).
_OPTION = re.compile(r'(?:[^" \t,\\]|\\"|\\(?!")|"(?:[^"\\]|\\"|\\(?!"))*")*')


def _split_options(line: str) -> tuple[str, str]:
    position = 0
    while True:
        match = _OPTION.match(line, position)
        position = match.end() if match else position
        if line[position : position + 1] != ",":
            return line[:position], line[position:].strip(" \t")
        position += 1


def _sources(options: str) -> Optional[tuple[str, ...]]:
    position = 0
    while position <= len(options):
        match = _OPTION.match(options, position)
        option = match.group() if match else ""
        if option.lower().startswith('from="'):
            return tuple(part.strip() for part in option[6:-1].replace('\\"', '"').split(","))
        position += len(option) + 1
    return None


def admits(sources: Optional[Sequence[str]], address: str) -> bool:
    """Whether a from= list lets this client address (or name) in; sshd's rule: a negated match always refuses."""
    if sources is None:
        return True
    matching = [source for source in sources if _matches(source.lstrip("!"), address)]
    return bool(matching) and not any(source.startswith("!") for source in matching)


def _matches(pattern: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        # ssh patterns know * and ?, not [ranges].
        return fnmatch.fnmatchcase(address.lower(), pattern.lower().replace("[", "[[]"))


def authorize(text: str, keys: Iterable[PublicKey], sources: Sequence[str]) -> list[str]:
    """The lines to append to an authorized_keys file so that these keys are admitted from all these addresses."""
    known = list(authorized_keys(text))
    lines = []
    for key in keys:
        if not all(
            any(other.blob == key.blob and admits(other.sources, source) for other in known) for source in sources
        ):
            comment = f" {key.comment}" if key.comment else ""
            lines.append(f'from="{",".join(sources)}",{RESTRICTIONS} {key.type} {key.blob}{comment}')
    return lines


def host_names(names: Iterable[str], port: int) -> list[str]:
    """How known_hosts writes a host that listens on this port, no name twice: "compute1", or "[compute1]:8022"."""
    return list(dict.fromkeys((name if port == 22 else f"[{name}]:{port}").lower() for name in names))


def trust(text: str, names: Sequence[str], keys: Sequence[PublicKey]) -> str:
    """A known_hosts text in which each of these names has exactly these host keys.

    Other names, comments, patterns, @cert-authority and @revoked lines stay as they are; a name that shares a line
    with others leaves it only where the key is not the host's.
    """
    current = {key.blob for key in keys}
    known: set[tuple[str, str]] = set()
    kept = []
    for line in text.rstrip("\n").split("\n") if text else ():
        fields = line.split()
        if len(fields) < 3 or line.startswith(("#", "@")):
            kept.append(line)
            continue
        ours = [name for name in names if _names_host(fields[0], name)]
        if fields[2] in current:
            known.update((name, fields[2]) for name in ours)
        elif ours:
            others = [] if fields[0].startswith("|") else [n for n in fields[0].split(",") if n.lower() not in ours]
            if not others:
                continue
            line = " ".join([",".join(others), *line.split(None, 1)[1:]])
        kept.append(line)
    for key in keys:
        missing = [name for name in names if (name, key.blob) not in known]
        if missing:
            kept.append(f"{','.join(missing)} {key.type} {key.blob}")
    result = "".join(f"{line}\n" for line in kept)
    return text if result.rstrip("\n") == text.rstrip("\n") else result


def _names_host(field: str, name: str) -> bool:
    if not field.startswith("|1|"):
        return name in field.lower().split(",")
    salt, _bar, digest = field[3:].partition("|")
    raw_salt, raw_digest = _decode(salt), _decode(digest)
    if not raw_salt or not raw_digest:
        return False
    return hmac.compare_digest(hmac.new(raw_salt, name.encode(), hashlib.sha1).digest(), raw_digest)
