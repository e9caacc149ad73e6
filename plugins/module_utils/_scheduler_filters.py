# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nova's scheduler filters, judged from what the APIs show of a host; what they do not show is a doubt, never a guess.

Source: nova 34, scheduler/filters/*.py. A host is what `_scheduling.computes` makes of it. The request has no hints, no ports
and no server group, so that filters of those let every host pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional, Union

from ._cpu_request import on
from ._evidence._image_property_names import BOOLEANS, CHOICES, INTEGERS, NAMES, choice
from ._faults._scheduler import HOST_ATTRIBUTES, matches

Host = Mapping[str, Any]


class Doubt(NamedTuple):
    """Why it cannot be known what a filter says."""

    reason: str


class Facts(NamedTuple):
    """What filters look at beside the host: flavor and image as the readers have them, the image's properties by the names
    nova knows, the zone asked for ("" for none), the project, `[filter_scheduler]` options, and whether NUMA cells or
    devices are asked for."""

    flavor: Mapping[str, Any]
    image: Mapping[str, Any]
    properties: Mapping[str, str]
    zone: str
    project: str
    options: Mapping[str, str]
    topology: bool

    def option(self, name: str) -> str:
        return self.options.get(f"filter_scheduler.{name}", "").strip()


# Why a host is refused, a doubt, or None for one that passes.
Answer = Union[str, Doubt, None]


def answer(name: str, host: Host, facts: Facts) -> Answer:
    """What the filter of that name says of a host."""
    if name in _PASSED_WITHOUT_HINTS:
        return None
    judge = _FILTERS.get(name)
    if judge is None:
        return Doubt(f"{name} is no filter whose answer can be known from outside")
    return judge(host, facts)


_PASSED_WITHOUT_HINTS = frozenset(
    [
        "AllHostsFilter",
        "DifferentHostFilter",
        "JsonFilter",
        "RetryFilter",
        "SameHostFilter",
        "ServerGroupAffinityFilter",
        "ServerGroupAntiAffinityFilter",
        "SimpleCIDRAffinityFilter",
    ]
)


def _compute(host: Host, _facts: Facts) -> Answer:
    if host["status"] == "disabled":
        why = f" ({host['disabled_reason']})" if host["disabled_reason"] else ""
        return f"its compute service is disabled{why}"
    if host["state"] != "up":
        return "its compute service is forced down" if host["forced_down"] else "its compute service is down"
    return None


def _capabilities(host: Host, facts: Facts) -> Answer:
    doubt = None
    for key, wanted in facts.flavor["extra_specs"].items():
        scope = key.split(":")
        if len(scope) == 1:
            if not HOST_ATTRIBUTES.fullmatch(key):
                if host["type"] not in _WITHOUT_STATS:
                    doubt = Doubt(f"whether {host['type'] or 'its hypervisor'} reports {key} is in no API")
                continue
        elif scope[0] != "capabilities":
            continue
        else:
            scope = scope[1:]
        name = scope[0]
        if len(scope) == 1 and name in host["attributes"]:
            if not matches(str(host["attributes"][name]), wanted):
                return f"its {name} is {host['attributes'][name]}, and the flavor's {key} wants {wanted}"
        elif HOST_ATTRIBUTES.fullmatch(name) or host["type"] not in _WITHOUT_STATS:
            doubt = Doubt(
                f"what nova-scheduler knows as {':'.join(scope)} of its hosts is in no API ({key} of the flavor)"
            )
        else:
            return f"nothing that nova-scheduler knows of a host is called {name} ({key} of the flavor)"
    return doubt


# Drivers that add nothing to the statistics of their compute nodes (nova 34, virt/*/driver.py get_available_resource).
_WITHOUT_STATS = frozenset(["QEMU", "fake"])


def _image_properties(host: Host, facts: Facts) -> Answer:
    default = facts.option("image_properties_default_architecture")
    architecture = facts.properties.get("hw_architecture") or default
    wanted = {
        "hw_architecture": architecture,
        "img_hv_type": facts.properties.get("img_hv_type", ""),
        "hw_vm_mode": facts.properties.get("hw_vm_mode", ""),
    }
    if not any(wanted.values()):
        return None
    if facts.properties.get("img_hv_requested_version") or facts.properties.get("hw_maxphysaddr_bits"):
        return Doubt("the versions and address bits that an image may ask for were not compared")
    doubt = None
    for name, value in wanted.items():
        if not value:
            continue
        canonical = choice(name, value) or value
        known = _SUPPORTED.get(host["type"], {}).get(name)
        own = name == "hw_architecture" and canonical == host["architecture"]
        if own or (known and canonical in known[0]):
            continue
        if known and canonical not in known[1]:
            return f"it does not run guests with {name}={value}, as the image wants"
        doubt = Doubt(f"whether it runs guests with {name}={value} is in no API")
    return doubt


# {hypervisor type: {property: (values it has for certain, values it may have)}}: the driver's supported_instances.
_SUPPORTED: dict[str, dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "fake": {
        "hw_architecture": (frozenset(["x86_64"]), frozenset(["x86_64"])),
        "img_hv_type": (frozenset(["fake"]), frozenset(["fake"])),
        "hw_vm_mode": (frozenset(["hvm"]), frozenset(["hvm"])),
    },
    "QEMU": {
        "img_hv_type": (frozenset(["qemu"]), frozenset(["qemu", "kvm"])),
        "hw_vm_mode": (frozenset(["hvm"]), frozenset(["hvm"])),
    },
}


