# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault ceph_osd_nearfull: OSDs of a Ceph cluster that are nearly full, or full, while others have room.

Several hosts can administer one cluster, so it is judged on the control node, once for each cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .. import _ceph_reweight
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

# Worst first. A pool over its quota is none of these.
_CHECKS = {"OSD_FULL": "critical", "OSD_BACKFILLFULL": "high", "OSD_NEARFULL": "medium"}
_ALSO = ("POOL_FULL", "POOL_BACKFILLFULL", "POOL_NEARFULL", "PG_BACKFILL_FULL", "PG_RECOVERY_FULL")


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """What the cluster says here; None for a host from which none is administered."""
    cluster: Optional[dict[str, Any]] = evidence["ceph"]
    return cluster


def detect(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each cluster with an OSD over a ratio."""
    judged: set[str] = set()
    for host in sorted(evidence["hosts"]):
        cluster = evidence["hosts"][host]
        if cluster is None or cluster["fsid"] in judged:
            continue
        judged.add(cluster["fsid"])
        worst = next((name for name in _CHECKS if name in cluster["checks"]), None)
        if worst is not None:
            yield _finding(host, cluster, worst)


def _finding(host: str, cluster: Mapping[str, Any], worst: str) -> Finding:
    near = cluster["ratios"]["nearfull"] * 100
    over = [osd for osd in cluster["osds"] if osd["utilization"] >= near]
    reason, remedy = _remedy(host, cluster, near)
    fullest = cluster["osds"][0]
    return Finding(
        fault=FAULT.id,
        target=Target("ceph_cluster", cluster["fsid"]),
        certainty=Certainty.CERTAIN,
        severity=_CHECKS[worst],
        summary=f"Ceph: {cluster['checks'][worst]['message']}; osd.{fullest['id']} is {fullest['utilization']} % full",
        subject=_SUBJECT,
        evidence={
            "host": host,
            "checks": {name: cluster["checks"][name] for name in (*_CHECKS, *_ALSO) if name in cluster["checks"]},
            "osds": over or [fullest],
            "ratios": cluster["ratios"],
            "average": cluster["average"],
            "balancer": "on" if cluster["balancer"] else "off",
        },
        expected=f"every OSD below {near:.0f} %",
        actual=", ".join(f"osd.{osd['id']} {osd['utilization']} %" for osd in over or [fullest]),
        remedy=remedy,
        reason=reason,
    )


_SUBJECT = "full OSDs"


def _remedy(host: str, cluster: Mapping[str, Any], near: float) -> tuple[str, Optional[Remedy]]:
    reason = _ceph_reweight.why_not(cluster)
    if not reason and cluster["average"] >= near - 5:
        reason = (
            f"the cluster as a whole is {cluster['average']:.0f} % full, so there is nowhere to move data to: delete what nobody "
            "needs (trash, snapshots), or add OSDs"
        )
    steps = _ceph_reweight.step(cluster)
    if not reason and not steps:
        reason = (
            f"the full OSDs have been lowered to {_ceph_reweight.FLOOR} already: going on is for the operator to decide"
        )
    if reason:
        return reason, None
    wishes = [{**step, "subject": f"{cluster['fsid']} {_SUBJECT}"} for step in steps]
    return "", Remedy("ceph_reweight", Risk.DISRUPTIVE, {"ceph_reweight_wishes": wishes}, host=host)


FAULT = Fault(
    id="ceph_osd_nearfull",
    reference="F22",
    title="OSDs of Ceph are nearly full",
    scope="fleet",
    severity="medium",
    symptom=(
        "ceph health says 'nearfull osd(s)', 'backfillfull osd(s)' or 'full osd(s)'; once one OSD is full, every write to its "
        "pools stops, and with it the servers whose disks are there"
    ),
    cause=(
        "Data is spread unevenly, or the cluster has grown full. The ratios are in the OSD map since Luminous; the options "
        "mon_osd_*_ratio count only when a cluster is made."
    ),
    fix=(
        "With the balancer off and the cluster clean, lower the override weight of the fullest OSDs (at most two) by 0.05, never "
        "below 0.8; look again when the data has settled. Ratios are never raised."
    ),
    detect=detect,
    host_evidence=("ceph",),
    observe_host=observe_host,
)
