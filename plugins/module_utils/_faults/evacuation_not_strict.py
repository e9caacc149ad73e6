# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""evacuation_not_strict (F30): a script evacuates every host whose name contains the one it was given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    calls = evidence["scripts"]["calls"]
    return {"calls": calls} if calls else None


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    return {"hypervisors": [row["name"] for row in evidence["hypervisors"]["hypervisors"]]}


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: {"calls": [...]}}, "cloud": {"hypervisors": [names]} or None}."""
    names: Sequence[str] = evidence["cloud"]["hypervisors"] if evidence["cloud"] else ()
    for host, observation in evidence["hosts"].items():
        for call in observation["calls"] if observation else ():
            yield _finding(Target("host", host), call, names)


def like(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that nova's API finds for a pattern: SQL's LIKE '%pattern%', so that `_` and `%` are wildcards.

    nova/db/main/api.py compute_node_search_by_hypervisor; the collation of MySQL ignores case.
    """
    wild = "".join({"_": ".", "%": ".*"}.get(character, re.escape(character)) for character in pattern)
    return [name for name in names if re.search(wild, name, re.IGNORECASE)]


def collisions(names: Sequence[str]) -> dict[str, list[str]]:
    """{name: the other hosts that asking for it selects too}, for whole names and for those before the first dot."""
    asked = dict.fromkeys([*names, *(name.split(".")[0] for name in names)])
    found = {}
    for name in asked:
        others = [other for other in like(name, names) if other != name and other.split(".")[0] != name]
        if others:
            found[name] = others
    return found


def _finding(target: Target, call: Mapping[str, Any], names: Sequence[str]) -> Finding:
    argument = call["argument"]
    exact = _exact(argument, names) if argument else None
    if argument:
        others = {argument: [name for name in like(argument, names) if name != exact]}
    else:
        others = collisions(names)
    others = {name: hit for name, hit in others.items() if hit}
    where = f"{call['path']}:{call['line']}"
    what = (
        "searches hypervisors by pattern"
        if call["command"] == "search"
        else f"calls {call['command']} without --strict"
    )
    if others:
        asked, hit = next(iter(others.items()))
        effect = f"asking for {asked} also takes {', '.join(hit[:5])}{' and more' if len(hit) > 5 else ''}"
    else:
        effect = "no two hosts of this cloud are confused by it today"
    remedy, reason = _remedy(call, argument, exact, names)
    return Finding(
        fault=FAULT.id,
        target=target,
        certainty=Certainty.CERTAIN if others else Certainty.POSSIBLE,
        severity=FAULT.severity if others else "medium",
        subject=where,
        summary=f"{where} {what}: {effect}",
        evidence={"file": call["path"], "line": call["line"], "command": call["command"], "also_selected": others},
        expected="the exact hypervisor name with --strict, or the servers filtered by the exact service host",
        actual=f"{call['command']} {argument or 'with a variable host'}, matched anywhere in the name",
        remedy=remedy,
        reason=reason,
    )


def _exact(argument: str, names: Sequence[str]) -> Optional[str]:
    """The one hypervisor that a written-out name means: itself, or the host name of exactly one."""
    if argument in names:
        return argument
    full = [name for name in names if name.split(".")[0] == argument]
    return full[0] if len(full) == 1 else None


def _remedy(
    call: Mapping[str, Any], argument: Optional[str], exact: Optional[str], names: Sequence[str]
) -> tuple[Optional[Remedy], str]:
    if call["command"] == "search":
        return None, "select servers by the exact filter host=<service host> instead; this code is not changed for you"
    if not names:
        return None, "without the cloud's host names it is not known whether --strict would still find the host"
    if argument and exact is None:
        return None, f"no single hypervisor is called {argument}: write its exact hypervisor_hostname and add --strict"
    if not argument and any("." in name for name in names):
        return None, (
            "the hypervisors have dotted names; with --strict a short name finds nothing, so make sure that the variable "
            "holds the hypervisor_hostname before adding it"
        )
    wish = {
        "path": call["path"],
        "line": call["line"],
        "command": call["command"],
        "argument": argument,
        "exact": exact,
        "digest": call["digest"],
        "subject": f"{call['path']}:{call['line']}",
    }
    # It is the operator's own code, run when hosts fail: nobody wants to learn of its change that night.
    return Remedy(
        "evacuation_strict", Risk.DISRUPTIVE, {"evacuation_strict_calls": [wish]}
    ), "it is the operator's own code"


FAULT = Fault(
    id="evacuation_not_strict",
    reference="F30",
    title="Evacuation that selects hosts by a part of their name",
    scope="host+cloud",
    severity="critical",
    symptom="After one host failed, servers of healthy hosts were evacuated too: of HOST-340 to HOST-349 when HOST-34 went down.",
    cause="`nova host-evacuate NAME` (and host-evacuate-live, host-servers-migrate, host-meta) takes every hypervisor whose "
    "name contains NAME unless --strict is given; in SQL's LIKE `_` and `%` are wildcards besides.",
    fix="Add --strict with the exact hypervisor_hostname, or use the playbook stackmend.openstack.evacuate, which selects "
    "by the exact service host, refuses while the service is up, and asks for confirmed fencing. Never rename hosts.",
    host_evidence=("scripts",),
    cloud_evidence=("hypervisors",),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
