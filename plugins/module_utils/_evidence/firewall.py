# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the packet filter of this host: what decides about connections that come in, and who keeps the rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, Optional

from .. import _firewall
from .._model import Unavailable
from . import _commands
from ._tree import Tree

SECONDS = 30.0
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
# Where the rules of a boot come from, by the tool that they are loaded with.
FILES = {
    "iptables": ("/etc/iptables/rules.v4", "/etc/sysconfig/iptables"),
    "ip6tables": ("/etc/iptables/rules.v6", "/etc/sysconfig/ip6tables"),
    "nft": ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf"),
}


def read(tree: Tree) -> dict[str, Any]:
    """{"keeper": "firewalld", "ufw" or "", "rules": [rule set of `_firewall`]}, every base chain of the input hook.

    keeper: the program that made the rules and would make them again, so that none may be added beside it.
    Raises Unavailable for a directory that stands for a host, and where the rules cannot be listed.
    """
    if not tree.is_live:
        raise Unavailable("the packet filter of a directory tree cannot be read; run the check on the host itself")
    rules: list[dict[str, Any]] = []
    shown: set[tuple[str, str]] = set()
    for tool, family in (("iptables", "ip"), ("ip6tables", "ip6")):
        text = run([f"{tool}-save"])
        if text is None:
            continue
        rules.append(_firewall.parse_iptables(text, tool))
        if "(nf_tables)" in text.partition("\n")[0]:
            shown |= {(family, table) for table in re.findall(r"^\*(\S+)$", text, re.M)}
    document = run(["nft", "-j", "list", "ruleset"])
    if document is not None:
        own = _firewall.parse_nft(document, shown)
        rules.extend(_firewall.with_nft_texts(own, run(["nft", "-a", "list", "ruleset"]) or "") if own else ())
    return {"keeper": _keeper(tree), "rules": [_firewall.relevant(entry) for entry in rules]}


def run(command: Sequence[str], given: Optional[str] = None, seconds: float = SECONDS) -> Optional[str]:
    """What a program of the packet filter says; None where it is not installed.

    Raises Unavailable with its own words where it fails.
    """
    program = shutil.which(command[0], path=_PATH)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            input=given or "",
            capture_output=True,
            text=True,
            errors="replace",  # a comment may hold anything
            timeout=seconds,
            check=False,
            env={"PATH": _PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"the packet filter could not be asked by {' '.join(command)}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise Unavailable(f"the packet filter could not be asked by {' '.join(command)}: {said[-1]}")
    return str(done.stdout)


def _keeper(tree: Tree) -> str:
    try:
        running = _commands.run(["systemctl", "is-active", "firewalld.service"], SECONDS).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        running = ""
    if running == "active":
        return "firewalld"
    try:
        enabled = re.search(r"^ENABLED=yes", tree.read_text("/etc/ufw/ufw.conf"), re.M)
    except (OSError, Unavailable):
        enabled = None
    return "ufw" if enabled else ""
