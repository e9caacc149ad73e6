# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nova itself asks placement for: ask_nova_about_request.py FILE_OF_WISHES.

The file holds [{"flavor": {vcpus, ram, disk, ephemeral, swap, extra_specs}, "properties": {...}, "volume_backed": bool}].
Prints for each {"queries": [{"groups": {suffix: {resources, required, forbidden}}, "root_required", "root_forbidden",
"policy"}], "topology": whether NUMA cells decide}, or {"refused": why}. No database is needed: the request filters that read
one (zone, project, isolation, networks, owner) are left out, and those that are off by default are switched on.
"""

import json
import sys

import nova.conf
from nova import context, exception, objects
from nova.compute import api
from nova.scheduler import request_filter, utils
from nova.virt import hardware

CONF = nova.conf.CONF
FILTERS = (
    request_filter.require_image_type_support,
    request_filter.compute_status_filter,
    request_filter.transform_image_metadata,
    request_filter.accelerators_filter,
    request_filter.packed_virtqueue_filter,
    request_filter.ephemeral_encryption_filter,
    request_filter.virtio_sound_filter,
    request_filter.tpm_secret_security_filter,
)


def group(found):
    return {
        "resources": dict(sorted(found.resources.items())),
        "required": sorted(found.required_traits),
        "forbidden": sorted(found.forbidden_traits),
    }


def query(wanted):
    return {
        "groups": {ident or "": group(found) for ident, found in sorted(wanted._rg_by_id.items(), key=str)},
        "root_required": sorted(wanted._root_required),
        "root_forbidden": sorted(wanted._root_forbidden),
        "policy": wanted.group_policy or "",
    }


def ask(wish):
    who = context.RequestContext("user", "project", is_admin=True, roles=["admin"])
    given = wish["flavor"]
    flavor = objects.Flavor(
        name="wish",
        vcpus=given["vcpus"],
        memory_mb=given["ram"],
        root_gb=given["disk"],
        ephemeral_gb=given["ephemeral"],
        swap=given["swap"],
        extra_specs=given["extra_specs"],
    )
    image = {
        "id": "00000000-0000-0000-0000-000000000001",
        "name": "wish",
        "status": "active",
        "disk_format": "qcow2",
        "container_format": "bare",
        "min_ram": 0,
        "min_disk": 0,
        "size": 0,
        "properties": dict(wish["properties"]),
    }
    # As the API validates before it makes anything (compute/api.py).
    api.API._validate_flavor_image_nostatus(who, image, flavor, None)
    meta = objects.ImageMeta.from_dict(image)
    topology = hardware.numa_get_constraints(flavor, meta)
    hardware.get_pci_numa_policy_constraint(flavor, meta)
    queries = []
    for translate in (True, False):
        spec = objects.RequestSpec(
            flavor=flavor,
            image=meta,
            is_bfv=wish["volume_backed"],
            requested_resources=[],
            request_level_params=objects.RequestLevelParams(),
        )
        for each in FILTERS:
            each(who, spec)
        wanted = utils.ResourceRequest.from_request_spec(spec, translate)
        queries.append(query(wanted))
        if translate and not wanted.cpu_pinning_requested:
            break
    return {"queries": queries, "topology": topology is not None}


def main(path):
    CONF([], project="nova", default_config_files=[])
    CONF.set_override("query_placement_for_image_type_support", True, "scheduler")
    CONF.set_override("image_metadata_prefilter", True, "scheduler")
    objects.register_all()
    answers = []
    with open(path, encoding="utf-8") as file:
        wishes = json.load(file)
    for wish in wishes:
        try:
            answers.append(ask(wish))
        except (exception.NovaException, ValueError) as error:
            answers.append({"refused": f"{type(error).__name__}: {error}"})
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
