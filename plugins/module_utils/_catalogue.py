# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue: every known fault, by name.

Each fault is imported here by name because Ansible ships to a host only what is imported statically.
"""

from __future__ import annotations

from ._faults import (
    allocation_doubled,
    allocation_orphaned,
    api_port_bind_denied,
    auth_strategy_invalid,
    catalog_service_without_endpoints,
    cell_host_unmapped,
    ceph_osd_nearfull,
    compute_service_down,
    config_option_unknown,
    config_value_invalid,
    console_ports_blocked,
    controller_backends_differ,
    database_grants_missing,
    disk_overcommitted,
    evacuate_storage_mismatch,
    evacuation_not_strict,
    flavor_extra_specs_unscoped,
    flavor_smaller_than_image,
    image_cpu_sockets_unlimited,
    image_format_mismatch,
    image_guest_agent_missing,
    image_has_backing_file,
    image_ide_bus,
    image_property_unknown,
    image_scsi_model_missing,
    image_video_unsupported,
    instance_mapping_missing,
    instances_disk_full,
    locale_not_utf8,
    memcached_connections_exhausted,
    migration_ssh_broken,
    network_managers_conflict,
    package_file_unreadable,
    placement_capacity_exhausted,
    scheduler_packs_hosts,
    server_stuck_scheduling,
    service_process_stale,
    vif_plugging_masked,
)
from ._model import Fault

FAULTS: dict[str, Fault] = {
    module.FAULT.id: module.FAULT
    for module in (
        allocation_doubled,
        allocation_orphaned,
        api_port_bind_denied,
        auth_strategy_invalid,
        catalog_service_without_endpoints,
        cell_host_unmapped,
        ceph_osd_nearfull,
        compute_service_down,
        config_option_unknown,
        config_value_invalid,
        console_ports_blocked,
        controller_backends_differ,
        database_grants_missing,
        disk_overcommitted,
        evacuate_storage_mismatch,
        evacuation_not_strict,
        flavor_extra_specs_unscoped,
        flavor_smaller_than_image,
        image_cpu_sockets_unlimited,
        image_format_mismatch,
        image_guest_agent_missing,
        image_has_backing_file,
        image_ide_bus,
        image_property_unknown,
        image_scsi_model_missing,
        image_video_unsupported,
        instance_mapping_missing,
        instances_disk_full,
        locale_not_utf8,
        memcached_connections_exhausted,
        migration_ssh_broken,
        network_managers_conflict,
        package_file_unreadable,
        placement_capacity_exhausted,
        scheduler_packs_hosts,
        server_stuck_scheduling,
        service_process_stale,
        vif_plugging_masked,
    )
}


class UnknownFault(ValueError):
    """A fault id that the catalogue does not hold; the sentence names it and what comes close."""


def select(ids: list[str] | None) -> list[Fault]:
    """The faults with these ids, or all of them, in the catalogue's order; UnknownFault for an id it does not hold."""
    if not ids:
        return list(FAULTS.values())
    unknown = [fault for fault in ids if fault not in FAULTS]
    if unknown:
        import difflib

        near = difflib.get_close_matches(unknown[0], FAULTS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownFault(f"{unknown[0]!r} is not a fault of the catalogue{hint} (stackmend faults lists them)")
    return [fault for name, fault in FAULTS.items() if name in ids]
