# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault api_port_bind_denied: an API server does not start because it cannot have its port.

Errno 13 on a port from 1024 on comes from a security module, errno 98 from another listener; neither ever comes from a
firewall (FAULTS.md F09).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

from .._evidence.port_bindings import ADDRESS_IN_USE, BOOLEAN, PERMISSION_DENIED
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown

# Port 5000 has this type in the base policy; the boolean is made for it (selinux-policy, apache.te).
_TYPE_OF_5000 = "commplex_main_port_t"
# Types of ports that nothing else was given.
_FREE_TYPES = ("unreserved_port_t", "ephemeral_port_t", "port_t")
_DOMAIN = "httpd_t"

Failure = Mapping[str, Any]


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    reading = evidence["port_bindings"]
    host = Target("host", evidence["host"]["name"])
    if reading["configured"]:
        yield Unknown(
            FAULT.id,
            host,
            f"SELinux is to be enforced; whether {', '.join(reading['configured'])} may open its ports has to be asked on the "
            "running host",
        )
    for failure in reading["failures"]:
        if failure["errno"] == ADDRESS_IN_USE:
            yield _in_use(host, failure, reading["listeners"].get(str(failure["port"]), []))
        elif failure["errno"] == PERMISSION_DENIED:
            yield _denied(host, failure, reading)


def _in_use(host: Target, failure: Failure, listeners: list[Mapping[str, Any]]) -> Finding:
    who = ", ".join(sorted({entry["unit"] or entry["process"] for entry in listeners}))
    where = f"port {failure['port']}" if failure["port"] else "its port"
    return Finding(
        fault=FAULT.id,
        target=host,
        certainty=Certainty.CERTAIN if listeners else Certainty.POSSIBLE,
        summary=f"{failure['unit']} does not run: {where} is in use" + (f" by {who}" if who else ""),
        subject=_subject(failure),
        evidence={**failure, "listeners": list(listeners)},
        expected=f"{where} free for {failure['unit']}",
        actual=f"{who} listens on it" if who else "address already in use, by its log; nobody listens now",
        reason=(
            f"which of {who} and {failure['unit']} is to have {where} is for the operator to say; stop the other, or give it "
            "another port"
            if who
            else f"the port is free again: start {failure['unit']}"
        ),
    )


def _denied(host: Target, failure: Failure, reading: Mapping[str, Any]) -> Finding:
    port = failure["port"]
    denial = next((d for d in reading["denials"] if d["port"] == port and d["domain"] == _DOMAIN), None)
    enforced = reading["selinux"] == "Enforcing"
    remedy, reason = _way_out(failure, reading, denial)
    sure = enforced and denial is not None
    expected = f"SELinux lets {_DOMAIN} open port {port}" if enforced else f"{failure['unit']} may open port {port}"
    if remedy and "selinux_httpd_booleans" in remedy.vars:
        expected = f"{BOOLEAN} on"
    return Finding(
        fault=FAULT.id,
        target=host,
        certainty=Certainty.CERTAIN if sure else Certainty.PROBABLE if enforced else Certainty.POSSIBLE,
        summary=f"{failure['unit']} does not run: it may not open port {port}" + (" (SELinux)" if sure else ""),
        subject=_subject(failure),
        evidence={
            **failure,
            "selinux": reading["selinux"],
            "booleans": dict(reading["booleans"]),
            "denial": dict(denial) if denial else {},
        },
        expected=expected,
        actual=f"{BOOLEAN} off" if expected.endswith(" on") else "permission denied",
        remedy=remedy,
        reason=reason,
    )


def _way_out(
    failure: Failure, reading: Mapping[str, Any], denial: Optional[Mapping[str, Any]]
) -> tuple[Optional[Remedy], str]:
    port, unit = failure["port"], failure["unit"]
    if reading["selinux"] != "Enforcing":
        if 0 < port < 1024:
            return None, f"a port below 1024 takes CAP_NET_BIND_SERVICE: give it to {unit}, or take another port"
        return None, "SELinux is not in force here; look for AppArmor's denials in the kernel's log"
    if denial is None and port != 5000:
        return None, f"the audit log has no denial for port {port}: ausearch -m avc -ts recent, semodule -DB"
    kind = denial["type"] if denial else _TYPE_OF_5000
    if kind == _TYPE_OF_5000:
        if reading["booleans"].get(BOOLEAN) is False:
            return _remedy(failure, booleans=[{"name": BOOLEAN, "value": True, "subject": _subject(failure)}]), ""
        if BOOLEAN not in reading["booleans"]:
            return None, f"the policy of this host has no {BOOLEAN}: install openstack-selinux"
        return None, f"{BOOLEAN} is on already: ausearch -m avc -ts recent says what else is denied"
    if kind in _FREE_TYPES:
        return _remedy(failure, ports=[{"port": port, "type": "http_port_t", "subject": _subject(failure)}]), ""
    return None, f"port {port} belongs to {kind}, which others rely on: install openstack-selinux, or take another port"


def _remedy(failure: Failure, **wishes: list[dict[str, Any]]) -> Remedy:
    vars_ = {f"selinux_httpd_{name}": wish for name, wish in wishes.items()}
    return Remedy("selinux_httpd", Risk.SAFE, {**vars_, "selinux_httpd_units": [failure["unit"]]}, rolled=True)


def _subject(failure: Failure) -> str:
    return f"{failure['unit']} port {failure['port']}"


FAULT = Fault(
    id="api_port_bind_denied",
    reference="F09",
    title="An API server cannot open its port",
    scope="host",
    severity="critical",
    symptom=(
        'httpd ends with "(13)Permission denied: AH00072: make_sock: could not bind to address [::]:5000", or another API '
        'server with "[Errno 98] Address already in use"; the API does not answer.'
    ),
    cause=(
        "SELinux does not let httpd open the port (5000 has a type of its own, and httpd_use_openstack is off), or another "
        "process has it. A firewall never causes this."
    ),
    fix=(
        "Switch httpd_use_openstack on, or give a port that has no type the type http_port_t, and start the server. SELinux "
        "stays in force. Where another process has the port it is named, and nothing is changed."
    ),
    detect=detect,
    host_evidence=("port_bindings",),
)
