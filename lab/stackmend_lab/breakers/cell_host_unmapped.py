# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F01: a compute is mapped to no cell: one as nova-manage unmaps it, one whose row somebody deleted."""

from __future__ import annotations

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._nova_rows import Rows

FAULT = "cell_host_unmapped"
UNMAPPED = "HOST-341"
DELETED = "HOST-340"


def break_(lab: Lab) -> None:
    cell = _cell(lab)
    _manage(lab, "cell_v2", "delete_host", "--cell_uuid", cell, "--host", UNMAPPED)
    Rows(lab, FAULT).delete("nova_api", "host_mappings", {"host": DELETED})


def mend(lab: Lab) -> None:
    Rows(lab, FAULT).restore()
    compute = lab.cloud().compute
    if len(list(compute.hypervisors())) < len(lab.layout.computes):
        _manage(lab, "cell_v2", "discover_hosts")
    for service in compute.services(binary="nova-compute"):
        if service.status == "disabled":
            compute.enable_service(service, service.host, "nova-compute")


def symptom(lab: Lab) -> str | None:
    """What nova says of a compute that reports to it and is in no list of hypervisors."""
    compute = lab.cloud().compute
    listed = {hypervisor.name for hypervisor in compute.hypervisors()}
    lost = [service.host for service in compute.services(binary="nova-compute") if service.host not in listed]
    if not lost:
        return None
    image, flavor = lab.cloud().image.find_image("cirros").id, compute.find_flavor("m1.tiny").id
    wish = {"name": "canary", "imageRef": image, "flavorRef": flavor, "networks": "none", "host": lost[0]}
    answer = compute.post("/servers", json={"server": wish}, microversion="2.74")
    if answer.ok:
        lab.delete_server(answer.json()["server"]["id"])
        raise LabError(f"nova boots on {lost[0]}, which it does not list")
    return f"{', '.join(sorted(lost))} report and are no hypervisors; booting there: {answer.json()['badRequest']['message']}"


def _disabled(lab: Lab) -> None:
    compute = lab.cloud().compute
    service = next(compute.services(host=UNMAPPED, binary="nova-compute"))
    compute.disable_service(service, UNMAPPED, "nova-compute", "maintenance")


def _orphaned_consumer(lab: Lab) -> None:
    """nova-compute's log then says that a server has allocations and is not in the database (F26, not F01)."""
    log = lab.layout.log("nova", UNMAPPED)
    with log.open("a") as file:
        file.write(
            "2026-01-05 03:12:44.120 7 INFO nova.compute.resource_tracker [-] Instance "
            "5f0a3b3e-8e0c-4c1b-9d5e-0d7f0b1b2c3d has allocations against this compute host but is not found in the "
            "database.\n"
        )


def _rediscovered(lab: Lab) -> None:
    """Unmapped and mapped again, as after a reinstallation."""
    _manage(lab, "cell_v2", "delete_host", "--cell_uuid", _cell(lab), "--host", UNMAPPED)
    _manage(lab, "cell_v2", "discover_hosts", "--by-service")


def _cell(lab: Lab) -> str:
    done = lab.run("labctl", ["nova-manage", "--config-file", lab.nova_conf, "cell_v2", "list_cells"])
    rows = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines() if "|" in line]
    return next(row[2] for row in rows if row[1] == "cell1")


def _manage(lab: Lab, *arguments: str) -> None:
    done = lab.run("labctl", ["nova-manage", "--config-file", lab.nova_conf, *arguments])
    if done.returncode:
        raise LabError(f"nova-manage {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a disabled compute that is mapped": _disabled,
        "a compute that was unmapped and discovered again": _rediscovered,
        "a compute that warns of allocations without a server": _orphaned_consumer,
    },
    approve="disruptive",  # the hosts are enabled: mapping them opens them to the scheduler
)
