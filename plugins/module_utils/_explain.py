# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what an explanation needs of a cloud, page by page and provider by provider, and explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from . import _allocations, _scheduling, _scheduling_wish
from ._cloud_readers import CloudReader
from ._evidence import scheduling
from ._evidence.scheduler import default_filters
from ._model import Unavailable
from ._session import Cloud
from ._words import listed

SCHEMA = 1
_READERS = ("flavors", "images", "hypervisors", "compute_services", "aggregates", "placement", "inventories")


def explain(
    cloud: Cloud,
    *,
    flavor: str,
    image: str,
    zone: str = "",
    host: str = "",
    volume_backed: bool = False,
    schedulers: Optional[Mapping[str, Optional[Mapping[str, Any]]]] = None,
    not_read: Sequence[str] = (),
) -> dict[str, Any]:
    """Whether a server would find a host now, which, and why not the others.

    schedulers: {host: what the reader `scheduler` gave there}; not_read: hosts where it gave nothing.
    Raises UnknownName; Unavailable where a service that decides cannot be asked.
    """
    reader = CloudReader(cloud)
    seen: dict[str, Any] = {name: reader(name) for name in _READERS[:5]}
    wish = _scheduling_wish.resolve(seen, flavor, image, zone, host, volume_backed, cloud.project_id)
    # No nova has had so many: the newest that this one has tells its release.
    microversion = cloud.newest_microversion("compute", "2.9999")
    release = _scheduling_wish.release_of(microversion)
    known = schedulers or {}
    setups = _scheduling_wish.setups(known, release, default_filters(release))
    seen.update({name: reader(name) for name in _READERS[5:]})
    leaks, why = _leaks(reader)
    answers = []
    for setup in setups:
        evidence = {
            **seen,
            "scheduling": scheduling.read(cloud, reader, wish, setup),
            "leaks": leaks,
            "leaks_reason": why,
        }
        answers.append(_scheduling.explain(wish, setup, evidence))
    return {
        "schema": SCHEMA,
        "cloud": cloud.name,
        "question": {
            "flavor": {name: wish.flavor[name] for name in ("id", "name", "vcpus", "ram", "disk")},
            "image": {name: wish.image[name] for name in ("id", "name")},
            "availability_zone": zone,
            "host": host,
            "volume_backed": volume_backed,
            "project": wish.project,
        },
        **_scheduling.combine(answers),
        "assumptions": _assumptions(setups[0], microversion, known, not_read, seen, wish),
    }


def _leaks(reader: CloudReader) -> tuple[Optional[list[_allocations.Leak]], str]:
    """What is allocated to nobody and may be given back; None, with the reason, where that could not be judged."""
    try:
        evidence = {name: reader(name) for name in _allocations.READERS}
    except Unavailable as reason:
        return None, str(reason)
    if not _allocations.is_complete(evidence):
        gaps = [gap["reason"] for name in _allocations.READERS for gap in evidence[name].get("gaps", ())]
        return None, gaps[0]
    return [leak for leak in _allocations.leaks(evidence) if not leak.why_not], ""


def _assumptions(
    setup: _scheduling_wish.Setup,
    microversion: str,
    schedulers: Mapping[str, Any],
    not_read: Sequence[str],
    seen: Mapping[str, Any],
    wish: _scheduling_wish.Wish,
) -> list[str]:
    """What the answer rests on and was not read."""
    found = []
    if not setup.hosts:
        of = f"nova {setup.release}" if setup.release else f"today's nova (this one speaks {microversion})"
        why = f"none of {len(schedulers)} hosts read runs it" if schedulers else "no inventory was given"
        found.append(f"nova-scheduler is set up as {of} is by default: {why}")
    if not_read:
        found.append(
            f"no nova-scheduler that is set up differently runs on hosts that could not be read: {listed(not_read, 5)}"
        )
    if wish.zone and not any(row["zone"] == wish.zone for row in seen["aggregates"]["aggregates"]):
        found.append(
            f"no aggregate has the zone {wish.zone}, so that it keeps the server out of no host (nova 28 and newer)"
        )
    if not wish.zone:
        found.append("nova's API has no default_schedule_zone")
    found.append(
        "quotas, ports, volumes, scheduler hints, server groups, and what the hypervisor makes of the image were not looked at"
    )
    return found
