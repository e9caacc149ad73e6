# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault migration_ssh_broken: nova cannot go from one compute to another by ssh, so resize and cold migration fail.

Every ordered pair of computes is tried for real (`_evidence/ssh.py`); what the accounts look like (`_evidence/
accounts.py`) only explains a pair that failed, and whose side has to be mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._model import CERTAINTIES, Certainty, Evidence, Fault, Finding, Remedy, Risk, Target
from .._ssh_files import admits

_ROLE = "nova_migration_ssh"
_HOSTS = "nova_migration_ssh_hosts"
_NO_LOGIN = ("nologin", "false")

Observation = Mapping[str, Any]


class _Cause(NamedTuple):
    """What is wrong on one host. subject: where; expected and summary: for the reader; by_hand: why no remedy."""

    subject: str
    summary: str
    expected: str
    by_hand: str = ""


_CAUSES = {
    "identity": _Cause("{ssh}", "{user} on {host} has no ssh key to show to {peers}", "a private key that ssh uses"),
    "known_hosts": _Cause(
        "{ssh}/known_hosts",
        "{user} on {host} does not trust the host key of {peers}",
        "the present host keys of the peers",
    ),
    "authorized_keys": _Cause(
        "{ssh}/authorized_keys",
        "{host} does not admit the key of {user} on {peers}",
        "the public key of each peer, from its address",
    ),
    "shell": _Cause(
        "login shell of {user}", "{user} on {host} has no login shell, so no command of {peers} runs there", "/bin/sh"
    ),
    "modes": _Cause(
        "modes of {ssh}",
        "ssh refuses the modes or owner of files of {user} on {host}",
        "owned by {user}, writable by nobody else, private keys readable by nobody else",
    ),
    "network": _Cause(
        "network",
        "{peers} cannot reach the sshd of {host}",
        "an sshd that answers on the migration address",
        "whether sshd, a firewall, a route or a name is at fault has to be found on the network",
    ),
    "sshd": _Cause(
        "sshd of {host}",
        "sshd of {host} refuses {user} of {peers} by its own configuration",
        "a configuration of sshd that admits {user}",
        "sshd reads other key files or has Allow, Deny or ForceCommand rules for {user}; "
        "who manages them has to admit the peers",
    ),
    "refused": _Cause(
        "sshd of {host}",
        "sshd of {host} refuses {user} of {peers} although their keys are in authorized_keys",
        "a connection",
        "the reason is in the log of sshd on {host}",
    ),
    "client_config": _Cause(
        "{ssh}/config",
        "ssh of {user} on {host} does not accept its configuration",
        "a configuration that ssh reads",
        "the line that ssh names has to be mended by whoever wrote it",
    ),
    "revoked": _Cause(
        "{ssh}/known_hosts",
        "{user} on {host} finds the host key of {peers} revoked",
        "a host key that is not revoked",
        "a revoked host key is never trusted again by a tool: give the peer a new one",
    ),
    "unknown": _Cause(
        "ssh from {host}", "ssh from {host} to {peers} fails in an unknown way", "a connection", "see the message"
    ),
}
_WORKING = ("ok", "command")


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """This compute's row of the matrix and the facts that explain it; None for a host that carries no instances.

    Shape: {"self": {"name", "address", "port"}, "sampled": bool, "probes": [...], "account": {...}}.
    """
    ssh, account = evidence["ssh"], evidence["accounts"]
    if not ssh["compute"] or ssh["self"] is None or account["user"] is None:
        return None
    this = {**ssh["self"], "name": evidence["host"]["name"]}
    return {"self": this, "sampled": ssh["sampled"], "probes": ssh["probes"], "account": account}


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge the matrix. A pair one of whose ends said nothing is not judged: the core reports the silent host."""
    hosts = {name: observation for name, observation in evidence["hosts"].items() if observation}
    blamed: dict[tuple[str, str], dict[tuple[str, str], tuple[str, str]]] = {}
    for source in sorted(hosts):
        for probe in hosts[source]["probes"]:
            peer = probe["peer"]
            if peer == source or peer not in hosts:
                continue
            for owner, cause, certainty in _blame(hosts[source], hosts[peer], probe):
                blamed.setdefault((owner, cause), {})[(source, peer)] = (certainty, probe["message"])
    for (owner, cause), pairs in sorted(blamed.items()):
        yield _finding(hosts, owner, cause, pairs)
    yield from _hygiene(hosts, {owner for owner, cause in blamed if cause == "modes"})


def _blame(source: Observation, peer: Observation, probe: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(host, cause, certainty) of all that keeps this pair apart: ssh names only the first obstacle it meets."""
    here, there, kind = source["self"]["name"], peer["self"]["name"], probe["kind"]
    no_shell = peer["account"]["shell"].rpartition("/")[2] in _NO_LOGIN
    if kind == "ok" or (kind == "command" and not no_shell):
        return
    if kind in ("host_key", "host_key_changed"):
        yield here, "known_hosts", Certainty.CERTAIN
    elif kind == "client_config":
        loose = "Bad owner or permissions" in probe["message"]
        yield here, "modes" if loose else "client_config", Certainty.CERTAIN
    elif kind == "host_key_revoked":
        yield here, "revoked", Certainty.CERTAIN
    elif kind == "network":
        yield there, "network", Certainty.CERTAIN
    elif kind == "unknown":
        yield here, "unknown", Certainty.POSSIBLE
    if kind == "public_key":
        yield from _key_causes(source, peer, Certainty.CERTAIN)
    elif kind in ("host_key", "host_key_changed"):
        yield from (
            (owner, cause, sure)
            for owner, cause, sure in _key_causes(source, peer, Certainty.PROBABLE)
            if cause not in ("sshd", "refused")
        )
    if no_shell and kind not in ("network", "unknown"):
        yield there, "shell", Certainty.CERTAIN


