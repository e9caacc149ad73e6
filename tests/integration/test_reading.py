# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that only looks sends nothing that could change the cloud, and few requests in all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _session
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._cloud_readers import CloudReader
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Target
from ansible_collections.stackmend.openstack.plugins.module_utils._settings import settings
from ansible_collections.stackmend.openstack.plugins.modules import cloud_fault_info
from stackmend_lab import Lab

import stackmend


def _connect(lab: Lab, **options: bool) -> _session.Cloud:
    return _session.connect("stackmend-lab", str(lab.clouds_file), **options)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("service", ["compute", "image", "network", "placement", "identity"])
def test_a_reading_session_refuses_to_change_anything(lab: Lab, service: str, method: str) -> None:
    cloud = _connect(lab)
    before = dict(cloud.requests)
    with pytest.raises(_session.WriteRefused):
        cloud.request(method, service, "/", json={})
    # Discovery may have read version documents; nothing else went out.
    assert set(cloud.requests) - set(before) <= {"GET", "TOKEN"}


def test_all_checks_of_a_cloud_are_a_few_reads(lab: Lab) -> None:
    cloud = _connect(lab)
    reader = CloudReader(cloud)
    always = {"settings": settings({})}
    result = examine(FAULTS.values(), "cloud", reader, Target("cloud", "lab"), always)
    assert result["unknown"] == []
    assert set(cloud.requests) == {"GET", "TOKEN"}
    assert cloud.requests["TOKEN"] == 1
    # the version documents of the services, two or three pages of each collection, and two requests for each provider
    assert cloud.requests["GET"] <= 30 + 2 * reader.objects["resource provider"]


def test_where_computes_are_reached_is_asked_of_nova_also_when_nothing_else_is(lab: Lab) -> None:
    options = {name: spec.get("default") for name, spec in cloud_fault_info.OPTIONS.items()}
    given = {"cloud": "stackmend-lab", "clouds_file": str(lab.clouds_file), "faults": ["migration_ssh_broken"]}
    seen = cloud_fault_info.look({**options, **given})
    assert set(seen["addresses"]) == {"HOST-34", "HOST-340", "HOST-341"}
    assert (seen["findings"], seen["unknown"], seen["observations"]) == ([], [], {})


def test_no_host_is_connected_to_for_a_fault_of_the_apis_alone(lab: Lab, tmp_path: Path) -> None:
    nobody = tmp_path / "hosts.yml"
    host = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=1"}
    nobody.write_text(json.dumps({"all": {"hosts": {"nobody": host}}}))
    cloud = {"stackmend_cloud": "stackmend-lab", "stackmend_clouds_file": str(lab.clouds_file)}
    report = stackmend.diagnose(nobody, faults=["image_format_mismatch"], variables=cloud)
    assert (report.unknown, report.document["checked"]["hosts"]) == ((), 0)
    report = stackmend.diagnose(nobody, faults=["locale_not_utf8"], variables=cloud)
    assert [entry.target.name for entry in report.unknown] == ["nobody"]
    assert report.document["checked"]["objects"] == {}


def test_more_images_cost_no_more_requests_until_a_page_is_full(lab: Lab) -> None:
    counts = []
    with lab.cloud() as admin:
        for _round in range(2):
            cloud = _connect(lab)
            CloudReader(cloud)("images")
            counts.append(cloud.requests["GET"])
            made = [
                admin.image.create_image(name=f"many-{n}", disk_format="raw", container_format="bare") for n in range(5)
            ]
        for image in made:
            admin.image.delete_image(image.id)
        for image in list(admin.image.images()):
            if image.name.startswith("many-"):
                admin.image.delete_image(image.id)
    assert counts[0] == counts[1]


def test_an_ordinary_user_does_not_see_everything_and_the_report_says_so(lab: Lab) -> None:
    cloud = _session.connect("stackmend-lab-member", str(lab.clouds_file))
    reading = CloudReader(cloud)("images")
    assert [gap["reason"] for gap in reading["gaps"]] == [
        "the credentials of cloud stackmend-lab-member have no admin role: images of other projects that are private were "
        "not seen"
    ]
