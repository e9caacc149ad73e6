# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F10: a misspelt option; nova ignores it without a word and keeps the default."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "config_option_unknown"
HOST = "HOST-34"
FILE = "/etc/nova/nova.conf"
GOOD = "vif_plugging_timeout = 300\n"
WRITTEN = re.compile(r"^vif_plug\w*_timeout\s*=\s*(\d+)\s*$", re.MULTILINE)


def break_(lab: Lab) -> None:
    _changes(lab).edit(HOST, FILE, GOOD, "vif_pluging_timeout = 600\n")


def mend(lab: Lab) -> None:
    _changes(lab).undo()
    # A remedy or its rollback may have restarted the compute while its file was wrong; one that runs is left as it is.
    lab.start_compute(HOST)


def symptom(lab: Lab) -> str | None:
    """Whether nova's own code reads the timeout that the operator wrote."""
    written = WRITTEN.findall(_changes(lab).read(HOST, FILE))
    done = lab.ask_nova("read_nova_option.py", str(lab.host_root(HOST) / FILE.lstrip("/")), "vif_plugging_timeout")
    if done.returncode:
        raise LabError(f"nova's configuration could not be read on {HOST}:\n{done.stderr[-2000:]}")
    effective = done.stdout.strip()
    if not written or written[-1] == effective:
        return None
    return f"nova waits {effective} seconds for a VIF although {FILE} says {written[-1]}"


def _changes(lab: Lab) -> Changes:
    return Changes(lab, FAULT)


def _edit(host: str, path: str, old: str, new: str) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        _changes(lab).edit(host, path, old, new)

    return near_miss


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a deprecated name that nova still reads": _edit(HOST, FILE, "[DEFAULT]\nlog_file =", "[DEFAULT]\nlogfile ="),
        "the typo in a comment": _edit(HOST, FILE, GOOD, GOOD + "#vif_pluging_timeout = 600\n"),
        "an option of a section that glance registers by its own configuration": _edit(
            *("labctl", "/etc/glance/glance-api.conf", "\n[os_glance_staging_store]\n"),
            "filesystem_thin_provisioning = true\n\n[os_glance_staging_store]\n",
        ),
        "an option of the authentication plugin": _edit(
            HOST, FILE, "[placement]\n", "[placement]\ndefault_domain_name = Default\n"
        ),
    },
    approve="restart",
)
