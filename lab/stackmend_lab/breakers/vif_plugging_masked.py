# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F23: a compute is told not to mind when the port of a server is not wired."""

from __future__ import annotations

from collections.abc import Callable

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "vif_plugging_masked"
HOST = "HOST-34"
FILE = "/etc/nova/nova.conf"
GOOD = "vif_plugging_timeout = 300\n"


def break_(lab: Lab) -> None:
    Changes(lab, FAULT).edit(HOST, FILE, GOOD, GOOD + "vif_plugging_is_fatal = False\n")


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()
    lab.start_compute(HOST)


def symptom(lab: Lab) -> str | None:
    """What the installed libvirt driver does, with the host's file, when neutron says that a port could not be wired."""
    done = lab.ask_nova("ask_nova_about_vif.py", str(lab.host_root(HOST) / FILE.lstrip("/")))
    if done.returncode:
        raise LabError(f"nova's libvirt driver could not be asked:\n{done.stderr[-2000:]}")
    if "refuses" in done.stdout:
        return None
    return f"a port on {HOST} could not be wired, and nova {done.stdout.strip()}: its guest has no network"


def _edit(new: str) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        Changes(lab, FAULT).edit(HOST, FILE, GOOD, new)

    return near_miss


def _neutron_speaks_as_nova(lab: Lab) -> None:
    """The user of the lab's own services, who is a service: only the file says so, and the running neutron stays silent."""
    said = "notify_nova_on_port_status_changes = false\n"
    changes = Changes(lab, FAULT)
    changes.edit("labctl", "/etc/neutron/neutron.conf", said, said.replace("false", "true"))
    changes.append(
        "labctl",
        "/etc/neutron/neutron.conf",
        "\n[nova]\nauth_type = password\nusername = nova\nproject_name = service\nuser_domain_name = Default\n",
    )


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "the failure said to be fatal": _edit(GOOD + "vif_plugging_is_fatal = yes\n"),
        "a later line that says so": _edit(GOOD + "vif_plugging_is_fatal = False\nvif_plugging_is_fatal = True\n"),
        "the line as a comment, and a short wait": _edit("vif_plugging_timeout = 30\n#vif_plugging_is_fatal = False\n"),
        "neutron speaks to nova as a service": _neutron_speaks_as_nova,
    },
    approve="restart",
    recorded="that the port was not wired: the lab has FakeDriver computes and no agents. What nova does then is decided by its "
    "own libvirt driver from the compute's file.",
)
