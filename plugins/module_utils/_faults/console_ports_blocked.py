# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault console_ports_blocked: the proxies of the graphical console do not reach the consoles of a compute's servers.

The connection itself is tried from each host with nova-novncproxy (`_evidence/consoles.py`); what the compute listens on
and its packet filter (`_firewall.py`) only explain one that failed, and what has to be changed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from .. import _firewall
from .._evidence.consoles import is_loopback
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown

_WISHES = "console_access_wishes"
_PACKET_FILTER = "packet filter"
_NOT_TRIED = (
    "the ports of its consoles were not tried: no host that was looked at runs nova-novncproxy. Have the hosts of the proxies in "
    "the inventory, and in --limit"
)
_KEPT_BY = {
    "firewalld": "firewalld makes the rules of this host, so the port has to be opened there, for the proxies alone: "
    'firewall-cmd [--permanent] --add-rich-rule=\'rule family="ipv4" source address="{source}" '
    'port port="{ports}" protocol="tcp" accept\'',
    "ufw": "ufw makes the rules of this host, so the port has to be opened there, for the proxies alone: "
    "ufw allow proto tcp from {source} to any port {ufw_ports}",
}

Observation = Mapping[str, Any]


class _Failure(NamedTuple):
    """A connection that failed, and the rule of the compute that would explain it."""

    proxy: str
    probe: Mapping[str, Any]
    rules: Optional[_firewall.RuleSet]
    verdict: Optional[_firewall.Verdict]


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """{"compute", "proxy"} as the reader gives them; None for a host that is neither."""
    consoles = evidence["consoles"]
    if consoles["compute"] is None and consoles["proxy"] is None:
        return None
    observation = dict(consoles)
    if consoles["compute"] is not None:
        # What a proxy is asked to try; the playbook hands it on.
        observation["listener"] = {"host": evidence["host"]["name"], **consoles["compute"]["listener"]}
    return observation


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    """Judge each compute with consoles by what every proxy met there."""
    hosts = {name: observation for name, observation in evidence["hosts"].items() if observation}
    proxies = {name: seen["proxy"]["probes"] for name, seen in hosts.items() if seen["proxy"] is not None}
    for name in sorted(hosts):
        compute = hosts[name]["compute"]
        if compute is None:
            continue
        if not proxies:
            yield Unknown(FAULT.id, Target("host", name), _NOT_TRIED)
            continue
        away = sorted(set(proxies) - {name})
        if away and is_loopback(compute["address"]):
            yield _address_of_its_own(name, compute, away)
        elif away and any(is_loopback(console["listen"]) for console in compute["consoles"]):
            yield _guests_on_loopback(name, compute, away)
        yield from _tried(name, compute, proxies)


