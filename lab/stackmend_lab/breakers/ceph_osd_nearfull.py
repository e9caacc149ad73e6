# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write into a real Ceph cluster until one of its OSDs is over the nearfull ratio, which stays as Ceph sets it."""

from __future__ import annotations

from typing import Any

from ..ceph import OSDS, POOL, Ceph
from ._breaker import Breaker

NEARFULL = 85.0


def break_(ceph: Ceph) -> None:
    """The fullest OSD holds a little more than the nearfull ratio; a step of reweight takes it below."""
    ceph.fill(NEARFULL)
    ceph.wait("nearfull", lambda: "OSD_NEARFULL" in ceph.checks())


def mend(ceph: Ceph) -> None:
    """Remove the objects and put back what a near miss set."""
    ceph.ask("osd", "unset", "noout")
    ceph.ask("osd", "pool", "set-quota", POOL, "max_bytes", "0")
    for number in range(OSDS):
        ceph.ask("osd", "reweight", str(number), "1")
    ceph.empty()
    ceph.wait("health", lambda: not ceph.checks())
    ceph.settle()


def symptom(ceph: Ceph) -> str | None:
    """What the cluster says of its health once it has settled, as far as it is about space on OSDs."""
    ceph.settle()
    said = [
        f"{name}: {check['summary']['message']}" for name, check in ceph.checks().items() if name.startswith("OSD_")
    ]
    flags = "OSDMAP_FLAGS"
    return "; ".join(entry for entry in said if not entry.startswith(flags)) or None


def state(ceph: Ceph) -> dict[str, Any]:
    """Weights, ratios, flags and the balancer: what a remedy could change."""
    map_ = ceph.ask("osd", "dump")
    kept = {name: map_[name] for name in ("nearfull_ratio", "backfillfull_ratio", "full_ratio", "flags")}
    nodes = ceph.ask("osd", "df")["nodes"]
    weights = {node["name"]: [round(node["reweight"], 4), node["crush_weight"]] for node in nodes}
    return {**kept, **weights, "balancer": ceph.ask("balancer", "status")["active"]}


def over_quota(ceph: Ceph) -> None:
    """A pool that is full because its quota says so, on OSDs with room."""
    ceph.fill(10.0)
    ceph.ask("osd", "pool", "set-quota", POOL, "max_bytes", "1000000")
    ceph.wait("a full pool", lambda: "POOL_FULL" in ceph.checks())


def maintenance(ceph: Ceph) -> None:
    """A cluster that warns of something else: noout is set."""
    ceph.ask("osd", "set", "noout")
    ceph.wait("the warning", lambda: "OSDMAP_FLAGS" in ceph.checks())


BREAKER = Breaker(
    fault="ceph_osd_nearfull",
    needs="ceph",
    break_=break_,
    mend=mend,
    symptom=symptom,
    state=state,
    near_misses={"a pool over its quota": over_quota, "noout is set": maintenance},
    approve="disruptive",
)
