# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F15: nova-compute on one host has died, and a server is on it."""

from __future__ import annotations

import time

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "compute_service_down"
HOST = "HOST-341"
DOWN_SECONDS = 60.0


def break_(lab: Lab) -> None:
    Changes(lab, FAULT).boot("left-behind", HOST)
    lab.stop_compute(HOST)
    _wait_until_down(lab)


def mend(lab: Lab) -> None:
    compute = lab.cloud().compute
    for service in compute.services(binary="nova-compute"):
        if service.status == "disabled":
            compute.enable_service(service, service.host, "nova-compute")
        if service.state == "down":
            lab.start_compute(service.host)
    if not lab.compute_runs(HOST):
        lab.start_compute(HOST)
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """Which computes that should take servers nova has not heard from; it needs some seconds to notice."""
    if not lab.compute_runs(HOST):
        _wait_until_down(lab)
    down = [service.host for service in _services(lab) if service.state == "down" and service.status == "enabled"]
    return f"nova has not heard from {', '.join(down)}" if down else None


def _services(lab: Lab) -> list:
    return list(lab.cloud().compute.services(binary="nova-compute"))


def _wait_until_down(lab: Lab) -> None:
    end = time.monotonic() + DOWN_SECONDS
    while not any(service.host == HOST and service.state == "down" for service in _services(lab)):
        if time.monotonic() > end:
            raise LabError(f"{HOST} was stopped and nova still calls it up after {DOWN_SECONDS:.0f} s")
        time.sleep(1)


def _disable(lab: Lab) -> None:
    service = next(service for service in _services(lab) if service.host == HOST)
    lab.cloud().compute.disable_service(service, HOST, "nova-compute", "new disks on Tuesday")


def _maintenance(lab: Lab) -> None:
    """Disabled, empty and stopped."""
    _disable(lab)
    lab.stop_compute(HOST)
    _wait_until_down(lab)


def _restarting(lab: Lab) -> None:
    """Stopped a moment ago, and up again."""
    lab.stop_compute(HOST)
    lab.start_compute(HOST)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a compute that is disabled and reports": _disable,
        "an empty compute that was taken out of service and stopped": _maintenance,
        "a compute that was restarted": _restarting,
    },
    approve="disruptive",
)