def _tried(
    name: str, compute: Observation, proxies: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[Union[Finding, Unknown]]:
    failures: list[_Failure] = []
    for proxy in sorted(proxies):
        if proxy != name and is_loopback(compute["address"]):
            continue
        tried = {probe["port"]: probe for probe in proxies[proxy] if probe["host"] == name}
        for port in compute["listener"]["ports"]:
            probe = tried.get(port)
            if probe is None or probe["kind"] == "untried":
                why = probe["message"] if probe else "the proxy was not asked to"
                yield Unknown(FAULT.id, Target("host", name), f"{proxy} did not try port {port} of its consoles: {why}")
            elif probe["kind"] != "ok":
                failures.append(_explained(proxy, probe, compute))
    for kind, of_kind in _by_kind(failures).items():
        yield _finding(name, compute, kind, of_kind)


def _explained(proxy: str, probe: Mapping[str, Any], compute: Observation) -> _Failure:
    found = None
    if probe["source"] and probe["kind"] in ("refused", "prohibited", "timeout"):
        destination = compute["address"] if _is_address(compute["address"]) else ""
        connection = _firewall.Connection(probe["source"], destination, probe["port"], compute["interface"])
        found = _firewall.first_obstacle(compute["firewall"]["rules"], connection)
    if found is not None and found[1].action == "drop" and probe["kind"] != "timeout":
        found = None  # what is dropped is never answered: somebody else refuses it
    return _Failure(proxy, probe, *(found or (None, None)))


def _by_kind(failures: Sequence[_Failure]) -> dict[str, list[_Failure]]:
    kinds: dict[str, list[_Failure]] = {}
    for failure in failures:
        decided = failure.verdict is not None and failure.verdict.action in ("drop", "reject")
        kinds.setdefault("rule" if decided else str(failure.probe["kind"]), []).append(failure)
    return kinds


def _finding(name: str, compute: Observation, kind: str, failures: Sequence[_Failure]) -> Finding:
    probe = failures[0].probe
    proxies = sorted({failure.proxy for failure in failures})
    ports = sorted({failure.probe["port"] for failure in failures})
    evidence: dict[str, Any] = {
        "connections": [
            {"from": failure.proxy, "to": f"{failure.probe['address']}:{failure.probe['port']}", "tcp": _said(failure)}
            for failure in failures
        ],
        "consoles": compute["consoles"][:10],
    }
    words = {
        "host": name,
        "proxies": " and ".join(proxies),
        "ports": ", ".join(map(str, ports)),
        "address": compute["address"],
        "said": _said(failures[0]),
    }
    certainty, summary, expected, reason = _WORDS[kind]
    remedy = None
    if kind == "rule":
        verdict = failures[0].verdict
        assert verdict is not None
        evidence["rule"] = verdict.text
        words["rule"] = verdict.text
        reason, remedy = _remedy(compute, failures)
    elif kind == "refused" and _listens_elsewhere(compute, probe):
        certainty = Certainty.CERTAIN
        reason = (
            f"the servers listen on {compute['consoles'][0]['listen']}, nova gives the proxies {compute['address']}: set "
            "[vnc] server_listen (0.0.0.0) or server_proxyclient_address; it keeps its address until it is rebooted hard"
        )
    unsure = next((f.verdict for f in failures if f.verdict is not None and f.verdict.action == "unsure"), None)
    if unsure is not None:
        evidence["not_judged"] = unsure.text
        reason += f". What this rule does cannot be told from here: {unsure.text}"
    return Finding(
        fault=FAULT.id,
        target=Target("host", name),
        certainty=certainty,
        summary=summary.format(**words),
        subject=_PACKET_FILTER if kind == "rule" else f"console ports: {kind}",
        evidence=evidence,
        expected=expected.format(**words),
        actual=f"{probe['address']}:{probe['port']} from {failures[0].proxy}: {_said(failures[0])}",
        remedy=remedy,
        reason=reason,
    )


_WORDS = {
    "rule": (
        Certainty.CERTAIN,
        "A rule of the packet filter of {host} keeps {proxies} from the consoles of its servers: {rule}",
        "a rule before it that lets the proxies, and only them, reach the console ports",
        "",
    ),
    "refused": (
        Certainty.POSSIBLE,
        "{host} refuses {proxies} on console port {ports}, and no rule of its packet filter explains it",
        "a console that answers on {address}:{ports}",
        "the server may have ended since it was looked at; otherwise something between proxy and compute refuses it",
    ),
    "prohibited": (
        Certainty.PROBABLE,
        "{proxies} cannot reach the consoles of {host}: {said}",
        "a connection to {address}:{ports}",
        "no rule of the packet filter of this host explains it: look at the route, and at what filters on the way",
    ),
    "timeout": (
        Certainty.PROBABLE,
        "{proxies} get no answer from the consoles of {host}",
        "a connection to {address}:{ports}",
        "no rule of the packet filter of this host explains it: look at the route, and at what drops packets on the way",
    ),
    "unresolved": (
        Certainty.CERTAIN,
        "{proxies} cannot resolve {address}, the [vnc] server_proxyclient_address of {host}",
        "a name that the proxies resolve, or an address",
        "which address the proxies reach the compute by is for its operator to say: set [vnc] server_proxyclient_address",
    ),
    "failed": (
        Certainty.PROBABLE,
        "{proxies} cannot connect to the consoles of {host}: {said}",
        "a connection to {address}:{ports}",
        "the message says what the proxy's own network refused",
    ),
}


def _said(failure: _Failure) -> str:
    return str(failure.probe["message"]) or str(failure.probe["kind"])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _listens_elsewhere(compute: Observation, probe: Mapping[str, Any]) -> bool:
    """Whether the guest of a port listens on an address that is not the one which the proxies are given."""
    listens = {console["listen"] for console in compute["consoles"] if console["port"] == probe["port"]}
    return _is_address(compute["address"]) and not listens & {"0.0.0.0", "::", "", compute["address"]}


def _remedy(compute: Observation, failures: Sequence[_Failure]) -> tuple[str, Optional[Remedy]]:
    first, last = compute["ports"]
    sources = sorted({str(failure.probe["source"]) for failure in failures})
    keeper = compute["firewall"]["keeper"]
    if keeper:
        said = _KEPT_BY[keeper]
        return said.format(source=sources[0], ports=f"{first}-{last}", ufw_ports=f"{first}:{last}"), None
    here = {
        "address": compute["address"] if _is_address(compute["address"]) else "",
        "interface": compute["interface"],
        "first": first,
        "last": last,
        "subject": _PACKET_FILTER,
    }
    wishes = [{"source": source, **here} for source in sources]
    return "", Remedy("console_access", Risk.SAFE, {_WISHES: wishes})


def _address_of_its_own(name: str, compute: Observation, proxies: Sequence[str]) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=Target("host", name),
        certainty=Certainty.CERTAIN,
        summary=f"nova sends the console proxies to {compute['address']} for the servers of {name}, which is each proxy's own",
        subject="[vnc] server_proxyclient_address",
        evidence={"proxies": list(proxies), "consoles": compute["consoles"][:10]},
        expected=f"an address of {name} that {' and '.join(proxies)} can reach",
        actual=compute["address"],
        reason=(
            "which address the proxies reach the compute by is for its operator to say: set [vnc] server_proxyclient_address, "
            "such as to $my_ip, and server_listen to 0.0.0.0, and restart nova-compute; a running server listens where it did "
            "until it is rebooted hard or migrated"
        ),
    )


