# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F17: the share of a disk that may be promised is lowered below what servers have been promised of it."""

from __future__ import annotations

from ..lab import Lab
from . import _placement
from ._breaker import Breaker
from ._changes import Changes

FAULT = "disk_overcommitted"
HOST = "HOST-34"
NAME = "spacious"
GIB = 400
WHOLE = 1000  # GiB; the lab's FakeDriver


def _boot(lab: Lab, servers: int, ratio: float) -> None:
    _placement.flavor(lab, NAME, disk=GIB)
    # A ratio above 1 has to be there first, one that is too low only afterwards.
    if ratio > 1:
        _placement.ratio(lab, HOST, "DISK_GB", ratio)
    for number in range(servers):
        Changes(lab, FAULT).boot(f"{NAME}-{number}", HOST, flavor=NAME)
    _placement.ratio(lab, HOST, "DISK_GB", ratio)


def break_(lab: Lab) -> None:
    _boot(lab, 1, 0.25)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()
    _placement.ratio(lab, HOST, "DISK_GB", 1.0)
    _placement.no_flavor(lab, NAME)


def symptom(lab: Lab) -> str | None:
    """Whether placement counts more than there is, and so refuses what is asked of the host."""
    uuid = _placement.provider(lab, HOST)
    placement = lab.cloud().placement
    used = placement.get(f"/resource_providers/{uuid}/usages").json()["usages"]["DISK_GB"]
    ratio = placement.get(f"/resource_providers/{uuid}/inventories/DISK_GB").json()["allocation_ratio"]
    if used <= WHOLE * ratio:
        return None
    room = _placement.candidates(lab, "DISK_GB:1", HOST)
    return (
        f"{used} GiB of {HOST} are promised and {WHOLE * ratio:.0f} may be: {room} candidates for another server there"
    )


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a disk that is promised to the last GiB": lambda lab: _boot(lab, 1, 0.4),
        "more promised than there is, within a ratio that was chosen": lambda lab: _boot(lab, 3, 1.5),
    },
    report_only=True,
)