def _metadata(host: Host) -> dict[str, set[str]]:
    """nova/scheduler/filters/utils.py aggregate_metadata_get_by_host."""
    found: dict[str, set[str]] = {}
    for aggregate in host["aggregates"]:
        for key, value in aggregate["metadata"].items():
            found.setdefault(key, set()).update(part.strip() for part in value.split(","))
    return found


def _aggregate_extra_specs(host: Host, facts: Facts) -> Answer:
    metadata = _metadata(host)
    for key, wanted in facts.flavor["extra_specs"].items():
        scope, colon, rest = key.partition(":")
        if colon and scope != "aggregate_instance_extra_specs":
            continue
        name = rest if colon else key
        values = metadata.get(name)
        if not values:
            return f"no aggregate of it has {name}, which the flavor's {key} wants as {wanted}"
        if not any(matches(value, wanted) for value in values):
            return f"its aggregates have {name}={','.join(sorted(values))}, and the flavor's {key} wants {wanted}"
    return None


def _aggregate_image_properties(host: Host, facts: Facts) -> Answer:
    namespace = facts.option("aggregate_image_properties_isolation_namespace")
    separator = facts.option("aggregate_image_properties_isolation_separator") or "."
    doubt = None
    for key, values in _metadata(host).items():
        if (namespace and not key.startswith(namespace + separator)) or key not in NAMES:
            continue
        value = facts.properties.get(key)
        if value is None:
            continue
        # nova compares its own words: "True" for yes.
        text = str(on(value)) if key in BOOLEANS else (choice(key, value) or value) if key in CHOICES else value
        if key in INTEGERS and text in ("", "0"):
            continue
        if key in BOOLEANS and text == "False":
            continue  # nova takes a property that is off for none
        if text not in values:
            return f"its aggregates are for images with {key}={','.join(sorted(values))}, and the image has {value}"
    return doubt


def _aggregate_projects(host: Host, facts: Facts) -> Answer:
    projects: set[str] = set()
    for key, values in _metadata(host).items():
        if key.startswith("filter_tenant_id"):
            projects |= values
    if projects and facts.project not in projects:
        return f"its aggregates are for other projects than {facts.project or 'this one'}"
    return None


def _aggregate_flavors(host: Host, facts: Facts) -> Answer:
    rows = [
        aggregate["metadata"]["instance_type"]
        for aggregate in host["aggregates"]
        if "instance_type" in aggregate["metadata"]
    ]
    if rows and not any(facts.flavor["name"] in [part.strip() for part in row.split(",")] for row in rows):
        return f"its aggregates are for the flavors {', '.join(sorted(rows))}"
    return None


def _isolated(host: Host, facts: Facts) -> Answer:
    hosts, images = (
        [part.strip() for part in facts.option(name).split(",") if part.strip()]
        for name in ("isolated_hosts", "isolated_images")
    )
    restrict = on(facts.option("restrict_isolated_hosts_to_isolated_images") or "true")
    isolated_host, isolated_image = host["host"] in hosts, facts.image["id"] in images
    if isolated_image and not isolated_host:
        return "the image is for the isolated hosts only ([filter_scheduler] isolated_images)"
    if isolated_host and restrict and not isolated_image:
        return "it is for isolated images only ([filter_scheduler] isolated_hosts)"
    return None


def _zone(host: Host, facts: Facts) -> Answer:
    if facts.zone and host["zone"] != facts.zone:
        return f"it is in availability zone {host['zone']}"
    return None


def _topology(_host: Host, facts: Facts) -> Answer:
    return Doubt("how full the NUMA cells of a host are is in no API") if facts.topology else None


def _devices(_host: Host, facts: Facts) -> Answer:
    alias = facts.flavor["extra_specs"].get("pci_passthrough:alias")
    return Doubt(f"which devices a host has free for {alias} is in no API") if alias else None


def _counted(_host: Host, _facts: Facts) -> Answer:
    return Doubt("how many servers and input/output operations nova-scheduler counts on a host is in no API")


_FILTERS: dict[str, Callable[[Host, Facts], Answer]] = {
    "AggregateImagePropertiesIsolation": _aggregate_image_properties,
    "AggregateInstanceExtraSpecsFilter": _aggregate_extra_specs,
    "AggregateIoOpsFilter": _counted,
    "AggregateMultiTenancyIsolation": _aggregate_projects,
    "AggregateNumInstancesFilter": _counted,
    "AggregateTypeAffinityFilter": _aggregate_flavors,
    "AvailabilityZoneFilter": _zone,
    "ComputeCapabilitiesFilter": _capabilities,
    "ComputeFilter": _compute,
    "ImagePropertiesFilter": _image_properties,
    "IoOpsFilter": _counted,
    "IsolatedHostsFilter": _isolated,
    "NUMATopologyFilter": _topology,
    "NumInstancesFilter": _counted,
    "PciPassthroughFilter": _devices,
}


def compute_service(host: Host) -> Optional[str]:
    """What ComputeFilter says, whether it is enabled or not."""
    found = _compute(host, None)  # type: ignore[arg-type]  # it looks at the host alone
    return found if isinstance(found, str) else None
