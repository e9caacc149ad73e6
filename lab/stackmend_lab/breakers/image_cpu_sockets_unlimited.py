# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F20: a Windows 10 server with eight vCPUs gets four sockets, of which Windows uses two."""

from __future__ import annotations

from collections.abc import Callable

from ..lab import Lab
from ._breaker import Breaker
from ._changes import Changes
from ._images import ask_nova

FAULT = "image_cpu_sockets_unlimited"
NAME = "broken-sockets"
FLAVOR = "broken-sockets-8"
WINDOWS = {"os_type": "windows", "os_distro": "windows", "os_version": "10", "hw_qemu_guest_agent": "yes"}
USES = 2


def _server(lab: Lab, properties: dict[str, str], **extra_specs: str) -> None:
    changes = Changes(lab, FAULT)
    changes.create_flavor(FLAVOR, 8, **extra_specs)
    changes.create_image(NAME, **properties)
    server = changes.boot(NAME, image=NAME, flavor=FLAVOR)
    # Stopped, so that only its copy of the image's properties changes and not its times.
    compute = lab.cloud().compute
    compute.stop_server(server)
    compute.wait_for_server(compute.get_server(server), status="SHUTOFF", interval=1)


def break_(lab: Lab) -> None:
    # Somebody set a limit, and too high: image and server both wait for approval.
    _server(lab, {**WINDOWS, "hw_cpu_max_sockets": "4"})


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """The sockets that nova gives a new server of the image with the flavor, or the one that is there at its next start."""
    flavor = lab.cloud().compute.find_flavor(FLAVOR, get_extra_specs=True)
    if flavor is None:
        return None
    answer = ask_nova(lab, NAME, vcpus=flavor.vcpus, **flavor.extra_specs)
    if answer is None or lab.cloud().image.find_image(NAME).os_version != "10":
        return None
    server = lab.cloud().compute.find_server(NAME, all_projects=True)
    if answer["sockets"] <= USES:
        if server is None or flavor.extra_specs or _limit(lab, server.id) == str(USES):
            return None
        return f"server {NAME} keeps its sockets; Windows 10 Pro uses {USES}"
    return f"nova gives a server from {NAME} {answer['sockets']} sockets; Windows 10 Pro uses {USES}"


def _limit(lab: Lab, server: str) -> str:
    """The limit that nova keeps with the server, as nova-manage tells it."""
    show = ["nova-manage", "--config-file", lab.nova_conf, "image_property", "show", server, "hw_cpu_max_sockets"]
    done = lab.run("labctl", show)
    return done.stdout.strip().splitlines()[-1] if done.returncode == 0 else ""


def _near_miss(properties: dict[str, str], **extra_specs: str) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        _server(lab, {**WINDOWS, **properties}, **extra_specs)

    return make


def _unused(lab: Lab) -> None:
    Changes(lab, FAULT).create_image(NAME, **WINDOWS)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "Windows Server 2022, which uses 64": _near_miss({"os_version": "2022"}),
        "the image has its limit": _near_miss({"hw_cpu_max_sockets": "2"}),
        "the flavor has the limit": _near_miss({}, hw__cpu_max_sockets="2"),
        "no server is made of it": _unused,
    },
    approve="disruptive",
    recorded="how many sockets Windows uses is Microsoft's licence and known from the image's os_version alone; the sockets "
    "are computed by nova itself.",
)
