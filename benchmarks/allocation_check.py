# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The allocation check by itself, as a command. Prints what it found, asked and took as JSON.

    allocation_check.py CLOUDS_FILE [--databases HOST PYTHON] [FAULT ...]

With --databases it begins with what they say (stackmend_allocation_source=databases): HOST is the directory that stands for the
controller, PYTHON the interpreter of the services.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _session
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._cloud_readers import CloudReader
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import (
    allocation_records,
    recorded_allocations,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Target
from ansible_collections.stackmend.openstack.plugins.module_utils._settings import settings


def main(clouds_file: str, controller: tuple[str, str] | None, names: list[str]) -> None:
    faults = [FAULTS[name] for name in names] or list(FAULTS.values())
    cloud = _session.connect("stackmend-lab", clouds_file)
    reader: Any = CloudReader(cloud)
    objects = reader.objects
    if controller:
        host, python = controller
        records = allocation_records.read(Tree(host), {"service_python": python})
        if not records or not recorded_allocations.of_this_cloud(cloud, records):
            sys.exit("the databases do not tell")
        reader, objects = recorded_allocations.RecordedReader(cloud, records), records["count"]
    always = {"settings": settings({})}
    result = examine(faults, "cloud", reader, Target("cloud", "lab"), always)
    told = {
        "findings": [[finding["fault"], finding["target"]["id"]] for finding in result["findings"]],
        "unknown": [entry["reason"] for entry in result["unknown"]],
        "requests": dict(cloud.requests),
        "objects": objects,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("clouds_file")
    parser.add_argument("--databases", nargs=2)
    parser.add_argument("faults", nargs="*")
    given = parser.parse_intermixed_args()
    main(given.clouds_file, given.databases, given.faults)
