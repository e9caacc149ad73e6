# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F10: a value outside its option's choices; nova-compute runs on and will not survive its next start."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..lab import Lab
from ._breaker import Breaker
from ._changes import Changes

FAULT = "config_value_invalid"
HOST = "HOST-34"
FILE = "/etc/nova/nova.conf"
GOOD = "cpu_mode = host-model\n"


def break_(lab: Lab) -> None:
    _changes(lab).edit(HOST, FILE, GOOD, "cpu_mode = host-modle\n")


def mend(lab: Lab) -> None:
    _changes(lab).undo()
    # A remedy or its rollback may have restarted the compute while its file was wrong; one that runs is left as it is.
    lab.start_compute(HOST)


def symptom(lab: Lab) -> str | None:
    """How the installed nova-compute ends when it starts with the host's file."""
    done = lab.python("start_nova_compute.py", str(lab.host_root(HOST) / FILE.lstrip("/")))
    if done.returncode == 0:
        return None
    said = re.findall(r"ConfigFileValueError: .*", done.stderr)
    return said[-1] if said else (done.stderr.strip().splitlines() or ["nova-compute said nothing"])[-1]


def _changes(lab: Lab) -> Changes:
    return Changes(lab, FAULT)


def _edit(new: str) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        _changes(lab).edit(HOST, FILE, GOOD, new)

    return near_miss


def _other_case(lab: Lab) -> None:
    _changes(lab).edit(HOST, FILE, "[DEFAULT]\n", "[DEFAULT]\nlog_rotation_type = NONE\n")


def _backup_with_typo(lab: Lab) -> None:
    changes = _changes(lab)
    text = changes.read(HOST, FILE).replace(GOOD, "cpu_mode = host-modle\n")
    changes.write(HOST, f"{FILE}.rpmsave", text)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "another case of a choice that ignores case": _other_case,
        "a reference to another option that resolves to a choice": _edit(
            GOOD + "snapshot_image_format = $images_type\n"
        ),
        "an invalid value that a later line overrides": _edit("cpu_mode = host-modle\n" + GOOD),
        "an invalid value in a file that nova does not read": _backup_with_typo,
    },
    approve="restart",
)
