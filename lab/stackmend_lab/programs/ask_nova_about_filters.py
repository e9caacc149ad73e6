# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nova's own scheduler filters say of a host: ask_nova_about_filters.py FILE_OF_CASES.

The file holds [{"filter": class name, "host": {"host", "up", "disabled", "aggregates": [metadata], "attributes": {...}},
"flavor": {"name", "extra_specs"}, "image": {"id", "properties"}, "project", "options": {[filter_scheduler] option: value}}].
Prints for each true or false, or "error: ..." where the filter raises. The host is FakeDriver's; no database is needed.
"""

import json
import sys

import nova.conf
from nova import objects
from nova.scheduler import filters, host_manager

CONF = nova.conf.CONF
FAKE = [("x86_64", "fake", "hvm")]


def state(given):
    host = host_manager.HostState(given["host"], given["host"], "00000000-0000-0000-0000-000000000002")
    for name, value in given["attributes"].items():
        setattr(host, name, value)
    host.supported_instances = FAKE
    host.stats = {"failed_builds": "0", "num_instances": "0", "io_workload": "0"}
    host.aggregates = [objects.Aggregate(metadata=metadata) for metadata in given["aggregates"]]
    host.service = {"disabled": given["disabled"], "disabled_reason": None, "up": given["up"]}
    return host


def ask(case, classes):
    for name, value in case["options"].items():
        CONF.set_override(name, value, "filter_scheduler")
    flavor = objects.Flavor(
        name=case["flavor"]["name"], vcpus=1, memory_mb=1, extra_specs=case["flavor"]["extra_specs"]
    )
    image = objects.ImageMeta.from_dict(
        {
            "id": case["image"]["id"],
            "name": "image",
            "status": "active",
            "disk_format": "raw",
            "container_format": "bare",
            "properties": dict(case["image"]["properties"]),
        }
    )
    spec = objects.RequestSpec(
        flavor=flavor,
        image=image,
        project_id=case["project"],
        scheduler_hints={},
        pci_requests=None,
        numa_topology=None,
        instance_group=None,
        requested_destination=None,
    )
    judge = classes[case["filter"]]()
    if case["filter"] == "ComputeFilter":
        judge.servicegroup_api = type("Up", (), {"service_is_up": staticmethod(lambda service: service["up"])})
    try:
        return bool(judge.host_passes(state(case["host"]), spec))
    except Exception as error:
        return f"error: {type(error).__name__}"
    finally:
        for name in case["options"]:
            CONF.clear_override(name, "filter_scheduler")


def main(path):
    CONF([], project="nova", default_config_files=[])
    objects.register_all()
    classes = {each.__name__: each for each in filters.all_filters()}
    with open(path, encoding="utf-8") as file:
        print(json.dumps([ask(case, classes) for case in json.load(file)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
