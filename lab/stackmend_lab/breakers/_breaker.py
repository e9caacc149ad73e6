# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a breaker is: the way to a fault in the real component, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Breaker:
    """One fault of the catalogue, produced and undone.

    fault: the catalogue's id, which names this breaker's file too.
    needs: "cloud", the lab's own processes, "hosts", systemd hosts under podman, or "ceph", a cluster of its own; the functions
        are given the `Lab`, the `Hosts` or the `Ceph`.
    break_: produces the fault; called on a healthy lab that is up.
    mend: puts everything back as it was before break_ or a near miss, whatever happened since; may be called twice.
    symptom: what a user of the real component sees now, in one line; None when all is well. Changes nothing.
    state: what else has to be the same after a check and after a rollback, beside what the place itself compares.
    near_misses: legitimate states that look alike, by a sentence each; called on a healthy lab, undone by mend.
    approve: the risk that has to be approved for the remedy.
    variables: playbook variables with which the fault is looked for, beyond the place's own.
    report_only: nothing is changed by Stackmend, because the way out is the operator's choice; the finding gives the reason.
    irreversible: why what the remedy does cannot be undone; the rollback then says so, and changes nothing.
    takes_down: the services that do not answer while it is broken; what is asked of them is unknown then, and rightly so.
    recorded: what of the symptom rests on recorded output, and why; empty when everything is real.
    """

    fault: str
    needs: str
    break_: Callable[[Any], None]
    mend: Callable[[Any], None]
    symptom: Callable[[Any], str | None]
    near_misses: Mapping[str, Callable[[Any], None]]
    state: Callable[[Any], Mapping[str, Any]] | None = None
    approve: str = "safe"
    variables: Mapping[str, Any] = field(default_factory=dict)
    report_only: bool = False
    irreversible: str = ""
    takes_down: tuple[str, ...] = ()
    recorded: str = ""

    def explains(self, reason: str) -> bool:
        """Whether a check could not be made because of a service that this breaker takes down."""
        return any(f"the {service} service" in reason for service in self.takes_down)