def _guests_on_loopback(name: str, compute: Observation, proxies: Sequence[str]) -> Finding:
    there = [console for console in compute["consoles"] if is_loopback(console["listen"])]
    set_right = not is_loopback(compute["listen"])
    return Finding(
        fault=FAULT.id,
        target=Target("host", name),
        certainty=Certainty.CERTAIN,
        summary=f"Consoles of {name} ({len(there)}) listen on {there[0]['listen']}, where no other host reaches them",
        subject="[vnc] server_listen",
        evidence={"proxies": list(proxies), "consoles": there[:10], "server_listen": compute["listen"]},
        expected="consoles that listen on 0.0.0.0, or on the address that the proxies are given",
        actual=f"{there[0]['listen']}:{there[0]['port']}",
        reason=(
            "the configuration is right by now, but a running server keeps its address: its owner has to agree to a hard reboot"
            if set_right
            else "set [vnc] server_listen to 0.0.0.0 and restart nova-compute; a running server listens where it did until it is "
            "rebooted hard or migrated, to which its owner has to agree"
        ),
    )


FAULT = Fault(
    id="console_ports_blocked",
    reference="F18",
    title="The console proxies do not reach a compute's consoles",
    scope="fleet",
    severity="high",
    symptom=(
        "The graphical console of servers on one compute stays black or says 'Failed to connect to server'; nova-novncproxy logs "
        "ECONNREFUSED, 'No route to host' or 'timed out'"
    ),
    cause=(
        "The proxy connects to [vnc] server_proxyclient_address and the port that libvirt gave to the guest (from 5900 on). "
        "Both addresses of [vnc] are 127.0.0.1 by default, and the compute's packet filter often ends in a REJECT."
    ),
    fix=(
        "Put a rule before the one in the way that lets the proxies, and only them, reach the console ports, now and in the file "
        "that the rules come from. Addresses of [vnc] are left to the operator."
    ),
    detect=detect,
    host_evidence=("consoles",),
    observe_host=observe_host,
)
