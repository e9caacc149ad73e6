# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the known faults of a running OpenStack cloud, fix them once approved, prove it, and undo it."""

from stackmend.api import diagnose, explain, faults, remediate, rollback, trace
from stackmend.model import (
    Explanation,
    Finding,
    HostVerdict,
    Moment,
    Progress,
    Report,
    Target,
    Trace,
    TracedRequest,
    Undone,
    Unknown,
)
from stackmend.runner import RunFailed

__all__ = [
    "Explanation",
    "Finding",
    "HostVerdict",
    "Moment",
    "Progress",
    "Report",
    "RunFailed",
    "Target",
    "Trace",
    "TracedRequest",
    "Undone",
    "Unknown",
    "diagnose",
    "explain",
    "faults",
    "remediate",
    "rollback",
    "trace",
]
