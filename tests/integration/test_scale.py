# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A larger cloud costs two more requests a resource provider, and none a server, image or consumer.

`make benchmark` does the same with 200 providers and 5,000 servers.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _session
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._cloud_readers import CloudReader
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Target
from ansible_collections.stackmend.openstack.plugins.module_utils._settings import settings
from stackmend_lab import Lab

from .conftest import free_ports

COMPUTES, SERVERS, IMAGES = 20, 200, 200
MIB = 1 << 20


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab that may be filled, and is thrown away."""
    lab = Lab(tmp_path_factory.mktemp("scale") / "lab", port_base=free_ports())
    lab.up()
    try:
        yield lab
    finally:
        lab.down(wipe=True)


def _examine(lab: Lab) -> tuple[dict[str, Any], dict[str, int], int, int]:
    """(result, objects, requests, peak of memory in MiB) of all checks of the cloud."""
    cloud = _session.connect("stackmend-lab", str(lab.clouds_file))
    reader = CloudReader(cloud)
    always = {"settings": settings({})}
    tracemalloc.start()
    try:
        result = examine(FAULTS.values(), "cloud", reader, Target("cloud", "lab"), always)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert set(cloud.requests) == {"GET", "TOKEN"}
    return result, reader.objects, cloud.requests["GET"], peak // MIB


def test_requests_grow_with_providers_alone(own_lab: Lab, tmp_path: Path) -> None:
    template = own_lab.boot("template", host=own_lab.layout.computes[0]).id
    _result, objects, requests, peak = _examine(own_lab)
    numbers = (str(number) for number in (COMPUTES, SERVERS, IMAGES))
    done = own_lab.python("seed_scale.py", str(own_lab.layout.data), template, *numbers)
    assert done.returncode == 0, done.stderr
    result, grown, more, higher = _examine(own_lab)
    expected = {"resource provider": COMPUTES, "server": SERVERS, "consumer": SERVERS, "image": IMAGES}
    assert {kind: grown[kind] - objects[kind] for kind in expected} == expected
    # Its allocations and its inventory; one page of 250 still holds all servers.
    assert more - requests == 2 * COMPUTES
    assert higher - peak < 16, "MiB for 200 servers and 200 images"
    named = {finding["fault"] for finding in result["findings"]}
    assert not named & {
        "allocation_orphaned",
        "allocation_doubled",
        "disk_overcommitted",
        "placement_capacity_exhausted",
    }
