# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault service_process_stale: a process of a service still runs with what the service had before.

Two nova-compute of one host take turns with its messages, so that half of the calls meet old code and old settings; the
service looks up, because both report it. Which one is the stray is told by systemd, not by age: it is the main process of no
unit and in no container, while another one of the same host is. A process that is older than its configuration is only told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

COMPUTE = "nova-compute"
# A file that is written while the service starts belongs to that start.
SECONDS = 2.0

Process = Mapping[str, Any]


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge the processes of the host: first who is one too many, then who is old."""
    reading, here = evidence["service_processes"], Target("host", evidence["host"]["name"])
    computes: dict[str, list[Process]] = {}
    for process in reading["processes"]:
        if process["program"] == COMPUTE and process["host"]:
            computes.setdefault(process["host"], []).append(process)
    doubled: set[int] = set()
    for host, processes in sorted(computes.items()):
        consumers = reading["consumers"].get(host)
        if len(processes) > 1:
            for finding, pid in _doubled(here, host, processes, consumers):
                doubled.add(pid)
                yield finding
        elif consumers is not None and consumers > 1:
            yield _consumed_elsewhere(here, host, processes[0], consumers)
    for process in reading["processes"]:
        if process["pid"] not in doubled:
            yield from _old(here, process)


def _managed(process: Process) -> bool:
    """Whether something that is meant to runs this process."""
    return bool(process["main"] or process["container"])


def _doubled(
    here: Target, host: str, processes: list[Process], consumers: Optional[int]
) -> Iterator[tuple[Finding, int]]:
    managed = [process for process in processes if _managed(process)]
    strays = [process for process in processes if not _managed(process)]
    # Two that are both meant to run, or none: which one is right has to be known.
    for process in strays if strays and managed else processes:
        remedy: Optional[Remedy] = None
        reason = ""
        subject = f"{COMPUTE} pid {process['pid']} started {_moment(process['started'])}"
        if strays and len(managed) == 1:
            wish = {
                "pid": process["pid"],
                "start": process["start"],
                "program": COMPUTE,
                "grace": process["grace"],
                "subject": subject,
            }
            variables = {"service_process_ends": [wish], "service_process_restarts": []}
            remedy = Remedy("service_process", Risk.DISRUPTIVE, variables, rolled=True)
        elif strays:
            reason = (
                "no unit and no container runs any of them: end the ones that are not wanted, and start the unit"
                if not managed
                else "several units or containers run one each: see to these first"
            )
        else:
            names = ", ".join(sorted(other["unit"] or f"the container of pid {other['pid']}" for other in processes))
            reason = f"each has a unit or container of its own ({names}): disable the one that is not wanted"
        told = f"; RabbitMQ has {consumers} consumers of compute.{host}" if consumers is not None else ""
        yield (
            Finding(
                fault=FAULT.id,
                target=here,
                certainty=Certainty.CERTAIN,
                summary=f"{len(processes)} {COMPUTE} run for {host} and take turns with its messages{told}",
                subject=subject,
                evidence={
                    "processes": [_told(other) for other in processes],
                    "consumers": consumers,
                    "host": host,
                },
                expected=f"one {COMPUTE} for {host}",
                actual=f"{len(processes)}, and pid {process['pid']} is "
                + ("its unit's or container's own" if _managed(process) else "nobody's"),
                remedy=remedy,
                reason=reason,
            ),
            process["pid"],
        )


def _consumed_elsewhere(here: Target, host: str, process: Process, consumers: int) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=here,
        certainty=Certainty.PROBABLE,
        summary=f"compute.{host} has {consumers} consumers in RabbitMQ, and one {COMPUTE} runs here",
        subject=f"compute.{host}",
        evidence={"processes": [_told(process)], "consumers": consumers, "host": host},
        expected="one consumer",
        actual=f"{consumers} consumers",
        reason=f"another {COMPUTE} takes its messages: look on other hosts for one with the same [DEFAULT] host",
    )


def _old(here: Target, process: Process) -> Iterator[Finding]:
    """A process that cannot know what its files say now, or whose executable was replaced."""
    newest = process["newest"]
    if newest and newest["changed"] > process["started"] + SECONDS:
        why = f"{newest['path']} was changed {_moment(newest['changed'])}, after it started"
        expected = "a start after the last change of its configuration"
    elif process["deleted"]:
        why, expected = "its executable was replaced since it started", "the executable that is installed"
    else:
        return
    name, unit = process["program"], process["unit"]
    subject = f"{name} ({unit or 'pid ' + str(process['pid'])})"
    remedy: Optional[Remedy] = None
    reason = ""
    if process["main"]:
        wish = {"unit": unit, "pid": process["pid"], "start": process["start"], "subject": subject}
        remedy = Remedy(
            "service_process",
            Risk.RESTART,
            {"service_process_ends": [], "service_process_restarts": [wish]},
            rolled=True,
        )
    else:
        place = "its container" if process["container"] else "it where it was started"
        reason = f"it is the main process of no unit of this host: restart {place}"
    yield Finding(
        fault=FAULT.id,
        target=here,
        certainty=Certainty.POSSIBLE,
        summary=f"{name} has run since {_moment(process['started'])}: {why}",
        subject=subject,
        evidence={"processes": [_told(process)]},
        expected=expected,
        actual=f"started {_moment(process['started'])}",
        remedy=remedy,
        reason=reason,
        severity="low",
    )


def _told(process: Process) -> dict[str, Any]:
    return {
        "pid": process["pid"],
        "started": _moment(process["started"]),
        "unit": process["unit"],
        "main": process["main"],
        "container": process["container"],
        "executable_replaced": process["deleted"],
    }


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


FAULT = Fault(
    id="service_process_stale",
    reference="F24",
    title="A process of a service runs with an old configuration or beside the right one",
    scope="host",
    severity="high",
    symptom=(
        "A change of the configuration has effect on some calls and not on others, or on none; the service is up all the time, "
        "and RabbitMQ has two consumers of compute.<host>"
    ),
    cause=(
        "A nova-compute that was started by hand, or that a unit lost, was left running: both consume the queue of the host in "
        "turn and both report the same service. Or a service was not restarted after its files or its executable were changed."
    ),
    fix=(
        "End exactly the process that is nobody's, known by its pid, its start time and its command line: SIGTERM, and SIGKILL "
        "after graceful_shutdown_timeout. Restart the unit of a service that is older than its configuration. Do neither while "
        "the host's servers are being worked on. An ended process is not started again by a rollback."
    ),
    detect=detect,
    host_evidence=("service_processes",),
)