def _key_causes(source: Observation, peer: Observation, certainty: str) -> Iterator[tuple[str, str, str]]:
    """Why the peer admits none of the source's keys; nothing when a key should be admitted and modes are right."""
    here, there = source["self"]["name"], peer["self"]["name"]
    account, other = source["account"], peer["account"]
    identities = [identity for identity in account["identities"] if identity["used"]]
    readable = [identity for identity in identities if not _loose(identity, 0o077)]
    if not identities:
        yield here, "identity", certainty
    elif not readable:
        yield here, "modes", certainty
    fingerprints = {identity["fingerprint"] for identity in (readable or identities)}
    address = source["self"]["address"]
    if other["sshd"]["keys_elsewhere"]:
        if readable:
            yield there, "sshd", certainty
    elif not any(key["fingerprint"] in fingerprints and admits(key["from"], address) for key in other["authorized"]):
        yield there, "authorized_keys", certainty
    elif any(_loose(entry, 0o022) for entry in _guarded(other)):
        yield there, "modes", certainty
    elif readable:
        yield there, "sshd" if other["sshd"]["rules"] else "refused", certainty


def _guarded(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What sshd's StrictModes looks at."""
    files = [*account["directories"].values(), account["authorized_keys"]]
    return [entry for entry in files if entry]


def _loose(entry: Mapping[str, Any], forbidden: int) -> bool:
    return entry["foreign"] or bool(int(entry["mode"], 8) & forbidden)


def _finding(
    hosts: Mapping[str, Observation],
    owner: str,
    cause: str,
    pairs: Mapping[tuple[str, str], tuple[str, str]],
) -> Finding:
    words, account = _CAUSES[cause], hosts[owner]["account"]
    peers = sorted({name for pair in pairs for name in pair if name != owner})
    names = {
        "user": account["user"],
        "host": owner,
        "ssh": account["home"].rstrip("/") + "/.ssh",
        "peers": _enumerate(peers),
    }
    subject = words.subject.format(**names)
    # Of a large fleet only some pairs were tried: what failed for them is put right for all.
    wished = sorted(set(hosts) - {owner}) if hosts[owner]["sampled"] else peers
    return Finding(
        fault=FAULT.id,
        target=Target("host", owner),
        certainty=max((certainty for certainty, _message in pairs.values()), key=CERTAINTIES.index),
        summary=words.summary.format(**names),
        subject=subject,
        evidence={
            "cause": cause,
            "pairs": [
                {"from": here, "to": there, "ssh": message}
                for (here, there), (_certainty, message) in sorted(pairs.items())
            ],
        },
        expected=words.expected.format(**names),
        actual=_actual(cause, account, pairs),
        remedy=None if words.by_hand else _remedy(hosts, wished, subject, account["user"]),
        reason=words.by_hand.format(**names),
    )


def _actual(cause: str, account: Mapping[str, Any], pairs: Mapping[tuple[str, str], tuple[str, str]]) -> str:
    if cause == "shell":
        return str(account["shell"])
    if cause == "identity":
        return "no private key that ssh would use"
    if cause == "authorized_keys":
        return "no line that admits it"
    state = _state_of(account) if cause == "modes" else ""
    return state or sorted({message for _certainty, message in pairs.values()})[0]


def _state_of(account: Mapping[str, Any]) -> str:
    loose = [entry for entry in _guarded(account) if _loose(entry, 0o022)]
    loose += [entry for entry in account["identities"] if _loose(entry, 0o077)]
    return ", ".join(f"{entry['path']} {entry['mode']}" + (" of another owner" * entry["foreign"]) for entry in loose)


def _remedy(hosts: Mapping[str, Observation], peers: Sequence[str], subject: str, user: str) -> Remedy:
    wishes = [
        {
            **hosts[peer]["self"],
            "user": user,
            "keyless": not any(identity["used"] for identity in hosts[peer]["account"]["identities"]),
            "subject": subject,
        }
        for peer in peers
    ]
    return Remedy(_ROLE, Risk.DISRUPTIVE, {_HOSTS: wishes})


def _hygiene(hosts: Mapping[str, Observation], reported: set[str]) -> Iterator[Finding]:
    """What works, and should not be left so: no remedy, because each may be somebody's decision."""
    owners: dict[str, list[str]] = {}
    for name in sorted(hosts):
        for fingerprint in {identity["fingerprint"] for identity in hosts[name]["account"]["identities"]} - {""}:
            owners.setdefault(fingerprint, []).append(name)
    for name in sorted(hosts):
        account = hosts[name]["account"]
        user, folder = account["user"], account["home"].rstrip("/") + "/.ssh"
        shared = {print_: names for print_, names in owners.items() if name in names and len(names) > 1}
        if shared:
            others = sorted({other for names in shared.values() for other in names} - {name})
            yield _remark(
                name,
                f"{folder} shared private key",
                f"{user} on {name} has the same private key as on {_enumerate(others)}",
                "a private key of its own",
                {"fingerprints": sorted(shared), "hosts": others},
                "whoever takes one of these hosts has the key of all; replacing it is for the tool that deployed it",
            )
        if account["strict_checking_off"]:
            yield _remark(
                name,
                f"{folder}/config StrictHostKeyChecking",
                f"{user} on {name} accepts any host key",
                "StrictHostKeyChecking yes and known host keys",
                {"hosts": account["strict_checking_off"]},
                "nova's connections can be intercepted; the line goes once known_hosts is complete",
            )
        state = _state_of(account)
        if state and name not in reported:
            yield _remark(
                name,
                f"{folder} modes",
                f"files of {user} on {name} can be read or written by others",
                "private keys 0600, nothing writable by others",
                {"files": state},
                "ssh works as it is; tighten the modes with chmod",
            )


def _remark(host: str, subject: str, summary: str, expected: str, evidence: Mapping[str, Any], reason: str) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=Target("host", host),
        certainty=Certainty.POSSIBLE,
        summary=summary,
        subject=subject,
        evidence=evidence,
        expected=expected,
        reason=reason,
        severity="low",
    )


def _enumerate(names: Sequence[str]) -> str:
    shown = list(names[:5])
    if len(names) > 5:
        shown.append(f"{len(names) - 5} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


FAULT = Fault(
    id="migration_ssh_broken",
    reference="F21",
    title="nova cannot reach another compute by ssh",
    scope="fleet",
    severity="high",
    symptom=(
        "Resize and cold migration fail and the server goes back to ACTIVE; nova-compute logs 'not able to execute ssh "
        "command' with 'Host key verification failed', 'Permission denied' or 'This account is currently not available'"
    ),
    cause=(
        "nova-compute copies instance files as its own user by ssh (nova/virt/libvirt/volume/remotefs.py); a key, a "
        "host key, a mode or the login shell is missing or wrong on one of the two computes."
    ),
    fix=(
        "Give each compute a key of its own if it has none, make the peers' host keys known and their keys admitted "
        "from their addresses only, and give the user a login shell. Nothing that is there is overwritten."
    ),
    detect=detect,
    host_evidence=("ssh", "accounts"),
    # nova's own address for each compute; without it the inventory's counts
    cloud_hints=("hypervisors",),
    observe_host=observe_host,
)
