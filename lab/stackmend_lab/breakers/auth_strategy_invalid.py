# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F10: placement does not start, because of one letter missing from `auth_strategy`."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "auth_strategy_invalid"
FILE = "/etc/placement/placement.conf"


def break_(lab: Lab) -> None:
    _changes(lab).append("labctl", FILE, "\n[api]\nauth_strategy = keyston\n")
    try:
        lab.restart("placement")
    except LabError:
        return
    raise LabError("placement started although its auth_strategy is misspelt.")


def mend(lab: Lab) -> None:
    _changes(lab).undo()
    lab.restart("placement")


def symptom(lab: Lab) -> str | None:
    """What placement said when it refused to start."""
    if lab.status()["services"]["placement"]["pid"]:
        return None
    said = re.findall(r"ConfigFileValueError: .*", lab.last_words("placement", lines=60))
    return said[-1] if said else "placement is not running"


def _changes(lab: Lab) -> Changes:
    return Changes(lab, FAULT)


def _append(text: str, path: str = FILE) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        _changes(lab).append("labctl", path, text)

    return near_miss


def _backup_with_typo(lab: Lab) -> None:
    changes = _changes(lab)
    changes.write("labctl", f"{FILE}.bak", changes.read("labctl", FILE) + "\n[api]\nauth_strategy = keyston\n")


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "the default, written out": _append("\n[api]\nauth_strategy = keystone\n"),
        "the typo in a comment": _append("\n[api]\n#auth_strategy = keyston\n"),
        "an invalid value that a later line overrides": _append(
            "\n[api]\nauth_strategy = keyston\nauth_strategy = keystone\n"
        ),
        "the typo in a backup that no service reads": _backup_with_typo,
    },
    approve="restart",
    takes_down=("placement",),  # which every check of placement then has to say
)
