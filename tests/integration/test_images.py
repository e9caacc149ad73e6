# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images in the real glance and nova: how many requests they take, and which properties nova knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _plan
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import select
from ansible_collections.stackmend.openstack.plugins.module_utils._cloud_readers import CloudReader
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import (
    _image_formats,
    _image_property_names,
    image_content,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._fleet import correlate
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Target
from ansible_collections.stackmend.openstack.plugins.module_utils._session import connect
from ansible_collections.stackmend.openstack.plugins.modules.image_properties import apply
from stackmend_lab import Lab
from stackmend_lab.breakers._changes import Changes

FAULTS = ["image_guest_agent_missing", "image_property_unknown"]
SETTINGS: dict[str, Any] = {"settings": {"guest_agent": "required"}}


@pytest.fixture
def changes(lab: Lab) -> Iterator[Changes]:
    record = Changes(lab, "test_images")
    yield record
    record.undo()


def _cloud(lab: Lab, **options: Any) -> Any:
    return connect("stackmend-lab", str(lab.clouds_file), **options)


def _look(lab: Lab) -> list[dict[str, Any]]:
    cloud = _cloud(lab)
    result = examine(select(FAULTS), "cloud", CloudReader(cloud), Target("cloud", "lab"), SETTINGS)
    assert result["unknown"] == []
    findings: list[dict[str, Any]] = correlate(select(FAULTS), {}, result | {"objects": {}})["findings"]
    return findings


def test_three_faults_of_an_image_are_one_request(lab: Lab, changes: Changes, tmp_path: Path) -> None:
    changes.create_image("three-faults", hw_max_sockets="2", hw_rng_model="VirtIO", os_require_quiesce="yes")
    found = _look(lab)
    assert len(found) == 3
    planned = _plan.plan(
        found,
        approve="safe",
        approve_targets={},
        max_changes=10,
        check_mode=False,
        checked={"hosts": 0, "objects": {"image": 7}},
        groups={},
    )
    (step,) = planned["steps"]
    cloud = _cloud(lab, writable=True)
    result = apply(cloud, Journal(str(tmp_path), "run"), {"wishes": step["vars"]["image_properties_wishes"]}, False)
    assert result["changed"]
    assert cloud.requests["PATCH"] == 1
    assert sum(count for method, count in cloud.requests.items() if method not in ("GET", "TOKEN")) == 1
    assert _look(lab) == []


def test_only_the_beginning_of_a_content_is_asked_for(lab: Lab, changes: Changes) -> None:
    image = changes.create_image("long", "raw", bytes(1 << 20))
    cloud = _cloud(lab)
    reading = CloudReader(cloud)("images")
    before = cloud.requests["GET"]
    content = image_content.read(cloud, "all", [i for i in reading["images"] if i["id"] == image], [])
    assert content["images"][image]["format"] == "raw"
    assert cloud.requests["GET"] == before + 1
    assert len(image_content._fetch(cloud, image, _image_formats.HEAD) or b"") == _image_formats.HEAD


def test_by_default_no_content_of_a_healthy_cloud_is_read(lab: Lab) -> None:
    cloud = _cloud(lab)
    reader = CloudReader(cloud)
    images = reader("images")["images"]
    before = cloud.requests["GET"]
    assert image_content.read(cloud, "suspects", images, [])["images"] == {}
    assert cloud.requests["GET"] == before


ASK_NOVA = """
import json
from nova import objects
from nova.objects import image_meta
objects.register_all()
fields = image_meta.ImageMetaProps.fields
values = {name: getattr(field.AUTO_TYPE, "_valid_values", None) for name, field in fields.items() if hasattr(field, "AUTO_TYPE")}
print(json.dumps({"names": sorted(fields), "values": values, "former": image_meta.ImageMetaProps._legacy_property_map}))
"""


def test_the_properties_and_values_are_those_of_the_installed_nova(lab: Lab) -> None:
    done = lab.run("labctl", [f"{lab.layout.venv}/bin/python", "-c", ASK_NOVA])
    nova = json.loads(done.stdout.splitlines()[-1])
    # They are not properties by these names, but by those that _image_property_names.NUMBERED and "trait:" begin.
    composed = {"hw_numa_mem", "hw_numa_cpus", "traits_required"}
    assert set(nova["names"]) - composed == _image_property_names.NAMES
    assert nova["former"] == _image_property_names.FORMER_NAMES
    choices = {name: tuple(values) for name, values in nova["values"].items() if values}
    assert {name: set(choices[name]) for name in choices} == {
        name: set(values) for name, values in _image_property_names.CHOICES.items()
    }
