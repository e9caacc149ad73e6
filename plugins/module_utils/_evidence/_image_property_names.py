# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image properties that nova knows, and the values it takes.

Source: nova 34.0.0, nova/objects/image_meta.py (ImageMetaProps.fields) and the coercions of nova/objects/fields.py;
FAULTS.md Appendix C. A test compares this file with an installed nova.
"""

from __future__ import annotations

from typing import Any, Optional


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BUSES = "fdc ide sata scsi usb virtio xen lxc uml"
_ARCHITECTURES = (
    "alpha armv6 armv7l armv7b aarch64 cris i686 ia64 lm32 m68k microblaze microblazeel mips mipsel mips64 mips64el "
    "openrisc parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb s390 s390x sh4 sh4eb sparc sparc64 unicore32 x86_64 xtensa "
    "xtensaeb"
)

# Those of which nova takes certain values only; it answers any other with 400 when a server is to be made.
CHOICES: dict[str, tuple[str, ...]] = {
    name: tuple(values.split())
    for name, values in {
        "hw_architecture": _ARCHITECTURES,
        "hw_cdrom_bus": _BUSES,
        "hw_cpu_policy": "dedicated shared mixed",
        "hw_cpu_thread_policy": "prefer isolate require",
        "hw_disk_bus": _BUSES,
        "hw_emulation_architecture": _ARCHITECTURES,
        "hw_ephemeral_encryption_format": "plain luks luksv2",
        "hw_firmware_type": "uefi bios",
        "hw_floppy_bus": _BUSES,
        "hw_input_bus": "usb virtio",
        "hw_maxphysaddr_mode": "passthrough emulate",
        "hw_mem_encryption_model": "amd-sev amd-sev-es amd-sev-snp intel-tdx",
        "hw_pci_numa_affinity_policy": "required legacy preferred socket",
        "hw_pointer_model": "usbtablet",
        "hw_rescue_bus": _BUSES,
        "hw_rescue_device": "cdrom disk floppy fs lun",
        "hw_rng_model": "virtio",
        "hw_scsi_model": "buslogic ibmvscsi lsilogic lsisas1068 lsisas1078 virtio-scsi vmpvscsi",
        "hw_sound_model": "sb16 es1370 pcspk ac97 ich6 ich9 usb virtio",
        "hw_tpm_model": "tpm-tis tpm-crb",
        "hw_tpm_version": "1.2 2.0",
        "hw_usb_model": "none nec-xhci qemu-xhci",
        "hw_video_model": "cirrus qxl vga vmvga xen virtio gop none bochs",
        "hw_vif_model": "virtio ne2k_pci pcnet rtl8139 e1000 e1000e netfront spapr-vlan lan9118 sriov vmxnet vmxnet3 igb",
        "hw_viommu_model": "intel smmuv3 virtio auto",
        "hw_vm_mode": "hvm xen uml exe",
        "hw_watchdog_action": "none pause poweroff reset disabled",
        "img_config_drive": "optional mandatory",
        "img_hv_type": "baremetal bhyve docker fake hyperv ironic kqemu kvm lxc lxd openvz parallels phyp qemu test uml vbox "
        "vz vmware xen zvm prsm",
        "img_signature_hash_method": "SHA-224 SHA-256 SHA-384 SHA-512",
        "img_signature_key_type": "DSA ECC_SECP384R1 ECC_SECP521R1 ECC_SECT409K1 ECC_SECT409R1 ECC_SECT571K1 ECC_SECT571R1 "
        "RSA-PSS",
        "os_secure_boot": "required disabled optional",
        "os_type": "linux windows",
    }.items()
}
INTEGERS = _words(
    "hw_cpu_cores hw_cpu_max_cores hw_cpu_max_sockets hw_cpu_max_threads hw_cpu_sockets hw_cpu_threads hw_device_id "
    "hw_maxphysaddr_bits hw_numa_nodes hw_redirected_usb_ports hw_serial_port_count hw_video_ram img_compression_level "
    "img_version"
)
# FlexibleBoolean takes anything; a word that is no boolean is silently false.
BOOLEANS = _words(
    "hw_boot_menu hw_ephemeral_encryption hw_firmware_stateless hw_ipxe_boot hw_locked_memory hw_mem_encryption hw_pmu "
    "hw_qemu_guest_agent hw_time_hpet hw_vif_multiqueue_enabled hw_virtio_packed_ring img_bdm_v2 img_bittorrent "
    "img_cache_in_nova img_hide_hypervisor_id img_linked_clone img_use_agent os_require_quiesce "
    "os_skip_agent_inject_files_at_boot os_skip_agent_inject_ssh"
)
_TEXTS = _words(
    "hw_auto_disk_config hw_cpu_realtime_mask hw_disk_type hw_ephemeral_encryption_secret_uuid hw_machine_type "
    "hw_mem_page_size img_block_device_mapping img_hv_requested_version img_mappings img_owner_id img_root_device_name "
    "img_signature img_signature_certificate_uuid os_admin_user os_command_line os_distro"
)
NAMES = frozenset(CHOICES) | INTEGERS | BOOLEANS | _TEXTS
# Not yet in Zed (26), whose compute API ends at 2.93.
AFTER_ZED = _words(
    "hw_ephemeral_encryption_format hw_ephemeral_encryption_secret_uuid hw_firmware_stateless hw_maxphysaddr_bits "
    "hw_maxphysaddr_mode hw_mem_encryption_model hw_redirected_usb_ports hw_sound_model hw_usb_model "
    "hw_virtio_packed_ring"
)
ZED_MICROVERSION = (2, 93)

# ImageMetaProps._legacy_property_map: what nova still reads under its former name.
FORMER_NAMES = {
    "architecture": "hw_architecture",
    "auto_disk_config": "hw_auto_disk_config",
    "bdm_v2": "img_bdm_v2",
    "bittorrent": "img_bittorrent",
    "block_device_mapping": "img_block_device_mapping",
    "cache_in_nova": "img_cache_in_nova",
    "hypervisor_type": "img_hv_type",
    "hypervisor_version_requires": "img_hv_requested_version",
    "ipxe_boot": "hw_ipxe_boot",
    "mappings": "img_mappings",
    "owner_id": "img_owner_id",
    "root_device_name": "img_root_device_name",
    "vm_mode": "hw_vm_mode",
    "vmware_disktype": "hw_disk_type",
    "vmware_image_version": "img_version",
    "vmware_linked_clone": "img_linked_clone",
    "vmware_ostype": "os_distro",
    "xenapi_device_id": "hw_device_id",
    "xenapi_image_compression_level": "img_compression_level",
    "xenapi_skip_agent_inject_files_at_boot": "os_skip_agent_inject_files_at_boot",
    "xenapi_skip_agent_inject_ssh": "os_skip_agent_inject_ssh",
    "xenapi_use_agent": "img_use_agent",
}

# With nova's prefixes and read by others: glance (its own keys, metadefs/operating-system.json and
# compute-guest-shutdown.json), nova's snapshots, and ironic (img_type).
OF_OTHERS = frozenset(["os_version", "os_shutdown_timeout", "os_hash_algo", "os_hash_value", "os_hidden", "img_type"])
OF_OTHERS_PREFIXES = ("os_glance_",)
# ImageMetaProps._set_numa_mem, _set_numa_cpus: hw_numa_mem.0 and so on.
NUMBERED = ("hw_numa_mem.", "hw_numa_cpus.")

_LOWERED = frozenset(["hw_architecture", "hw_emulation_architecture", "hw_scsi_model", "hw_vif_model", "hw_vm_mode",
                      "img_hv_type", "os_type"])  # fmt: skip
_SAME_ARCHITECTURES = {
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "x86_32": "i686",
    "x86_32p": "i686",
    "amd64": "x86_64",
}
_ALIASES: dict[str, dict[str, str]] = {
    "hw_architecture": _SAME_ARCHITECTURES,
    "hw_emulation_architecture": _SAME_ARCHITECTURES,
    "hw_scsi_model": {"lsilogicsas": "lsisas1068", "paravirtual": "vmpvscsi"},
    "hw_vif_model": {
        "virtuale1000": "e1000",
        "virtuale1000e": "e1000e",
        "virtualpcnet32": "pcnet",
        "virtualsriovethernetcard": "sriov",
        "virtualvmxnet": "vmxnet",
        "virtualvmxnet3": "vmxnet3",
    },
    "hw_vm_mode": {"pv": "xen", "hv": "hvm", "baremetal": "hvm"},
    "img_hv_type": {"xapi": "xen"},
}


def is_of_others(name: str) -> bool:
    """Whether a name with one of nova's prefixes belongs to somebody else."""
    return name in OF_OTHERS or name.startswith(OF_OTHERS_PREFIXES)


def is_known(name: str) -> bool:
    """Whether nova reads a property of this name."""
    return name in NAMES or name in FORMER_NAMES or name.startswith(NUMBERED)


def takes(name: str, value: Any) -> bool:
    """Whether nova takes this value for a property that it knows, under its present or former name."""
    name = FORMER_NAMES.get(name, name)
    if name in CHOICES:
        return choice(name, value) is not None
    if name in INTEGERS or name.startswith("hw_numa_mem."):
        try:
            int(value)
        except (TypeError, ValueError):
            return False
    return True


def choice(name: str, value: Any) -> Optional[str]:
    """Which of the values of a property nova makes of this one; None where it refuses it."""
    text = str(value)
    if name in _LOWERED:
        text = text.lower()
    text = _ALIASES.get(name, {}).get(text, text)
    return text if text in CHOICES[name] else None
