# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nova asks placement for a server of a flavor and an image.

Sources: nova 34, scheduler/utils.py ResourceRequest.from_request_spec, scheduler/request_filter.py, virt/hardware.py,
objects/request_spec.py RequestGroup. What comes from ports, device profiles and PCI aliases is not known here, and is said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Optional

from . import _cpu_request
from ._cpu_request import Contradiction, on
from ._evidence._image_property_names import CHOICES, FORMER_NAMES, choice

DISABLED = "COMPUTE_STATUS_DISABLED"
OWNER = "OWNER_NOVA"
_EXTRA_SPEC = re.compile(r"(resources|trait)([a-zA-Z0-9_-]{1,64})?:(.*)")
# os-resource-classes 1.1: nova passes over any other that is not CUSTOM_*.
_CLASSES = re.compile(
    r"VCPU|MEMORY_MB|DISK_GB|PCI_DEVICE|SRIOV_NET_VF|NUMA_(SOCKET|CORE|THREAD|MEMORY_MB)|IPV4_ADDRESS|VGPU(_DISPLAY_HEAD)?|PCPU"
    r"|NET_BW_[EI]GR_KILOBIT_PER_SEC|MEM_ENCRYPTION_CONTEXT|FPGA|PGPU|NET_PACKET_RATE_([EI]GR_)?KILOPACKET_PER_SEC|CUSTOM_.*"
)
_ENCRYPTION = {
    "amd-sev": "HW_CPU_X86_AMD_SEV",
    "amd-sev-es": "HW_CPU_X86_AMD_SEV_ES",
    "amd-sev-snp": "HW_CPU_X86_AMD_SEV_SNP",
}
# [scheduler] image_metadata_prefilter: the property, and what the trait of its value begins with.
_BY_PROPERTY = {
    "hw_cdrom_bus": "COMPUTE_STORAGE_BUS",
    "hw_disk_bus": "COMPUTE_STORAGE_BUS",
    "hw_video_model": "COMPUTE_GRAPHICS_MODEL",
    "hw_vif_model": "COMPUTE_NET_VIF_MODEL",
    "hw_architecture": "HW_ARCH",
    "hw_emulation_architecture": "COMPUTE_ARCH",
    "hw_viommu_model": "COMPUTE_VIOMMU",
}


class Request(NamedTuple):
    """One query of placement's allocation candidates.

    groups: {suffix, "" for the one without: {"resources": {class: amount}, "required": [trait], "forbidden": [trait]}}.
    root_required, root_forbidden: traits of the compute's own provider. policy: group_policy, "" for none.
    """

    groups: dict[str, dict[str, Any]]
    root_required: list[str]
    root_forbidden: list[str]
    policy: str

    @property
    def plain(self) -> Optional[dict[str, Any]]:
        """{"resources", "required", "forbidden"} of a request without further groups; None where it has such."""
        if set(self.groups) - {""}:
            return None
        group = self.groups.get("", {"resources": {}, "required": [], "forbidden": []})
        return {
            "resources": group["resources"],
            "required": sorted({*group["required"], *self.root_required}),
            "forbidden": sorted({*group["forbidden"], *self.root_forbidden}),
        }


class Asked(NamedTuple):
    """All that is asked for a server.

    queries: the requests, of which a host must satisfy one: pinned CPUs are asked for as PCPU and, for computes that do
    not have those in their inventory, as VCPU. doubtful: {trait: why it is not known whether nova asks for it}.
    unseen: sentences on what decides and no API shows. topology: whether the host's NUMA cells decide too.
    """

    queries: tuple[Request, ...]
    doubtful: dict[str, str]
    unseen: list[str]
    topology: bool


def properties_of(image: Mapping[str, Any]) -> dict[str, str]:
    """The properties of an image as nova knows them: by their names of today, and the values it makes of them."""
    found = {name: str(value) for name, value in image.items() if name not in FORMER_NAMES}
    for former, name in FORMER_NAMES.items():
        if former in image:
            found.setdefault(name, str(image[former]))
    return {name: (choice(name, value) or value) if name in CHOICES else value for name, value in found.items()}


def of(
    flavor: Mapping[str, Any],
    image: Mapping[str, Any],
    *,
    volume_backed: bool = False,
    disk_format: str = "",
    release: Optional[int] = None,
    options: Mapping[str, str] = {},
    traits: Optional[Collection[str]] = None,
) -> Asked:
    """What nova asks for a server of this flavor (as the readers have it) with the properties of an image.

    release: of nova, None where it is not known. options: {"scheduler.<name>": text} of nova-scheduler. traits: those that
    placement knows, to tell which of an image's properties have one; None where they were not read.
    Raises Contradiction.
    """
    specs, image = flavor["extra_specs"], properties_of(image)
    groups: dict[str, dict[str, Any]] = {}
    policy = _from_flavor(specs, groups)
    for key, value in image.items():
        if key.startswith("trait:") and value == "required":
            _group(groups)["required"].add(key[len("trait:") :])
    fallback = {suffix: _copy(group) for suffix, group in groups.items()}
    cpus = _cpu_request.of(flavor, image)
    _group(groups)["resources"].update(cpus.resources)
    if cpus.thread_trait:
        _group(groups)[cpus.thread_trait].add(_cpu_request.HYPERTHREADING)
    doubtful: dict[str, str] = {}
    for each in (groups, fallback):
        _from_flavor_itself(flavor, each, volume_backed)
        _security_and_memory(specs, image, each)
    root = _prefilters(specs, image, volume_backed, disk_format, release, options, traits, doubtful)
    queries = tuple(_request(each, root, policy) for each in ((groups, fallback) if cpus.pinned else (groups,)))
    return Asked(queries, doubtful, _unseen(specs, image), cpus.topology)


