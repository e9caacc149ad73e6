# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how nova-scheduler is set up here: its release, its filters, and every option of its section that is set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from .._model import Unavailable
from . import _oslo_files, oslo_config, services
from ._tree import Tree

_SECTION = "filter_scheduler"
# Until Ocata these stood in [DEFAULT] under names of their own (nova 15, nova/conf/scheduler.py); the others kept theirs.
_FORMER = {
    "enabled_filters": "scheduler_default_filters",
    "available_filters": "scheduler_available_filters",
    "weight_classes": "scheduler_weight_classes",
    "host_subset_size": "scheduler_host_subset_size",
}
_LAST_FORMER = 16
_ALL_FILTERS, _ALL_WEIGHERS = "nova.scheduler.filters.all_filters", "nova.scheduler.weights.all_weighers"
_FILTERS = (
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
)


def read(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """{"release": int or None, "version", "path", "enabled_filters": [name], "available_filters": [name],
    "weight_classes": [name], "options": {"section.name": text}}; None where there is no nova-scheduler.

    The lists are the effective ones, defaults of the release included; options are those of [scheduler],
    [filter_scheduler] and [metrics] that are set. A host is a scheduler's when its nova-scheduler is running or enabled.
    Where no process of nova can be told, in a directory that stands for a host, it is when nova.conf has the API
    database, which computes must not have.
    """
    nova = next((service for service in services.find(tree, options) if service.name == "nova"), None)
    if nova is None:
        return None
    view = next((view for view in nova.views if "nova-scheduler" in view.programs), None)
    known = any(program.startswith("nova-") for view in nova.views for program in view.programs)
    if view is None and (known or tree.is_live):
        return None
    view = view or nova.views[0]
    files = [(path, oslo_config.read_file(tree, path)) for path in view.files]
    config = _oslo_files.Effective(files, view.environment)
    if "nova-scheduler" not in view.programs and config.raw("api_database", "connection") is None:
        return None
    match = re.match(r"\d+", nova.version or "")
    release = int(match.group()) if match else None
    former = release is not None and release <= _LAST_FORMER
    return {
        "release": release,
        "version": nova.version,
        "path": view.files[-1],
        "enabled_filters": _list(_text(config, "enabled_filters", former), default_filters(release)),
        "available_filters": _multiple(config, "available_filters", former) or [_ALL_FILTERS],
        "weight_classes": _list(_text(config, "weight_classes", former), [_ALL_WEIGHERS]),
        "options": _set(config, files, former),
    }


def default_filters(release: Optional[int]) -> list[str]:
    """`[filter_scheduler] enabled_filters` where it is not set (FAULTS.md appendix E); today's for an unknown release."""
    now = release if release is not None else 34
    found = []
    if now <= 19:
        found.append("RetryFilter")
    if now <= 23:
        found.append("AvailabilityZoneFilter")
    if now <= 15:
        found += ["RamFilter", "DiskFilter"]
    return [*found, *_FILTERS]


def _text(config: _oslo_files.Effective, option: str, former: bool) -> Optional[str]:
    found = config.raw(_SECTION, option, [("DEFAULT", _FORMER.get(option, option))] if former else [])
    if found is None:
        return None
    return config.text(_SECTION, option, str(found[0]))


def _multiple(config: _oslo_files.Effective, option: str, former: bool) -> list[str]:
    found = config.raw(_SECTION, option, [("DEFAULT", _FORMER[option])] if former else [], multi=True)
    if found is None:
        return []
    values = [found[0]] if isinstance(found[0], str) else found[0]
    return [value.strip() for value in values]


def _list(text: Optional[str], default: list[str]) -> list[str]:
    """What oslo.config makes of a list; an empty value is an empty list, which for filters means that none is applied."""
    if text is None:
        return list(default)
    return [item.strip() for item in text.split(",") if item.strip()]


def _set(config: _oslo_files.Effective, files: list[Any], former: bool) -> dict[str, str]:
    names = {
        (_oslo_files.normal(entry["section"]), entry["key"])
        for _path, entries in files
        for entry in entries
        if _oslo_files.normal(entry["section"]) in ("scheduler", _SECTION, "metrics")
    }
    for variable in config.environment:
        match = re.fullmatch(r"OS_(SCHEDULER|FILTER_SCHEDULER|METRICS)__(\w+)", variable)
        if match:
            names.add((match[1].lower(), match[2].lower()))
    if former:
        own = {old: new for new, old in _FORMER.items()}
        names |= {
            (_SECTION, own.get(entry["key"], entry["key"]))
            for _path, entries in files
            for entry in entries
            if entry["section"] == "DEFAULT" and (entry["key"] in own or entry["key"].endswith("_weight_multiplier"))
        }
    found = {}
    for section, name in sorted(names):
        old = [("DEFAULT", _FORMER.get(name, name))] if former else []
        raw = config.raw(section, name, old)
        if raw is None:
            raise Unavailable(f"[{section}] {name} of nova-scheduler could not be read")
        found[f"{section}.{name}"] = config.text(section, name, str(raw[0]))
    return found
