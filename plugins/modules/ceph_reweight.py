#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ceph_reweight: one small step that takes data off OSDs that are near full."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_reweight
short_description: Lower the reweight of OSDs that are near full by one small step
version_added: 0.1.0
description:
  - Lowers the override weight (C(ceph osd reweight)) of at most two OSDs by at most 0.05, never below O(floor), and waits for
    the data to settle.
  - Does nothing while the cluster is degraded, while data moves or may not move, while the balancer is on, or where Ceph's own
    dry run (C(ceph osd test-reweight-by-utilization)) would not lower the OSD.
  - The ratios nearfull, backfillfull and full are never touched, nor are CRUSH weights.
  - One step is often not enough; run it again once the cluster has settled.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  wishes:
    description: The OSDs; at most two.
    type: list
    elements: dict
    required: true
    suboptions:
      osd:
        description: Number of the OSD.
        type: int
        required: true
      expect:
        description: The reweight that it must still have.
        type: float
        required: true
      weight:
        description: The reweight that it is given, at most 0.05 less.
        type: float
        required: true
      subject:
        description: What to call the wish in RV(gone) and RV(left).
        type: str
        default: ''
  command:
    description:
      - The command, as a list, in front of ceph's own arguments, such as C([cephadm, shell, --, ceph]).
      - Without it C(/usr/bin/ceph), with the configuration and key of the administrator in C(/etc/ceph).
    type: list
    elements: str
    default: []
  floor:
    description: The lowest reweight that may be given.
    type: float
    default: 0.8
  wait:
    description: How many seconds to wait for the data to settle; it goes on moving afterwards.
    type: int
    default: 300
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Take some data off osd.3
  stackmend.openstack.ceph_reweight:
    wishes:
      - osd: 3
        expect: 1.0
        weight: 0.95
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose OSD has another reweight by now, or is not near full any more.
  returned: success
  type: list
  elements: str
left:
  description: Wishes that were left alone, each with C(subject) and C(reason).
  returned: success
  type: list
  elements: dict
settled:
  description: Whether all placement groups were active and clean again within O(wait).
  returned: changed
  type: bool
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _ceph_reweight as reweight
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import ceph
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed, Unavailable


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Take the step that the wishes describe, if the cluster is still as it was and may be changed now."""
    wanted = params["wishes"]
    _check(wanted, params["floor"])
    cluster = ceph.read(journal.tree, {"ceph_command": params["command"]})
    if cluster is None:
        raise ChangeFailed(
            "no Ceph cluster is administered from this host: name the command that reaches one (command)"
        )
    near = cluster["ratios"]["nearfull"] * 100
    osds = {osd["id"]: osd for osd in cluster["osds"]}
    same = [
        wish
        for wish in wanted
        if wish["osd"] in osds
        and abs(osds[wish["osd"]]["reweight"] - wish["expect"]) < reweight.EXACT
        and osds[wish["osd"]]["utilization"] >= near
    ]
    gone = [_name(wish) for wish in wanted if wish not in same]
    if not same:
        return {"changed": False, "diff": [], "gone": gone, "left": []}
    reason, moved = reweight.why_not(cluster), ""
    lowered: set[int] = set()
    if not reason:
        try:
            answer = reweight.test(cluster["command"])
        except Unavailable as refusal:
            reason = str(refusal)
        else:
            lowered = {entry["osd"] for entry in answer["reweights"]}
            moved = f"{answer['utilization']['moved_pgs']} of {answer['utilization']['total_pgs']}"
    left = [] if not reason else [{"subject": _name(wish), "reason": reason} for wish in same]
    diff = []
    for wish in same if not reason else ():
        if wish["osd"] not in lowered:
            left.append(
                {
                    "subject": _name(wish),
                    "reason": "Ceph's own dry run would not lower it: it is hardly above the average",
                }
            )
            continue
        osd = osds[wish["osd"]]
        diff.append(
            difference(
                f"osd.{wish['osd']}, {osd['utilization']} % full",
                f"reweight {osd['reweight']}\n",
                f"reweight {wish['weight']} (in Ceph's dry run of such a step {moved} placement groups move)\n",
            )
        )
        if not check_mode:
            fields = {"osd": wish["osd"], "fsid": cluster["fsid"], "command": cluster["command"]}
            journal.record(
                "ceph_reweight", name=f"osd.{wish['osd']}", before=osd["reweight"], after=wish["weight"], **fields
            )
            reweight.lower(cluster["command"], wish["osd"], wish["weight"])
    result: dict[str, Any] = {"changed": bool(diff), "diff": diff, "gone": gone, "left": left}
    if diff and not check_mode:
        result["settled"] = reweight.settled(journal.tree, cluster["command"], params["wait"])
        if not result["settled"]:
            result["warnings"] = [f"data was still moving after {params['wait']} s; look again when it has settled"]
    return result


def _check(wanted: Sequence[Mapping[str, Any]], floor: float) -> None:
    if len(wanted) > reweight.OSDS:
        raise ChangeFailed(f"{len(wanted)} OSDs are too many for one step: name at most {reweight.OSDS}")
    for wish in wanted:
        lowered = wish["expect"] - wish["weight"]
        if not 0 < lowered <= reweight.STEP + reweight.EXACT or wish["weight"] < floor - reweight.EXACT:
            raise ChangeFailed(
                f"osd.{wish['osd']} from {wish['expect']} to {wish['weight']} is no small step: lower it by at most "
                f"{reweight.STEP}, and not below {floor}"
            )


def _name(wish: Mapping[str, Any]) -> str:
    return wish["subject"] or f"osd.{wish['osd']}"


def main() -> None:
    change_host(
        apply,
        {
            "wishes": wishes(
                {
                    "osd": {"type": "int", "required": True},
                    "expect": {"type": "float", "required": True},
                    "weight": {"type": "float", "required": True},
                }
            ),
            "command": {"type": "list", "elements": "str", "default": []},
            "floor": {"type": "float", "default": 0.8},
            "wait": {"type": "int", "default": 300},
        },
    )


if __name__ == "__main__":
    main()
