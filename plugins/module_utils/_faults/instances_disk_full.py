# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault instances_disk_full: a compute has no room, or no inodes, left where nova keeps instances and images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown

GIB = 1 << 30
# FAULTS.md F04: below these a build fails or is about to; below the others the next large image makes it fail.
_FULL_SHARE, _FULL_BYTES = 0.02, 2 * GIB
_LOW_SHARE = 0.10
_SHOWN = 20

Reading = Mapping[str, Any]
Candidate = Mapping[str, Any]


class _Way(NamedTuple):
    """What is cleared away, and what that risks."""

    risk: str
    remove: Sequence[Candidate]
    quarantine: Sequence[Candidate]


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    disk = evidence["instances_disk"]
    if disk is None:
        return
    host = Target("host", evidence["host"]["name"])
    if disk["bytes"] is None:
        yield Unknown(
            FAULT.id, host, f"how full the file system of {disk['path']} is has to be asked on the running host"
        )
        return
    if disk["read_only"]:
        yield _read_only(host, disk)
    # A cache that fits a far smaller disk is no measure: a file system that is half empty has room for the next image.
    low = max(_LOW_SHARE * disk["bytes"]["size"], min(disk["largest"] + disk["reserved"], disk["bytes"]["size"] / 2))
    full = max(_FULL_SHARE * disk["bytes"]["size"], min(_FULL_BYTES, disk["bytes"]["size"] / 2))
    low = max(low, full)
    if disk["bytes"]["free"] < low:
        is_full = disk["bytes"]["free"] < full
        yield _finding(host, disk, "space", is_full, _way(disk, low - disk["bytes"]["free"], "bytes"))
    inodes = disk["inodes"]
    if inodes and inodes["free"] < _LOW_SHARE * inodes["size"]:
        is_full = inodes["free"] < _FULL_SHARE * inodes["size"]
        yield _finding(host, disk, "inodes", is_full, _way(disk, _LOW_SHARE * inodes["size"] - inodes["free"], ""))


def _way(disk: Reading, missing: float, measure: str) -> Optional[_Way]:
    """The least that gives back what is missing; None where all that may be cleared away does not."""
    stale, unused = disk["stale"], disk["unused"]
    if _sum(stale, measure) >= missing:
        return _Way(Risk.SAFE, stale, ())
    if _sum([*stale, *unused], measure) >= missing:
        return _Way(Risk.DESTRUCTIVE, stale, unused)
    return None


def _sum(candidates: Sequence[Candidate], measure: str) -> int:
    return sum(candidate[measure] if measure else 1 for candidate in candidates)


def _finding(host: Target, disk: Reading, what: str, is_full: bool, way: Optional[_Way]) -> Finding:
    subject = f"{disk['path']} {what}"
    have = disk["bytes" if what == "space" else "inodes"]
    free = (
        f"{have['free'] / GIB:.1f} of {have['size'] / GIB:.1f} GiB"
        if what == "space"
        else f"{have['free']} of {have['size']}"
    )
    thing = "room" if what == "space" else "inodes"
    return Finding(
        fault=FAULT.id,
        target=host,
        certainty=Certainty.CERTAIN if is_full else Certainty.POSSIBLE,
        severity="critical" if is_full else "medium",
        summary=f"The file system of {disk['path']} has {'hardly any' if is_full else 'little'} {thing} left: {free} free",
        subject=subject,
        evidence={
            "mount": disk["mount"],
            "filesystem": disk["kind"],
            **have,
            "stale": _shown(disk["stale"]),
            "unused": _shown(disk["unused"]),
            "unused_unknown": disk["unsure"],
        },
        expected=f"at least {_LOW_SHARE:.0%} free, and room for the largest image",
        actual=f"{free} free",
        remedy=_remedy(disk, subject, way) if way else None,
        reason="" if way else _why_not(disk),
    )


def _shown(candidates: Sequence[Candidate]) -> dict[str, Any]:
    return {
        "count": len(candidates),
        "bytes": _sum(candidates, "bytes"),
        "paths": [candidate["path"] for candidate in candidates[:_SHOWN]],
    }


def _remedy(disk: Reading, subject: str, way: _Way) -> Remedy:
    def wishes(action: str, candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
        return [{**candidate, "action": action, "subject": subject} for candidate in candidates]

    return Remedy(
        "instances_disk",
        way.risk,
        {
            "instances_disk_files": [*wishes("remove", way.remove), *wishes("quarantine", way.quarantine)],
            "instances_disk_computes": [{"host": disk["host"], "instances": disk["path"], "cache": disk["cache"]}],
        },
        rolled=True,
    )


def _why_not(disk: Reading) -> str:
    if disk["shared"]:
        return (
            f"{disk['path']} is shared ({disk['kind']}): what looks left over may belong to a server of another compute. Add "
            "room, or clean up with all computes in view"
        )
    given = _sum([*disk["stale"], *disk["unused"]], "bytes")
    doubt = f"; {disk['unsure']}" if disk["unsure"] else ""
    return (
        f"what may be cleared away, {given / GIB:.1f} GiB, is not enough{doubt}. Keep new servers away (openstack compute "
        f"service set --disable {disk['host']} nova-compute), then move servers or add room"
    )


def _read_only(host: Target, disk: Reading) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=host,
        certainty=Certainty.CERTAIN,
        severity="critical",
        summary=f"The file system of {disk['path']} is mounted read-only",
        subject=f"{disk['path']} read-only",
        evidence={"mount": disk["mount"], "filesystem": disk["kind"]},
        expected="a file system that can be written",
        actual="read-only",
        reason="the kernel does this after an error of the disk: look at its log before it is mounted again",
    )


FAULT = Fault(
    id="instances_disk_full",
    reference="F04",
    title="A compute has no room left for instances",
    scope="host",
    severity="critical",
    symptom=(
        'Builds fail on this compute: qemu-img ends with "No space left on device", nova says "Unable to convert image to '
        'raw". The scheduler goes on choosing it, because it counts what flavors promise and not what is there.'
    ),
    cause=(
        "The file system of instances_path has no free bytes or inodes for nova's user: servers that grew, images that nova "
        "keeps, interrupted downloads."
    ),
    fix=(
        "Keep new servers away while it is done; remove downloads that nobody has open and that are older than a day; on "
        "approval move base images that no disk rests on to another file system. Nothing of a server is ever touched. "
        "Scheduling is allowed again only if this run had stopped it."
    ),
    detect=detect,
    host_evidence=("instances_disk",),
)
