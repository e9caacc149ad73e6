# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What explain takes nova's request and nova's filters for is what the installed nova's own code makes of them.

STACKMEND_EXPLAIN_SEED: another number, other flavors, images and hosts.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import (
    _cpu_request,
    _resource_request,
    _scheduler_filters,
)
from stackmend_lab import Lab

SEED = int(os.environ.get("STACKMEND_EXPLAIN_SEED", "20261121"))
CASES = 2000

# What flavors and images can ask for, with what is legal and what is not, for comparison with nova's own code.
SPECS = {
    "resources:VCPU": ["0", "2", "x"],
    "resources:PCPU": ["2"],
    "resources:MEMORY_MB": ["0", "100", "-1"],
    "resources:CUSTOM_GOLD": ["1"],
    "resources:FOO": ["1"],
    "resources:VGPU": ["1"],
    "resources_A:CUSTOM_GOLD": ["2"],
    "resources1:VCPU": ["1"],
    "trait_A:CUSTOM_FAST": ["required"],
    "trait:CUSTOM_FAST": ["required", "forbidden", "maybe"],
    "trait:HW_CPU_HYPERTHREADING": ["required", "forbidden"],
    "group_policy": ["none", "isolate", "what"],
    "hw:cpu_policy": ["dedicated", "shared", "mixed"],
    "hw:cpu_dedicated_mask": ["0-1", "^0"],
    "hw:emulator_threads_policy": ["isolate", "share"],
    "hw:cpu_thread_policy": ["isolate", "require", "prefer"],
    "hw:numa_nodes": ["1", "2"],
    "hw:mem_page_size": ["large"],
    "hw:mem_encryption": ["true", "false"],
    "hw:mem_encryption_model": ["amd-sev", "amd-sev-es", "amd-sev-snp"],
    "hw:pmem": ["6GB,a-b"],
    "hw:tpm_version": ["1.2", "2.0"],
    "hw:tpm_model": ["tpm-tis", "tpm-crb"],
    "hw:tpm_secret_security": ["host", "deployment"],
    "hw:pci_numa_affinity_policy": ["socket", "required"],
    "os:secure_boot": ["required", "optional"],
    "hw:maxphysaddr_mode": ["passthrough", "emulate"],
    "hw:virtio_packed_ring": ["true", "no"],
    "hw:ephemeral_encryption": ["true", "false"],
    "hw:ephemeral_encryption_format": ["luks"],
    "hw:sound_model": ["virtio", "sb16"],
    "accel:device_profile": ["p"],
    "hw:cpu_realtime": ["yes"],
    "hw:cpu_realtime_mask": ["^0", "0-1"],
    "capabilities:x": ["1"],
    "plain": ["1"],
}
PROPERTIES = {
    "trait:CUSTOM_FAST": ["required", "forbidden"],
    "hw_cpu_policy": ["dedicated", "shared", "mixed"],
    "hw_cpu_thread_policy": ["isolate", "require"],
    "hw_mem_encryption": ["true", "false"],
    "hw_firmware_type": ["uefi", "bios"],
    "hw_firmware_stateless": ["true", "false"],
    "hw_tpm_version": ["1.2", "2.0"],
    "hw_tpm_model": ["tpm-crb"],
    "hw_pci_numa_affinity_policy": ["socket"],
    "os_secure_boot": ["required", "disabled"],
    "hw_maxphysaddr_mode": ["emulate"],
    "hw_virtio_packed_ring": ["true", "false"],
    "hw_ephemeral_encryption": ["true"],
    "hw_sound_model": ["virtio"],
    "hw_disk_bus": ["virtio", "scsi"],
    "hw_vif_model": ["virtio", "e1000", "VirtualE1000"],
    "architecture": ["x86_64", "amd64"],
    "hw_video_model": ["virtio"],
    "hw_numa_nodes": ["1"],
    "hw_mem_page_size": ["large"],
    "vm_mode": ["hvm"],
}


