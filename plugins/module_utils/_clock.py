# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By how much a host's clock is wrong, measured as NTP does, from the four times of a question and its answer (RFC 5905, 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional


def offset(sent: float, began: float, ended: float, received: float) -> dict[str, float]:
    """{"offset": seconds that the other clock is ahead, "uncertainty": the most by which that may be wrong}.

    sent, received: by the own clock; began, ended: by the other one.
    """
    return {
        "offset": round(((began - sent) + (ended - received)) / 2, 3),
        "uncertainty": round(max(0.0, (received - sent) - (ended - began)) / 2, 3),
    }


def correction(clock: Optional[Mapping[str, float]]) -> float:
    """The seconds to take from the other clock's times; 0 for what the way there and back may explain."""
    if not clock or abs(clock["offset"]) <= clock["uncertainty"]:
        return 0.0
    return clock["offset"]
