# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try, as nova's user, the ssh connections on which cold migration and resize rest (FAULTS.md F21).

ssh runs as nova-compute runs it (user, ~/.ssh/config and keys are the user's own; nova/utils.py:ssh_execute), only
with every option off by which ssh could write: no host key is learnt, no control socket is made.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from .._model import Unavailable
from . import accounts, compute
from ._tree import Tree

AT_ONCE = 8
PROBE_SECONDS = 15
ALL_SECONDS = 60
# Up to this many peers every pair is tried; beyond, a ring and a sample (FAULTS.md F21).
EVERY_PEER = 20
SAMPLE = 4

_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=5",
    "ConnectionAttempts=1",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "ControlMaster=no",
    "ControlPath=none",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "PermitLocalCommand=no",
    "RequestTTY=no",
    "LogLevel=INFO",
)
# Where the user's configuration accepts any host key, so does the probe; it still learns none.
_UNCHECKED = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null")

# In the order in which ssh meets them; the first that is said decides.
_SAID = (
    ("host_key_revoked", re.compile(r"REVOKED HOST KEY")),
    ("host_key_changed", re.compile(r"REMOTE HOST IDENTIFICATION HAS CHANGED|^Host key for \S+ has changed", re.M)),
    ("host_key", re.compile(r"Host key verification failed")),
    ("client_config", re.compile(r"Bad owner or permissions on|Bad configuration option")),
    ("public_key", re.compile(r"Permission denied \(|Too many authentication failures")),
    ("shell", re.compile(r"account is currently not available|This account is not available|nologin")),
    (
        "network",
        re.compile(
            r"Connection (refused|timed out|reset|closed)|Operation timed out|No route to host"
            r"|Network is unreachable|Could not resolve hostname|kex_exchange_identification"
        ),
    ),
)
_NOISE = re.compile(r"^(@+$|@ +WARNING|Warning: Permanently added|\*\*)|^$")


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """Connect from this host to its peers.

    options: groups and compute_groups: a host in one of these groups, or one with a nova-compute, is a compute;
      migration_peers: [{"name": inventory name, "address": name or IP, "port": 22}], this host among them;
      host: which of them this host is (otherwise the one whose address is an address of this host);
      nova_user ("nova").
    Returns {"compute": bool, "user": name or None, "self": own entry of migration_peers or None,
      "sampled": not every peer was tried,
      "probes": [{"peer", "address", "port", "kind", "message", "unchecked"}]}. A host that is no compute, or that has
      no such user, tries nothing. kind: see `classify`. unchecked: it only works because host keys are not checked.
    Raises Unavailable when a compute's connections cannot be tried from here.
    """
    user = str(options.get("nova_user") or "nova")
    nothing: dict[str, Any] = {"compute": False, "user": None, "self": None, "sampled": False, "probes": []}
    if not is_compute(tree, options):
        return nothing
    account = accounts.passwd_entry(tree, user)
    if account is None:
        return {**nothing, "compute": True}
    if not tree.is_live:
        raise Unavailable("an ssh connection cannot be tried from a directory tree; run the check on the host itself")
    if not options.get("migration_peers"):
        raise Unavailable("no ssh connection was tried: migration_peers does not say which hosts are computes")
    peers = [
        {"name": peer["name"], "address": str(peer.get("address") or peer["name"]), "port": int(peer.get("port") or 22)}
        for peer in options["migration_peers"]
    ]
    this = _this_host(peers, options.get("host"))
    if this is None:
        raise Unavailable("no ssh connection was tried: this compute is none of migration_peers")
    if os.geteuid() not in (0, account["uid"]):
        raise Unavailable(f"ssh cannot be tried as {user}: run the check as root (become: true) or as {user}")
    chosen = choose_peers(this["name"], peers)
    return {
        "compute": True,
        "user": user,
        "self": this,
        "sampled": len(chosen) < len(peers) - 1,
        "probes": _try_all(chosen, _runner(account)),
    }


def is_compute(tree: Tree, options: Mapping[str, Any]) -> bool:
    """Whether libvirt's instances run on this host, as far as inventory, installed programs and nova.conf tell.

    Only nova's libvirt driver goes by ssh (nova/virt/libvirt/volume/remotefs.py).
    """
    nova = compute.read(tree, options)
    if nova and nova["driver"] and not nova["driver"].startswith("libvirt"):
        return False
    groups = set(options.get("groups") or ()) & set(options.get("compute_groups") or ("computes",))
    return bool(groups) or any(tree.exists(f"/usr/{place}/nova-compute") for place in ("bin", "sbin", "local/bin"))