def _group(groups: dict[str, dict[str, Any]], suffix: str = "") -> dict[str, Any]:
    return groups.setdefault(suffix, {"resources": {}, "required": set(), "forbidden": set()})


def _copy(group: Mapping[str, Any]) -> dict[str, Any]:
    return {"resources": dict(group["resources"]), "required": {*group["required"]}, "forbidden": {*group["forbidden"]}}


def _request(groups: Mapping[str, Mapping[str, Any]], root: Collection[str], policy: str) -> Request:
    told = {
        suffix: {
            "resources": {name: amount for name, amount in sorted(group["resources"].items()) if amount},
            "required": sorted(group["required"]),
            "forbidden": sorted(group["forbidden"]),
        }
        for suffix, group in sorted(groups.items())
    }
    return Request(
        {suffix: group for suffix, group in told.items() if any(group.values())}, sorted(root), [DISABLED], policy
    )


def _from_flavor(specs: Mapping[str, str], groups: dict[str, dict[str, Any]]) -> str:
    """Take resources:, trait: and their groups; the group policy, "" without a valid one."""
    for key, value in specs.items():
        match = _EXTRA_SPEC.match(key)
        if match is None:
            continue
        kind, suffix, name = match.groups()
        if kind == "trait":
            if value in ("required", "forbidden"):
                _group(groups, suffix or "")[value].add(name)
        elif _CLASSES.fullmatch(name):
            amount = _whole(value)
            if amount is not None:
                _group(groups, suffix or "")["resources"][name] = amount
    policy = specs.get("group_policy", "")
    return policy if policy in ("none", "isolate") else ""


def _whole(value: Any) -> Optional[int]:
    try:
        amount = int(value)
    except ValueError:
        return None
    return amount if amount >= 0 else None


def _unique(name: str, specs: Mapping[str, str], image: Mapping[str, str], prefix: str = "hw") -> Optional[str]:
    """What flavor or image say; Contradiction where they differ."""
    in_flavor, in_image = specs.get(f"{prefix}:{name}"), image.get(f"{prefix}_{name}")
    if in_flavor and in_image and in_flavor != in_image:
        raise Contradiction(f"the flavor says {prefix}:{name}={in_flavor} and the image {prefix}_{name}={in_image}")
    return in_flavor or in_image


def _switched_on(name: str, specs: Mapping[str, str], image: Mapping[str, str]) -> bool:
    """Whether flavor or image switch something on; Contradiction where one switches off what the other switches on."""
    in_flavor, in_image = specs.get(f"hw:{name}"), image.get(f"hw_{name}")
    if in_flavor is not None and in_image is not None and on(in_flavor) != on(in_image):
        raise Contradiction(f"the flavor says hw:{name}={in_flavor} and the image hw_{name}={in_image}")
    return on(in_flavor or "") or on(in_image or "")


def _from_flavor_itself(flavor: Mapping[str, Any], groups: dict[str, dict[str, Any]], volume_backed: bool) -> None:
    """The flavor's own CPUs, memory and disk, each unless an extra spec has overridden it, with 0 too."""
    overridden = {name for group in groups.values() for name in group["resources"]}
    own = _group(groups)["resources"]
    if not overridden & {"VCPU", "PCPU"}:
        own["VCPU"] = flavor["vcpus"]
    if "MEMORY_MB" not in overridden:
        own["MEMORY_MB"] = flavor["ram"]
    if "DISK_GB" not in overridden:
        own["DISK_GB"] = (
            (0 if volume_backed else flavor["disk"]) + flavor["ephemeral"] + math.ceil(flavor["swap"] / 1024)
        )


