# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other half of vif_plugging_masked: neutron speaks to nova as a user who is no service, and nova refuses its events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import loading
from stackmend_lab import Lab
from stackmend_lab.breakers._changes import Changes

import stackmend

from .conftest import CloudPlace

FAULT = "vif_plugging_masked"
CONF = "/etc/neutron/neutron.conf"
USER, PASSWORD = "notifier", "of-this-test-only"
SECTION = f"""
[nova]
auth_type = password
username = {USER}
password = {PASSWORD}
project_name = service
user_domain_name = Default
"""


@pytest.fixture
def notifier(lab: Lab) -> Iterator[Any]:
    """A user of the service project with the role member only, as whom neutron's file says it speaks to nova."""
    changes = Changes(lab, "service-role-test")
    silent = "notify_nova_on_port_status_changes = false\n"
    with lab.cloud() as cloud:
        user = cloud.identity.create_user(name=USER, password=PASSWORD, domain_id="default")
        try:
            project = cloud.identity.find_project("service", ignore_missing=False)
            role = cloud.identity.find_role("member", ignore_missing=False)
            cloud.identity.assign_project_role_to_user(project, user, role)
            changes.edit("labctl", CONF, silent, silent.replace("false", "true"))
            changes.append("labctl", CONF, SECTION)
            yield user
        finally:
            changes.undo()
            cloud.identity.delete_user(user)


def _answer(lab: Lab) -> int:
    """What nova answers to an event of that user's: 403, or 207 and, within, that there is no such server."""
    auth = loading.get_plugin_loader("password").load_from_options(
        auth_url=lab.layout.endpoint("keystone"),
        username=USER,
        password=PASSWORD,
        project_name="service",
        user_domain_name="Default",
        project_domain_name="Default",
    )
    session = loading.session.Session().load_from_options(auth=auth)
    event = {
        "name": "network-vif-plugged",
        "server_uuid": "00000000-0000-0000-0000-000000000023",
        "status": "completed",
    }
    answer = session.post(
        "/os-server-external-events",
        endpoint_filter={"service_type": "compute", "interface": "public"},
        json={"events": [event]},
        raise_exc=False,
    )
    return int(answer.status_code)


def test_neutron_is_heard_once_its_user_is_a_service(cloud_place: CloudPlace, notifier: Any) -> None:
    lab = cloud_place.subject
    assert _answer(lab) == 403
    broken = cloud_place.state()

    waiting = stackmend.remediate(cloud_place.inventory, faults=[FAULT])
    (finding,) = waiting.findings
    assert (finding.target.id, finding.certainty, finding.status) == (notifier.id, "probable", "awaiting_approval")
    assert cloud_place.state() == broken

    fixed = stackmend.remediate(cloud_place.inventory, faults=[FAULT], approve="disruptive")
    assert [(finding.status, finding.target.id) for finding in fixed.findings] == [("fixed", notifier.id)]
    assert _answer(lab) == 207
    again = stackmend.remediate(cloud_place.inventory, faults=[FAULT], approve="disruptive")
    assert (again.findings, again.unknown, again.changed) == ((), (), 0)

    undone = stackmend.rollback(fixed.run_id, cloud_place.inventory)
    assert {entry.status for entry in undone.undone} == {"restored"}
    assert cloud_place.state() == broken
    assert _answer(lab) == 403
