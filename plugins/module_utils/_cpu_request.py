# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CPUs a flavor and an image ask for: shared, dedicated, isolated, in NUMA cells; and what nova's API refuses of that.

Source: nova 34, virt/hardware.py numa_get_constraints and what it calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

_TRUE = frozenset(["1", "t", "true", "on", "y", "yes"])  # oslo_utils.strutils
HYPERTHREADING = "HW_CPU_HYPERTHREADING"


class Contradiction(ValueError):
    """A flavor and an image that nova's API refuses together (400); the sentence says why."""


class Cpus(NamedTuple):
    """resources: {class: amount} that a CPU policy asks for. thread_trait: "required", "forbidden" or "" of hyperthreading.
    pinned: whether all CPUs are dedicated by policy. topology: whether the host's NUMA cells decide too."""

    resources: dict[str, int]
    thread_trait: str
    pinned: bool
    topology: bool


def on(text: str) -> bool:
    """Whether nova takes a text for true."""
    return text.strip().lower() in _TRUE


def of(flavor: Mapping[str, Any], image: Mapping[str, str]) -> Cpus:
    """What is asked for; image are the properties by the names that nova knows. Raises Contradiction."""
    specs, count = flavor["extra_specs"], flavor["vcpus"]
    policy, threads = _policy(specs, image), _thread_policy(specs, image)
    realtime, dedicated = _realtime(specs, image, count), _dedicated(specs, count)
    isolated = specs.get("hw:emulator_threads_policy") == "isolate"
    thread_trait = {"isolate": "forbidden", "require": "required"}.get(threads or "", "")
    effective = _explicit(specs, count, policy, isolated) or policy
    trait = next((specs[key] for key in specs if re.match(rf"trait([1-9][0-9]*)?:{HYPERTHREADING}", key)), None)
    if not trait and image.get(f"trait:{HYPERTHREADING}") == "required":
        trait = "required"
    if threads and trait:
        raise Contradiction(f"trait:{HYPERTHREADING} cannot be combined with a CPU thread policy")
    threads = {"forbidden": "isolate", "required": "require"}.get(trait or "", threads)
    if effective in (None, "shared"):
        for wrong, what in (
            (threads, "a CPU thread policy"),
            (isolated, "hw:emulator_threads_policy=isolate"),
            (realtime, "hw:cpu_realtime"),
        ):
            if wrong:
                raise Contradiction(f"{what} needs a CPU policy that dedicates CPUs")
    if effective != "mixed" and dedicated:
        raise Contradiction("hw:cpu_dedicated_mask needs hw:cpu_policy=mixed")
    if effective == "mixed" and bool(realtime) == bool(dedicated):
        raise Contradiction("hw:cpu_policy=mixed needs either hw:cpu_dedicated_mask or a realtime mask")
    resources = {}
    if policy == "dedicated":
        resources["PCPU"] = count + isolated
    elif policy == "mixed":
        chosen = len(dedicated or realtime or ())
        resources.update(VCPU=count - chosen, PCPU=chosen + isolated)
    return Cpus(
        resources,
        thread_trait,
        policy == "dedicated",
        _cells(flavor, image) or effective in ("dedicated", "mixed"),
    )


def numbers(mask: str, count: int) -> set[int]:
    """The guest's CPUs that a mask such as "0-3,^1" names; one that begins with "^" starts from all of them."""
    if mask.strip().startswith("^"):
        mask = f"0-{count - 1},{mask}"
    found: set[int] = set()
    without: set[int] = set()
    for part in mask.split(","):
        if not part.strip():
            continue
        first, dash, last = part.strip().lstrip("^").partition("-")
        try:
            several = range(int(first), int(last if dash else first) + 1)
        except ValueError as error:
            raise Contradiction(f"{mask!r} is no list of CPUs") from error
        if not several:
            raise Contradiction(f"{mask!r} is no list of CPUs")
        (without if part.strip().startswith("^") else found).update(several)
    return found - without


def _policy(specs: Mapping[str, str], image: Mapping[str, str]) -> Optional[str]:
    in_flavor, in_image = specs.get("hw:cpu_policy"), image.get("hw_cpu_policy")
    for value in (in_flavor, in_image):
        if value not in (None, "", "dedicated", "mixed", "shared"):
            raise Contradiction(f"there is no CPU policy {value}")
    refused = {"mixed": ("dedicated",), "shared": ("dedicated", "mixed")}
    if in_image in refused.get(in_flavor or "", ()):
        raise Contradiction(f"the flavor says hw:cpu_policy={in_flavor} and the image hw_cpu_policy={in_image}")
    return in_flavor or in_image or None


