# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault network_managers_conflict: two programs configure one interface, and each brings a default route of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from .._evidence.network_managers import same_metric
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown

# Interfaces that neutron and nova make and take away (neutron/agent/linux/interface.py, os-vif).
_OF_OPENSTACK = re.compile(r"^(br-(int|tun|ex)|ovs-system|(tap|qvo|qvb|qbr|brq)[0-9a-f]{8}-[0-9a-f]{2})$")
# Those that can be told to leave one interface alone; the others only as a whole.
_TELLABLE = ("NetworkManager", "systemd-networkd", "ifupdown")

Manager = Mapping[str, Any]


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    reading = evidence["network_managers"]
    host = Target("host", evidence["host"]["name"])
    managers = [manager for manager in reading["managers"] if manager["active"] or not reading["live"]]
    owners: dict[str, list[Manager]] = {}
    for manager in managers:
        for interface in manager["interfaces"]:
            owners.setdefault(interface, []).append(manager)
    shared = {interface: whose for interface, whose in sorted(owners.items()) if len(whose) > 1}
    if shared and not reading["live"]:
        names = " and ".join(manager["name"] for manager in next(iter(shared.values())))
        yield Unknown(
            FAULT.id,
            host,
            f"{names} both configure {', '.join(shared)}; whether both act on it has to be asked on the running host",
        )
        return
    doubled = same_metric(reading["routes"])
    for interface, whose in shared.items():
        routes = [route for group in doubled if any(r["interface"] == interface for r in group) for route in group]
        yield _finding(host, interface, whose, routes, _keeper(whose, reading["keep"]))
    for manager in managers:
        taken = [name for name in manager["interfaces"] if _OF_OPENSTACK.match(name)]
        if manager["name"] == "NetworkManager" and taken:
            yield _of_openstack(host, taken)


def _keeper(whose: Sequence[Manager], wished: str) -> Optional[Manager]:
    """The manager that is to stay: the one that is wished, or the one that has most of the host's interfaces."""
    if wished:
        return next((manager for manager in whose if manager["name"] == wished), None)
    ranked = sorted(whose, key=lambda manager: -len(manager["interfaces"]))
    if len(ranked[0]["interfaces"]) > len(ranked[1]["interfaces"]):
        return ranked[0]
    return None


def _finding(
    host: Target,
    interface: str,
    whose: Sequence[Manager],
    routes: Sequence[Mapping[str, Any]],
    keeper: Optional[Manager],
) -> Finding:
    names = [manager["name"] for manager in whose]
    losers = [manager for manager in whose if manager is not keeper]
    wrong = _routes_of(losers, keeper, interface, routes) if keeper else []
    reason = ""
    if keeper is None:
        reason = f"{' and '.join(names)} have as many interfaces each: say in stackmend_network_manager which of them is to stay"
    elif any(manager["name"] not in _TELLABLE for manager in losers):
        reason = (
            f"{', '.join(m['name'] for m in losers)} cannot be told to leave one interface alone without taking it down: disable "
            "it (do not stop it), and reboot the host when its servers are away"
        )
    elif routes and not wrong:
        reason = "which of the default routes is the wrong one cannot be told from the files of either"
    subject = f"interface {interface}"
    return Finding(
        fault=FAULT.id,
        target=host,
        certainty=Certainty.CERTAIN if routes else Certainty.POSSIBLE,
        severity=None if routes else "low",
        summary=f"{' and '.join(names)} both manage {interface}"
        + (f", and there are {len(routes)} default routes of one metric" if routes else ""),
        subject=subject,
        evidence={
            "managers": {m["name"]: m["configured"].get(interface, {}).get("paths", []) for m in whose},
            "routes": [" ".join(route["words"]) for route in routes],
        },
        expected=f"one manager of {interface}" + (f" ({keeper['name']})" if keeper else ""),
        actual=", ".join(names),
        remedy=None if reason or keeper is None else _remedy(interface, keeper, losers, wrong, subject),
        reason=reason,
    )


def _routes_of(
    losers: Sequence[Manager], keeper: Manager, interface: str, routes: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The routes over this interface that come from the others' files and not from the keeper's."""
    theirs = {gateway for manager in losers for gateway in manager["configured"].get(interface, {}).get("gateways", ())}
    kept = set(keeper["configured"].get(interface, {}).get("gateways", ()))
    return [route for route in routes if route["interface"] == interface and route["gateway"] in theirs - kept]


def _remedy(
    interface: str, keeper: Manager, losers: Sequence[Manager], routes: Sequence[Mapping[str, Any]], subject: str
) -> Remedy:
    wishes = [
        {
            "interface": interface,
            "manager": manager["name"],
            "routes": [
                {"family": route["family"], "words": list(route["words"])}
                for route in routes
                if route["gateway"] in manager["configured"].get(interface, {}).get("gateways", ())
            ],
            "subject": subject,
        }
        for manager in losers
    ]
    return Remedy("network_manager", Risk.DISRUPTIVE, {"network_manager_released": wishes}, rolled=True)


def _of_openstack(host: Target, interfaces: Sequence[str]) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=host,
        certainty=Certainty.POSSIBLE,
        severity="low",
        summary=f"NetworkManager manages {len(interfaces)} interfaces of OpenStack ({', '.join(interfaces[:5])})",
        subject="interfaces of OpenStack",
        evidence={"interfaces": list(interfaces[:50])},
        expected="unmanaged-devices=interface-name:br-*;interface-name:tap*;interface-name:qvo*;interface-name:qbr*",
        actual="managed",
        reason="it can take them down or give them addresses; which of them are meant is for the deployment tool to say",
    )


FAULT = Fault(
    id="network_managers_conflict",
    reference="F13",
    title="Two programs manage one network interface",
    scope="host",
    severity="high",
    symptom="A default route comes back after it is deleted, or the host answers only now and then.",
    cause=(
        "Two of NetworkManager, systemd-networkd, ifupdown, the network scripts and wicked configure the same interface, "
        "each with a default route, of the same metric."
    ),
    fix=(
        "One of them stays: the one that has most of the host's interfaces, or the one that is named. The other is told in "
        "its own files to leave the interface alone, and its route is deleted. No service is stopped. If the host cannot be "
        "reached afterwards, it puts everything back by itself within two minutes."
    ),
    detect=detect,
    host_evidence=("network_managers",),
)