def choose_peers(name: str, peers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The peers that this host tries: all of up to 20, otherwise its successor in name order and four more.

    The choice depends on the names alone, so that two runs look at the same pairs.
    """
    ordered = sorted((dict(peer) for peer in peers), key=lambda peer: str(peer["name"]))
    names = [peer["name"] for peer in ordered]
    start = names.index(name) + 1 if name in names else 0
    others = [peer for peer in ordered[start:] + ordered[:start] if peer["name"] != name]
    if len(others) < EVERY_PEER:
        return others
    ranked = sorted(others[1:], key=lambda peer: hashlib.sha256(f"{name} {peer['name']}".encode()).digest())
    return [others[0], *ranked[:SAMPLE]]


def classify(status: Optional[int], stderr: str, stdout: str = "") -> tuple[str, str]:
    """What became of `ssh peer /bin/true`, and the line that says so.

    status: ssh's exit status, None when it was stopped because it took too long. stdout: nologin(8) speaks there.
    Returns (kind, message), kind one of: ok; host_key (none is known), host_key_changed, host_key_revoked,
    public_key (no key of ours is admitted), shell (the account has no login shell), network, client_config (ssh
    refuses its own configuration file), command (authenticated, but the peer runs something else or refuses the
    command, as a forced command does), unknown.
    """
    if status == 0:
        return "ok", ""
    said = f"{stdout}\n{stderr}"
    lines = [line.strip() for line in said.splitlines() if not _NOISE.match(line.strip())]
    if status is None:
        return "network", f"no answer within {PROBE_SECONDS} s"
    for kind, pattern in _SAID:
        if pattern.search(said):
            telling = [line for line in lines if pattern.search(line)]
            return kind, (telling or lines or [""])[-1]
    if status == 255:
        return "unknown", (lines or ["ssh said nothing"])[-1]
    return "command", (lines or [f"the peer ended /bin/true with status {status}"])[-1]


Run = Callable[[Sequence[str], float], "tuple[Optional[int], str, str]"]


def _try_all(peers: Sequence[Mapping[str, Any]], run: Run) -> list[dict[str, Any]]:
    until = time.monotonic() + ALL_SECONDS

    def probe(peer: Mapping[str, Any]) -> dict[str, Any]:
        left = until - time.monotonic()
        if left < 1:
            kind, message, unchecked = "unknown", f"not tried: {ALL_SECONDS} s were over", False
        else:
            kind, message, unchecked = _probe(peer, run, min(left, PROBE_SECONDS))
        return {
            "peer": peer["name"],
            "address": peer["address"],
            "port": peer["port"],
            "kind": kind,
            "message": message,
            "unchecked": unchecked,
        }

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(probe, peers))


def _probe(peer: Mapping[str, Any], run: Run, seconds: float) -> tuple[str, str, bool]:
    kind, message = _connect(peer, run, seconds, ())
    if kind in ("host_key", "host_key_changed") and _accepts(kind, _effective(peer, run)):
        # nova's own connection would go on from here.
        return (*_connect(peer, run, seconds, _UNCHECKED), True)
    return kind, message, False


def _connect(peer: Mapping[str, Any], run: Run, seconds: float, first: Sequence[str]) -> tuple[str, str]:
    # Of two values for an option ssh takes the first.
    arguments = [word for option in (*first, *_OPTIONS) for word in ("-o", option)]
    status, stdout, stderr = run([*arguments, *_where(peer), "/bin/true"], seconds)
    return classify(status, stderr, stdout)


def _where(peer: Mapping[str, Any]) -> list[str]:
    # No user and, where it is the usual one, no port: ~/.ssh/config may name others, and nova-compute obeys it.
    return [*(["-p", str(peer["port"])] if peer["port"] != 22 else []), "--", peer["address"]]


def _effective(peer: Mapping[str, Any], run: Run) -> str:
    _status, stdout, _stderr = run(["-G", *_where(peer)], PROBE_SECONDS)
    match = re.search(r"^stricthostkeychecking (\S+)$", stdout, re.M)
    return match.group(1) if match else "ask"


def _accepts(kind: str, strictness: str) -> bool:
    return strictness in ("no", "off", "false") or (strictness == "accept-new" and kind == "host_key")


def _runner(account: Mapping[str, Any]) -> Run:
    """Run ssh as the user, whatever its login shell is."""
    identity: dict[str, Any] = {}
    if os.geteuid() == 0 and account["uid"] != 0:
        groups = os.getgrouplist(account["user"], account["gid"])
        identity = {"user": account["uid"], "group": account["gid"], "extra_groups": groups}
    environment = {
        "HOME": account["home"],
        "USER": account["user"],
        "LOGNAME": account["user"],
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C",
    }
    # Up to OpenSSH 8.4 ssh makes a missing ~/.ssh when it starts, unless it is told which configuration to read.
    own = [] if os.path.isdir(os.path.join(account["home"], ".ssh")) else ["-F", "/etc/ssh/ssh_config"]
    if own and not os.path.exists(own[1]):
        own = ["-F", "none"]

    def run(arguments: Sequence[str], seconds: float) -> tuple[Optional[int], str, str]:
        try:
            done = subprocess.run(
                ["ssh", *own, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
                cwd="/",
                env=environment,
                **identity,
            )
        except subprocess.TimeoutExpired:
            return None, "", ""
        except OSError as error:
            raise Unavailable(f"ssh cannot be run as {account['user']}: {error.strerror}") from error
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    return run


def _this_host(peers: Sequence[dict[str, Any]], name: Optional[str]) -> Optional[dict[str, Any]]:
    named = [peer for peer in peers if peer["name"] == name]
    return named[0] if named else next((peer for peer in peers if _is_own_address(peer["address"])), None)


def _is_own_address(address: str) -> bool:
    """Whether an address is one of this host: only those can be bound. No packet is sent."""
    try:
        family, kind, protocol, _name, where = socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(where)
    except (OSError, UnicodeError):  # UnicodeError: no name can be like that
        return False
    return True