def test_what_nova_would_ask_placement_is_what_nova_asks(lab: Lab, tmp_path: Path) -> None:
    """ResourceRequest and the request filters of the installed nova, on two thousand flavors and images, refusals included."""
    dice = random.Random(SEED)
    wishes = [_wish(dice) for _ in range(CASES)]
    file = tmp_path / "wishes.json"
    file.write_text(json.dumps(wishes), encoding="utf-8")
    done = lab.python("ask_nova_about_request.py", str(file))
    assert done.returncode == 0, done.stderr
    traits = set(lab.cloud().placement.get("/traits", microversion="1.36").json()["traits"])
    options = dict.fromkeys(
        ("scheduler.query_placement_for_image_type_support", "scheduler.image_metadata_prefilter"), "true"
    )
    wrong = []
    for wish, nova in zip(wishes, json.loads(done.stdout), strict=True):
        try:
            asked = _resource_request.of(
                wish["flavor"],
                wish["properties"],
                volume_backed=wish["volume_backed"],
                disk_format="qcow2",
                release=34,
                options=options,
                traits=traits,
            )
            own: dict[str, Any] = {"queries": [query._asdict() for query in asked.queries], "topology": asked.topology}
        except _cpu_request.Contradiction as error:
            own = {"refused": str(error)}
        if own != nova and not ("refused" in own and "refused" in nova):
            wrong.append({"wish": wish, "nova": nova, "own": own})
    assert wrong == [], f"seed {SEED}: {len(wrong)} differ:\n{json.dumps(wrong[:5], indent=1)}"


def _wish(dice: random.Random) -> dict[str, Any]:
    specs = {key: dice.choice(SPECS[key]) for key in dice.sample(sorted(SPECS), dice.choice([0, 1, 1, 2, 2, 3, 4]))}
    properties = {
        key: dice.choice(PROPERTIES[key]) for key in dice.sample(sorted(PROPERTIES), dice.choice([0, 0, 1, 1, 2, 3]))
    }
    if dice.random() < 0.4:
        properties["hw_firmware_type"] = "uefi"
    flavor = {
        "vcpus": dice.choice([1, 2, 4]),
        "ram": 1024,
        "disk": dice.choice([0, 5]),
        "ephemeral": dice.choice([0, 2]),
    }
    return {
        "flavor": {**flavor, "swap": dice.choice([0, 512, 1025]), "extra_specs": specs},
        "properties": properties,
        "volume_backed": dice.random() < 0.3,
    }


METADATA = {
    "ssd": ["true", "false", "true, maybe"],
    "rack": ["1", "2,3", "10"],
    "xxx": ["1"],
    "filter_tenant_id": ["p1", "p2, p3"],
    "filter_tenant_id_b": ["p1"],
    "instance_type": ["small, big", "other"],
    "hw_disk_bus": ["virtio", "scsi"],
    "hw_qemu_guest_agent": ["True", "yes"],
    "hw_cpu_sockets": ["2"],
    "availability_zone": ["az1"],
    "os_type": ["linux", "windows"],
}
FILTERED = {
    "aggregate_instance_extra_specs:ssd": ["true", "<or> true <or> x", "<in> tr", "s== true"],
    "aggregate_instance_extra_specs:rack": [
        "2",
        ">= 2",
        "== 2",
        "<or> 1 <or> 10",
        "!= 1",
        "s>= 2",
        "<all-in> 2 3",
        "= 1",
    ],
    "ssd": ["true", "false"],
    "xxx": ["1", "2"],
    "capabilities:hypervisor_type": ["fake", "s== fake", "s!= fake", "<in> ak"],
    "capabilities:hypervisor_version": [">= 900", "<= 900", "== 1000"],
    "capabilities:total_usable_ram_mb": [">= 1000"],
    "capabilities:nothing": ["1"],
    "host": ["h1", "h2"],
    "hypervisor_hostname": ["h1"],
    "nodename": ["<in> h"],
    "group_policy": ["none"],
    "hw:cpu_policy": ["shared"],
    "trait:X": ["required"],
}
COMPARED = {
    "hw_architecture": ["x86_64", "aarch64", "amd64"],
    "architecture": ["x86_64"],
    "img_hv_type": ["fake", "qemu", "FAKE"],
    "hypervisor_type": ["kvm"],
    "hw_vm_mode": ["hvm", "xen"],
    "hw_disk_bus": ["virtio", "scsi"],
    "hw_qemu_guest_agent": ["yes", "no", "true"],
    "hw_cpu_sockets": ["2", "4"],
    "os_type": ["linux", "Linux"],
}
FILTERS = [
    "AggregateImagePropertiesIsolation",
    "AggregateInstanceExtraSpecsFilter",
    "AggregateMultiTenancyIsolation",
    "AggregateTypeAffinityFilter",
    "AllHostsFilter",
    "ComputeCapabilitiesFilter",
    "ComputeFilter",
    "ImagePropertiesFilter",
    "IsolatedHostsFilter",
    "NUMATopologyFilter",
    "PciPassthroughFilter",
    "ServerGroupAffinityFilter",
    "ServerGroupAntiAffinityFilter",
]
NAMESPACE = "aggregate_image_properties_isolation_namespace"
SEPARATOR = "aggregate_image_properties_isolation_separator"