def _security_and_memory(specs: Mapping[str, str], image: Mapping[str, str], groups: dict[str, dict[str, Any]]) -> None:
    group = _group(groups)
    required: set[str] = group["required"]
    in_flavor, in_image = specs.get("hw:mem_encryption"), image.get("hw_mem_encryption")
    if in_flavor is not None and in_image is not None and on(in_flavor) != on(in_image):
        raise Contradiction(f"the flavor says hw:mem_encryption={in_flavor} and the image hw_mem_encryption={in_image}")
    if on(in_flavor or "") or on(in_image or ""):
        model = _unique("mem_encryption_model", specs, image) or "amd-sev"
        if image.get("hw_firmware_type") != "uefi":
            raise Contradiction("memory encryption needs an image with hw_firmware_type=uefi")
        if model == "amd-sev-snp" and not on(image.get("hw_firmware_stateless", "")):
            raise Contradiction("memory encryption amd-sev-snp needs an image with hw_firmware_stateless=true")
        group["resources"]["MEM_ENCRYPTION_CONTEXT"] = 1
        required.update({_ENCRYPTION[model]} if model in _ENCRYPTION else ())
    for label in (specs.get("hw:pmem") or "").split(","):
        if label.strip():
            name = "CUSTOM_PMEM_NAMESPACE_" + re.sub("[^0-9A-Z]+", "_", label.strip().upper())
            group["resources"][name] = group["resources"].get(name, 0) + 1
    version = _unique("tpm_version", specs, image)
    if version:
        model = _unique("tpm_model", specs, image) or "tpm-tis"
        if model == "tpm-crb" and version != "2.0":
            raise Contradiction("hw:tpm_model=tpm-crb needs hw:tpm_version=2.0")
        required.add("COMPUTE_SECURITY_TPM_CRB" if model == "tpm-crb" else "COMPUTE_SECURITY_TPM_TIS")
        required.add("COMPUTE_SECURITY_TPM_2_0" if version == "2.0" else "COMPUTE_SECURITY_TPM_1_2")
    affinity = _unique("pci_numa_affinity_policy", specs, image)
    if affinity == "socket":
        required.add("COMPUTE_SOCKET_PCI_NUMA_AFFINITY")
    if _unique("secure_boot", specs, image, "os") == "required":
        required.add("COMPUTE_SECURITY_UEFI_SECURE_BOOT")
    space = _unique("maxphysaddr_mode", specs, image)
    if space in ("passthrough", "emulate"):
        required.add(
            "COMPUTE_ADDRESS_SPACE_PASSTHROUGH" if space == "passthrough" else "COMPUTE_ADDRESS_SPACE_EMULATED"
        )
    if on(image.get("hw_firmware_stateless", "")) and image.get("hw_firmware_type") == "uefi":
        required.add("COMPUTE_SECURITY_STATELESS_FIRMWARE")


def _prefilters(
    specs: Mapping[str, str],
    image: Mapping[str, str],
    volume_backed: bool,
    disk_format: str,
    release: Optional[int],
    options: Mapping[str, str],
    traits: Optional[Collection[str]],
    doubtful: dict[str, str],
) -> set[str]:
    """The traits that the request filters require of the compute itself."""
    root: set[str] = set()
    if on(options.get("scheduler.query_placement_for_image_type_support", "")) and not volume_backed and disk_format:
        name = f"COMPUTE_IMAGE_TYPE_{disk_format.upper()}"
        if traits is None or name in traits:
            root.add(name)
    if on(options.get("scheduler.image_metadata_prefilter", "")):
        names = {
            f"{prefix}_{image[key].replace('-', '_').upper()}" for key, prefix in _BY_PROPERTY.items() if key in image
        }
        # One property without a trait of its own, and nova asks for none of them.
        if traits is None or names <= set(traits):
            root |= names
    if specs.get("accel:device_profile"):
        root.add("COMPUTE_ACCELERATORS")
    # Filters that came after Zed, each a release or two apart: of today's nova they are known.
    newer = set()
    if _switched_on("virtio_packed_ring", specs, image):
        newer.add("COMPUTE_NET_VIRTIO_PACKED")
    if _switched_on("ephemeral_encryption", specs, image):
        newer.add("COMPUTE_EPHEMERAL_ENCRYPTION")
        form = _unique("ephemeral_encryption_format", specs, image)
        if form:
            newer.add(f"COMPUTE_EPHEMERAL_ENCRYPTION_{form.upper()}")
    if _unique("sound_model", specs, image) == "virtio":
        newer.add("COMPUTE_SOUND_MODEL_VIRTIO")
    if _unique("tpm_version", specs, image):
        security = specs.get("hw:tpm_secret_security") or "user"
        newer.add(f"COMPUTE_SECURITY_TPM_SECRET_SECURITY_{security.upper()}")
    if release is not None and release >= 34:
        root |= newer
    else:
        which = f"nova {release}" if release is not None else "this nova, whose release is not known,"
        doubtful.update({trait: f"whether {which} asks for {trait} is not known" for trait in newer})
    return root


def _unseen(specs: Mapping[str, str], image: Mapping[str, str]) -> list[str]:
    found = []
    model = specs.get("hw:mem_encryption_model") or image.get("hw_mem_encryption_model")
    if model and model not in _ENCRYPTION:
        found.append(f"what nova asks of computes for the memory encryption {model} is not known here")
    if specs.get("accel:device_profile"):
        found.append(
            f"what the device profile {specs['accel:device_profile']} asks for is known to cyborg and was not read"
        )
    if specs.get("pci_passthrough:alias"):
        found.append(
            f"the devices of pci_passthrough:alias={specs['pci_passthrough:alias']} that computes have free are in no API"
        )
    if specs.get("hw:maxphysaddr_bits"):
        found.append("how many address bits a compute has (hw:maxphysaddr_bits) was not read")
    return found