def _thread_policy(specs: Mapping[str, str], image: Mapping[str, str]) -> Optional[str]:
    in_flavor, in_image = specs.get("hw:cpu_thread_policy"), image.get("hw_cpu_thread_policy")
    for value in (in_flavor, in_image):
        if value not in (None, "", "prefer", "isolate", "require"):
            raise Contradiction(f"there is no CPU thread policy {value}")
    if in_flavor in (None, "prefer"):
        return in_flavor or in_image
    if in_image and in_image != in_flavor:
        raise Contradiction(
            f"the flavor says hw:cpu_thread_policy={in_flavor} and the image hw_cpu_thread_policy={in_image}"
        )
    return in_flavor


def _realtime(specs: Mapping[str, str], image: Mapping[str, str], count: int) -> Optional[set[int]]:
    if not on(specs.get("hw:cpu_realtime") or ""):
        return None
    mask = image.get("hw_cpu_realtime_mask") or specs.get("hw:cpu_realtime_mask")
    chosen = numbers(mask, count) if mask else set(range(count))
    if not chosen or not chosen <= set(range(count)):
        raise Contradiction(f"the realtime mask {mask!r} names no CPUs of the flavor")
    if len(chosen) == count and not specs.get("hw:emulator_threads_policy"):
        raise Contradiction("realtime CPUs need another CPU beside them, or emulator threads elsewhere")
    return chosen


def _dedicated(specs: Mapping[str, str], count: int) -> Optional[set[int]]:
    mask = specs.get("hw:cpu_dedicated_mask")
    if not mask:
        return None
    chosen = numbers(mask, count)
    if not chosen or not chosen < set(range(count)):
        raise Contradiction(f"hw:cpu_dedicated_mask={mask} must name some of the flavor's CPUs, and not all")
    return chosen


def _explicit(specs: Mapping[str, str], count: int, policy: Optional[str], isolated: bool) -> Optional[str]:
    """The policy that resources:VCPU or resources:PCPU stand for."""
    asked = {"VCPU": 0, "PCPU": 0}
    for key, value in specs.items():
        match = re.match(r"resources([1-9][0-9]*)?:(VCPU|PCPU)", key)
        if match and re.fullmatch(r"\s*[+-]?\d+\s*", value):
            asked[match[2]] += int(value)
    if policy and any(asked.values()):
        raise Contradiction("resources:VCPU and resources:PCPU cannot be combined with a CPU policy")
    if all(asked.values()):
        raise Contradiction("resources:VCPU and resources:PCPU cannot be combined")
    if asked["PCPU"] and asked["PCPU"] != count + isolated:
        raise Contradiction(
            f"resources:PCPU is {asked['PCPU']} and must be {count + isolated}, as the flavor's CPUs are"
        )
    if asked["PCPU"]:
        return "dedicated"
    return "shared" if asked["VCPU"] else None


def _cells(flavor: Mapping[str, Any], image: Mapping[str, str]) -> bool:
    """Whether NUMA cells, a page size or persistent memory are asked for."""
    specs = flavor["extra_specs"]
    in_flavor, in_image = specs.get("hw:numa_nodes"), image.get("hw_numa_nodes")
    if in_flavor and in_image:
        raise Contradiction("the image may not say hw_numa_nodes where the flavor says hw:numa_nodes")
    nodes = in_flavor or in_image
    if nodes and not (nodes.isdigit() and int(nodes)):
        raise Contradiction(f"{nodes} is no number of NUMA nodes")
    by_hand = any(key.startswith("hw:numa_cpus.") for key in specs) or any(
        key.startswith("hw_numa_cpus.") for key in image
    )
    if nodes and not by_hand and (flavor["vcpus"] % int(nodes) or flavor["ram"] % int(nodes)):
        raise Contradiction(f"the flavor's CPUs and memory cannot be divided evenly among {nodes} NUMA nodes")
    page, of_image = specs.get("hw:mem_page_size"), image.get("hw_mem_page_size")
    if of_image and page not in ("any", "large"):
        raise Contradiction(f"the image may say hw_mem_page_size only where the flavor says any or large, not {page}")
    return bool(nodes or page or (specs.get("hw:pmem") or "").strip(" ,"))
