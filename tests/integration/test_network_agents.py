# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Agents that died, as neutron itself tells of them: vif_plugging_masked names the one whose servers get no network.

No agent runs in the lab; what each would have reported last is in neutron's database, and neutron judges who is alive.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from stackmend_lab import Lab

from .conftest import CloudPlace

FAULT = "vif_plugging_masked"
HOST, OTHER = "HOST-34", "HOST-340"


@contextlib.contextmanager
def agents(lab: Lab, *reported: tuple[str, str, int, bool]) -> Iterator[None]:
    """Agents that reported last: (type, host, seconds ago, enabled)."""
    with contextlib.closing(sqlite3.connect(lab.layout.data / "neutron.sqlite", timeout=60)) as neutron:
        now = datetime.now(UTC).replace(tzinfo=None)
        for kind, host, ago, enabled in reported:
            then = (now - timedelta(seconds=ago)).strftime("%Y-%m-%d %H:%M:%S.%f")
            row = {
                "id": str(uuid.uuid4()),
                "agent_type": kind,
                "binary": f"neutron-{kind.split()[0].lower()}-agent",
                "topic": "N/A",
                "host": host,
                "admin_state_up": enabled,
                "created_at": then,
                "started_at": then,
                "heartbeat_timestamp": then,
                "configurations": json.dumps({}),
                "load": 0,
            }
            marks = ", ".join(f":{name}" for name in row)
            with neutron:
                neutron.execute(f"insert into agents ({', '.join(row)}) values ({marks})", row)
        try:
            yield
        finally:
            with neutron:
                neutron.execute("delete from agents")


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[str]:
    made = str(lab.boot("wired", host=HOST).id)
    yield made
    lab.delete_server(made)


def _look(place: CloudPlace) -> list[str]:
    found, unknown = place.look([FAULT], {})
    assert unknown == []
    return [summary for _fault, _type, _name, _certainty, summary in found]


def test_a_dead_agent_is_named_where_servers_are(cloud_place: CloudPlace, server: str) -> None:
    ovs = "Open vSwitch agent"
    with agents(cloud_place.subject, (ovs, HOST, 900, True), (ovs, OTHER, 5, True)):
        (said,) = _look(cloud_place)
    assert said.startswith(f"The {ovs} on {HOST} has not reported since ")
    assert f"no port of {HOST}, which has 1 servers, is wired" in said


def test_all_dhcp_agents_dead(cloud_place: CloudPlace) -> None:
    dhcp = "DHCP agent"
    with agents(cloud_place.subject, (dhcp, "labctl", 900, True), ("Open vSwitch agent", HOST, 5, True)):
        (said,) = _look(cloud_place)
    assert said.startswith(f"The {dhcp} on labctl has not reported since ")


def test_agents_that_are_missed_by_nobody(cloud_place: CloudPlace, server: str) -> None:
    ovs, dhcp = "Open vSwitch agent", "DHCP agent"
    for reported in (
        [(ovs, OTHER, 900, True), (ovs, HOST, 5, True)],  # no server is there
        [(ovs, HOST, 900, False), (ovs, OTHER, 5, True)],  # taken out of service
        [(dhcp, "labctl", 900, True), (dhcp, HOST, 5, True)],  # one of two
        [("Metering agent", HOST, 900, True), (ovs, HOST, 5, True)],  # wires nothing
    ):
        with agents(cloud_place.subject, *reported):
            assert _look(cloud_place) == []
