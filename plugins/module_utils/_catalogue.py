# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue: every known fault, by name. A fault is loaded when it is first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from ._model import Fault

NAMES = (
    "allocation_doubled",
    "allocation_orphaned",
    "api_port_bind_denied",
    "auth_strategy_invalid",
    "catalog_service_without_endpoints",
    "cell_host_unmapped",
    "ceph_osd_nearfull",
    "compute_service_down",
    "config_option_unknown",
    "config_value_invalid",
    "console_ports_blocked",
    "controller_backends_differ",
    "database_grants_missing",
    "disk_overcommitted",
    "evacuate_storage_mismatch",
    "evacuation_not_strict",
    "flavor_extra_specs_unscoped",
    "flavor_smaller_than_image",
    "image_cpu_sockets_unlimited",
    "image_format_mismatch",
    "image_guest_agent_missing",
    "image_has_backing_file",
    "image_ide_bus",
    "image_property_unknown",
    "image_scsi_model_missing",
    "image_video_unsupported",
    "instance_mapping_missing",
    "instances_disk_full",
    "locale_not_utf8",
    "memcached_connections_exhausted",
    "migration_ssh_broken",
    "network_managers_conflict",
    "package_file_unreadable",
    "placement_capacity_exhausted",
    "scheduler_packs_hosts",
    "server_stuck_scheduling",
    "service_process_stale",
    "vif_plugging_masked",
)


class _Catalogue(Mapping[str, Fault]):
    """Every fault by its id; a host compiles only those that it is asked about."""

    def __getitem__(self, name: str) -> Fault:
        if name not in NAMES:
            raise KeyError(name)
        fault: Fault = importlib.import_module(f"{__package__}._faults.{name}").FAULT
        return fault

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


FAULTS = _Catalogue()


def _shipped() -> None:
    """Never called: Ansible ships to a host what it sees imported, wherever in a file that stands."""
    from ._faults import (  # noqa: F401
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


class UnknownFault(ValueError):
    """A fault id that the catalogue does not hold; the sentence names it and what comes close."""


def known(ids: list[str] | None) -> list[str]:
    """These ids, or all, in the catalogue's order; UnknownFault for one it does not hold."""
    for fault in ids or ():
        if fault not in NAMES:
            import difflib

            near = difflib.get_close_matches(fault, NAMES, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UnknownFault(f"{fault!r} is not a fault of the catalogue{hint} (stackmend faults lists them)")
    return [name for name in NAMES if not ids or name in ids]


def select(ids: list[str] | None) -> list[Fault]:
    """The faults with these ids, or all of them, in the catalogue's order; UnknownFault for an id it does not hold."""
    return [FAULTS[name] for name in known(ids)]