def _some(dice: random.Random, table: dict[str, list[str]], most: int) -> dict[str, str]:
    return {key: dice.choice(table[key]) for key in dice.sample(sorted(table), dice.randrange(most + 1))}


def _case(dice: random.Random) -> dict[str, Any]:
    name, host = dice.choice(FILTERS), dice.choice(["h1", "h2"])
    options: dict[str, Any] = {}
    if name == "IsolatedHostsFilter":
        options = {
            "isolated_hosts": dice.choice([[], ["h1"]]),
            "isolated_images": dice.choice([[], ["i1"]]),
            "restrict_isolated_hosts_to_isolated_images": dice.random() < 0.5,
        }
    elif name == "ImagePropertiesFilter" and dice.random() < 0.3:
        options = {"image_properties_default_architecture": dice.choice(["x86_64", "aarch64"])}
    elif name == "AggregateImagePropertiesIsolation":
        options = dice.choice([{}, {}, {NAMESPACE: "hw"}, {NAMESPACE: "hw", SEPARATOR: "_"}])
    attributes = {
        "hypervisor_type": "fake",
        "hypervisor_version": 1000,
        "hypervisor_hostname": host,
        "host_ip": "127.0.0.1",
        "total_usable_ram_mb": 32000,
    }
    return {
        "filter": name,
        "host": {
            "host": host,
            "up": dice.random() < 0.8,
            "disabled": dice.random() < 0.2,
            "aggregates": [_some(dice, METADATA, 3) for _ in range(dice.randrange(3))],
            "attributes": attributes,
        },
        "flavor": {"name": dice.choice(["small", "huge"]), "extra_specs": _some(dice, FILTERED, 2)},
        "image": {"id": dice.choice(["i1", "i2"]), "properties": _some(dice, COMPARED, 3)},
        "project": dice.choice(["p1", "p3", "p9"]),
        "options": options,
    }


def _own_answer(case: dict[str, Any]) -> _scheduler_filters.Answer:
    given = case["host"]
    host = {
        "host": given["host"],
        "zone": "nova",
        "state": "up" if given["up"] else "down",
        "status": "disabled" if given["disabled"] else "enabled",
        "forced_down": False,
        "disabled_reason": "",
        "type": "fake",
        "architecture": "x86_64",
        "aggregates": [{"metadata": metadata} for metadata in given["aggregates"]],
        "attributes": {"host": given["host"], "nodename": given["host"], **given["attributes"]},
    }
    options = {
        f"filter_scheduler.{name}": ",".join(value) if isinstance(value, list) else str(value)
        for name, value in case["options"].items()
    }
    properties = _resource_request.properties_of(case["image"]["properties"])
    facts = _scheduler_filters.Facts(case["flavor"], case["image"], properties, "", case["project"], options, False)
    return _scheduler_filters.answer(case["filter"], host, facts)


def test_what_a_filter_is_said_to_say_is_what_it_says(lab: Lab, tmp_path: Path) -> None:
    """The filters of the installed nova, on two thousand hosts; of FakeDriver's hosts everything is known."""
    dice = random.Random(SEED)
    cases = [_case(dice) for _ in range(CASES)]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(cases), encoding="utf-8")
    done = lab.python("ask_nova_about_filters.py", str(file))
    assert done.returncode == 0, done.stderr
    wrong = []
    for case, nova in zip(cases, json.loads(done.stdout), strict=True):
        own = _own_answer(case)
        if isinstance(own, _scheduler_filters.Doubt) or (own is None) is not nova:
            wrong.append({"case": case, "nova": nova, "own": own})
    assert wrong == [], f"seed {SEED}: {len(wrong)} differ:\n{json.dumps(wrong[:5], indent=1)}"
