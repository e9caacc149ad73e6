# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F29: builds failed on two of three hosts, and since then nova builds every server on the third."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "scheduler_packs_hosts"
HOST = "HOST-34"
EXILED = ("HOST-340", "HOST-341")
NAME = "packed"
MANY, FEW = 20, 5
ZONE = "packed-zone"


def break_(lab: Lab) -> None:
    """A tenant's network without a free address fails builds on two hosts; nobody is to blame for it but that network."""
    changes = Changes(lab, FAULT)
    with lab.cloud() as cloud:
        network = cloud.network.create_network(name="exhausted")
        try:
            cloud.network.create_subnet(network_id=network.id, name="exhausted", ip_version=4, cidr="10.99.0.0/30")
            cloud.network.create_port(network_id=network.id)  # takes the one address beside the gateway's
            for host in EXILED:
                # nova-compute reports the first failure when it prepares the second build.
                for _time in range(2):
                    _fail(lab, cloud, network.id, host)
        finally:
            for port in list(cloud.network.ports(network_id=network.id)):
                cloud.network.delete_port(port)
            cloud.network.delete_network(network)
    changes.boot_many(NAME, MANY)


def _fail(lab: Lab, cloud: Any, network: str, host: str) -> None:
    wish = {
        "name": "fails",
        "imageRef": cloud.image.find_image("cirros", ignore_missing=False).id,
        "flavorRef": cloud.compute.find_flavor("m1.tiny", ignore_missing=False).id,
        "networks": [{"uuid": network}],
        "host": host,
    }
    answer = cloud.compute.post("/servers", json={"server": wish}, microversion="2.74")
    if not answer.ok:
        raise LabError(f"nova refuses the server that is to fail on {host}: {answer.json()}")
    uuid = answer.json()["server"]["id"]
    try:
        server = lab.wait_for_server(uuid)
        if server.status != "ERROR":
            raise LabError(f"The server that was to fail on {host} is {server.status}.")
    finally:
        lab.delete_server(uuid)


def mend(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    began = changes.record.exists()
    changes.undo()
    if began:
        for host in EXILED:
            lab.restart(host)  # the counter of failed builds lives in nova-compute's memory


def symptom(lab: Lab) -> str | None:
    """Where nova has put the servers, when all are on one host though others of the zone are up and enabled."""
    with lab.cloud() as cloud:
        hosts = Counter(server.compute_host for server in cloud.compute.servers(name=f"^{NAME}", all_projects=True))
        services = [row for row in cloud.compute.services(binary="nova-compute") if row.status == "enabled"]
    if len(hosts) != 1 or hosts.total() < MANY:
        return None
    (host,) = hosts
    zone = next(row.availability_zone for row in services if row.host == host)
    others = [row.host for row in services if row.availability_zone == zone and row.host != host and row.state == "up"]
    return f"all {hosts[host]} servers are on {host}, none on {' and '.join(sorted(others))}" if others else None


def _few(lab: Lab) -> None:
    Changes(lab, FAULT).boot_many(NAME, FEW, host=HOST)


def _one_host_in_the_zone(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    changes.create_aggregate(ZONE, [HOST], availability_zone=ZONE)
    changes.boot_many(NAME, MANY, availability_zone=ZONE)


def _spread(lab: Lab) -> None:
    Changes(lab, FAULT).boot_many(NAME, MANY)


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a few servers on one host": _few,
        "a zone that has one host": _one_host_in_the_zone,
        "many servers, spread": _spread,
    },
    report_only=True,
)
