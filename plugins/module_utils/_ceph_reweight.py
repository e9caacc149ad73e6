# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a careful step of `ceph osd reweight` is, whether it may be taken now, and how it is taken back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ._evidence import ceph
from ._evidence._tree import Tree
from ._model import ChangeFailed, Unavailable

# Larger steps make data move in masses, and fill other OSDs over backfillfull (FAULTS.md F22).
STEP = 0.05
OSDS = 2
FLOOR = 0.8
# A reweight is kept as a number of 1/65536.
EXACT = 0.001
_STOPPED = ("nobackfill", "norebalance", "norecover", "pause", "noup", "noin")
_UNHEALTHY = (
    "PG_DEGRADED",
    "PG_AVAILABILITY",
    "PG_DAMAGED",
    "OSD_DOWN",
    "OSD_FULL",
    "PG_BACKFILL_FULL",
    "PG_RECOVERY_FULL",
)

Cluster = Mapping[str, Any]


def why_not(cluster: Cluster) -> str:
    """Why no data may be moved now, in a sentence; empty when it may."""
    if "OSD_FULL" in cluster["checks"]:
        return "an OSD is full, and nothing can be written: free space first (trash, snapshots), or add OSDs"
    unhealthy = [name for name in _UNHEALTHY if name in cluster["checks"]]
    if unhealthy:
        return f"the cluster has {' and '.join(unhealthy)}: data is moved only in a cluster that is whole"
    stopped = [flag for flag in _STOPPED if flag in cluster["flags"]]
    if stopped:
        return f"the flag {' and '.join(stopped)} is set, so no data would move"
    if cluster["unclean"]:
        return (
            f"{cluster['unclean']} placement groups are not active and clean: data is moving already; wait for its end"
        )
    if cluster["balancer"]:
        return (
            "the balancer is on, and two that move data fight: leave it to the balancer (ceph balancer status says what holds "
            "it up), or turn it off"
        )
    return ""


def step(cluster: Cluster) -> list[dict[str, Any]]:
    """One step: {"osd", "expect", "weight"} for the fullest OSDs over the nearfull ratio that may be lowered."""
    near = cluster["ratios"]["nearfull"] * 100
    full = [osd for osd in cluster["osds"] if osd["utilization"] >= near and osd["reweight"] - STEP >= FLOOR - EXACT]
    return [
        {"osd": osd["id"], "expect": osd["reweight"], "weight": round(osd["reweight"] - STEP, 4)} for osd in full[:OSDS]
    ]


def test(command: Sequence[str]) -> Mapping[str, Any]:
    """Ceph's own dry run of a step of this size; it says how many placement groups would move.

    Raises Unavailable when Ceph refuses to say.
    """
    number = ["101", str(STEP), str(OSDS), "--no-increasing"]
    answer: Mapping[str, Any] = ceph.ask(command, "osd", "test-reweight-by-utilization", *number)
    return answer


def lower(command: Sequence[str], osd: int, weight: float) -> None:
    """Set the reweight of an OSD. Raises ChangeFailed with Ceph's words."""
    try:
        ceph.run([*command, "osd", "reweight", str(osd), str(weight), "--log-file=/dev/null"], "ceph osd reweight")
    except Unavailable as refusal:
        raise ChangeFailed(f"osd.{osd} could not be given the reweight {weight}: {refusal}") from refusal


def settled(tree: Tree, command: Sequence[str], seconds: float) -> bool:
    """Wait until all placement groups are active and clean again and their OSDs have told how full they are."""
    until = time.monotonic() + seconds
    quiet = 0
    while time.monotonic() < until:
        time.sleep(min(2.0, seconds))
        cluster = ceph.read(tree, {"ceph_command": list(command)})
        assert cluster is not None
        quiet = 0 if cluster["unclean"] else quiet + 1
        # The groups are clean for a moment before they begin to move, and usage is told every few seconds.
        if (quiet >= 2 and "OSD_NEARFULL" not in cluster["checks"]) or quiet >= 6:
            return True
    return False


def undo(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Give an OSD the reweight back that it had; (status, reason) as Journal.undo wants it."""
    cluster = ceph.ask(entry["command"], "osd", "dump")
    if cluster["fsid"] != entry["fsid"]:
        raise ChangeFailed(f"{' '.join(entry['command'])} leads to another cluster than the one that was changed")
    now = next((osd["weight"] for osd in cluster["osds"] if osd["osd"] == entry["osd"]), None)
    if now is not None and abs(now - entry["before"]) < EXACT:
        return "unchanged", ""
    if now is None or abs(now - entry["after"]) >= EXACT:
        return "conflict", f"the reweight of {entry['name']} was changed after the run and was left alone"
    if not check_mode:
        lower(entry["command"], entry["osd"], entry["before"])
    return ("would_restore" if check_mode else "restored"), ""
