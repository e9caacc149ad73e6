# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config_value_invalid (F10, 1.2, 1.3): an option holds a value that the service refuses when it reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from .._evidence._oslo_files import Effective, Source, normal, refers
from .._evidence.oslo_config import effective, is_secret
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Target
from . import _config
from ._config import Names, Wrong
from .auth_strategy_invalid import owns

# FAULTS.md appendix E (directory listings of nova/scheduler/filters per tag): name: last release, None: still there
FILTERS: dict[str, Optional[int]] = {
    **dict.fromkeys(("RetryFilter", "RamFilter", "CoreFilter", "DiskFilter"), 21),
    **dict.fromkeys(("AggregateRamFilter", "AggregateCoreFilter", "AggregateDiskFilter"), 21),
    **dict.fromkeys(("ExactRamFilter", "ExactDiskFilter", "ExactCoreFilter", "TrustedFilter"), 16),
    "AvailabilityZoneFilter": 27,
    **dict.fromkeys(
        (
            "AllHostsFilter",
            "AggregateImagePropertiesIsolation",
            "AggregateInstanceExtraSpecsFilter",
            "AggregateMultiTenancyIsolation",
            "ComputeCapabilitiesFilter",
            "ComputeFilter",
            "ImagePropertiesFilter",
            "IoOpsFilter",
            "AggregateIoOpsFilter",
            "IsolatedHostsFilter",
            "JsonFilter",
            "MetricsFilter",
            "NumInstancesFilter",
            "AggregateNumInstancesFilter",
            "NUMATopologyFilter",
            "PciPassthroughFilter",
            "AggregateTypeAffinityFilter",
            "SameHostFilter",
            "DifferentHostFilter",
            "SimpleCIDRAffinityFilter",
            "ServerGroupAntiAffinityFilter",
            "ServerGroupAffinityFilter",
        )
    ),
}
# Placement or the aggregates do what these did, so to drop them loses nothing (nova release notes 19 to 28).
REPLACED = {"RetryFilter", "RamFilter", "CoreFilter", "DiskFilter", "AvailabilityZoneFilter"}
ALL_FILTERS = "nova.scheduler.filters.all_filters"
# Enumerations that live in code: (service, group, option): values. Others may be installed, so only a slip is told.
IN_CODE = {
    ("nova", "DEFAULT", "compute_driver"): (
        "libvirt.LibvirtDriver",
        "ironic.IronicDriver",
        "vmwareapi.VMwareVCDriver",
        "zvm.ZVMDriver",
        "fake.FakeDriver",
    ),
    ("keystone", "token", "provider"): ("fernet", "jws"),
    ("nova", "filter_scheduler", "weight_classes"): ("nova.scheduler.weights.all_weighers",),
}
DRIVERS = ("messaging", "messagingv2", "routing", "log", "test", "noop")


class Bad(NamedTuple):
    """A refused value: of which option, where it comes from, why, and how sure that is."""

    group: str
    option: str
    value: str
    source: Source
    wrong: Wrong
    certainty: str = Certainty.CERTAIN


def detect(evidence: Evidence) -> Iterator[Finding]:
    target = _config.here(evidence)
    for name, service in _config.services(evidence).items():
        if not service["options"]:
            continue
        names = Names(name, service)
        seen = set()
        for view in service["views"]:
            for bad in _of_view(names, view):
                if (bad.source, bad.group, bad.option, bad.value) not in seen:
                    seen.add((bad.source, bad.group, bad.option, bad.value))
                    yield _finding(target, names, bad)


def _of_view(names: Names, view: Any) -> Iterator[Bad]:
    values = effective(names.service, view)
    said = {(normal(e["group"]), e["name"]): e["message"] for e in view["errors"] or ()}
    set_here = {}
    for path in view["files"]:
        for entry in names.service["files"][path]:
            option = names.known(normal(entry["section"]), entry["key"])
            if option and not owns(names.name, *option):
                # an option of a store is registered once, and set in the section of each store
                home = normal(entry["section"]) if option[0] == "glance_store" else option[0]
                set_here[home, option[1]] = names.description(*option)
    for variable in values.environment:
        group, _dunder, option_name = variable[3:].lower().partition("__")
        group = "DEFAULT" if group == "default" else group
        if names.description(group, option_name) and not owns(names.name, group, option_name):
            set_here[group, option_name] = names.description(group, option_name)
    for (group, option_name), description in set_here.items():
        if description is not None:
            message = said.get((group, option_name)) if view["errors"] is not None else None
            asked = view["errors"] is not None
            yield from _of_option(names, values, group, option_name, description, asked, message)


def _of_option(
    names: Names, values: Effective, group: str, option: str, description: Any, asked: bool, message: Optional[str]
) -> Iterator[Bad]:
    former = [(str(g), str(n)) for g, n in description.get("deprecated", ())]
    raw = values.raw(group, option, former, bool(description.get("multi")))
    if raw is None:
        return
    found, source = raw
    for value in found if isinstance(found, list) else [found]:
        own = None if refers(value) else _config.check(description, value)
        if message is not None:
            # oslo.config itself refused it; of a secret it does not say why
            if own is None and isinstance(found, list) and len(found) > 1:
                continue
            yield Bad(group, option, value, source, own or Wrong(_told(message), "a value of the option's type"))
        elif own is not None and not asked:
            yield Bad(group, option, value, source, own)
        else:
            wrong, certainty = _in_code(names, values, group, option, value)
            if wrong:
                yield Bad(group, option, value, source, wrong, certainty)


def _told(message: str) -> str:
    return f"oslo.config says: {message}" if message else "oslo.config refuses it"


def _in_code(names: Names, values: Effective, group: str, option: str, value: str) -> tuple[Optional[Wrong], str]:
    """Values that no option type checks, but the code that looks them up does."""
    if (names.name, group, option) == ("nova", "filter_scheduler", "enabled_filters") and not refers(value):
        return _filters(names, values, value)
    known = IN_CODE.get((names.name, group, option))
    if group == "oslo_messaging_notifications" and option == "driver":
        known = DRIVERS
    if not known or not value or value in known or "$" in value:
        return None, ""
    meant = _config.nearest(value, known, 0.8)
    if meant is None or not _config.misspelt(value, meant):
        return None, ""
    return Wrong("no such class or driver is known", ", ".join(known), meant), Certainty.PROBABLE


def _filters(names: Names, values: Effective, value: str) -> tuple[Optional[Wrong], str]:
    available = values.raw("filter_scheduler", "available_filters", multi=True)
    if available and any(item != ALL_FILTERS for item in available[0]):
        return None, ""  # filters from outside the tree
    release = names.service["release"]
    items = [item.strip() for item in value.split(",") if item.strip()]
    if release is None:
        return None, ""
    there = [name for name, last in FILTERS.items() if last is None or last >= release]
    wrong = [item for item in items if item not in there]
    if not wrong:
        return None, ""
    meant: list[Optional[str]] = []
    for item in items:
        if item in there:
            meant.append(item)
        elif item in FILTERS:
            meant.append("" if item in REPLACED else None)
        else:
            meant.append(_config.nearest(item, there, 0.85))
    reason = f"nova {release} has no filter {', '.join(wrong)}; its scheduler stops with SchedulerHostFilterNotFound"
    kept = None if None in meant else ",".join(item for item in meant if item)
    return Wrong(reason, "names of filters that this release has", kept or None), Certainty.CERTAIN


def _finding(target: Target, names: Names, bad: Bad) -> Finding:
    service = names.service
    description = names.description(bad.group, bad.option)
    path = bad.source.path
    secret = is_secret(bad.option, description, bad.value)
    value = "(secret)" if secret else bad.value
    why = bad.wrong.reason if not secret else "it is not of the option's type"
    if not bad.source.line:
        return Finding(
            FAULT.id,
            target,
            bad.certainty,
            f"{names.name} refuses the value that {path} in its environment gives [{bad.group}] {bad.option}: {why}",
            f"environment {path}",
            {"variable": path, "value": value, "judged_by": service["source"]},
            bad.wrong.accepted,
            value,
            reason="the value comes from the environment of the process: change the unit that sets it",
        )
    entry = next(
        (
            e
            for e in reversed(service["files"][path])
            if e["value"] == bad.value
            and names.known(normal(e["section"]), e["key"]) is not None
            and (names.known(normal(e["section"]), e["key"]) or ("", ""))[1] == bad.option
        ),
        None,
    ) or _config.source_entry(service, path, bad.source.line)
    if entry is None:
        raise LookupError("a value without an entry")
    remedy: Optional[Remedy] = None
    if secret or bad.wrong.meant is None or "\n" in bad.value:
        reason = "what was meant cannot be told; correct it by hand"
    else:
        multi = bool(description and description.get("multi"))
        edits = [_config.edit(path, entry, "present", description, value=bad.wrong.meant, multi=multi)]
        remedy, reason = _config.with_restart(service, edits)
    return Finding(
        FAULT.id,
        target,
        bad.certainty,
        f"{names.name} refuses [{entry['section']}] {entry['key']} = {value} ({path} line {entry['line']}): {why}",
        _config.subject(path, entry["section"], entry["key"]),
        _config.proof(
            names.name, service, path, entry, "refused when the option is read (ConfigFileValueError)", value
        ),
        bad.wrong.accepted if remedy is None else f"{bad.wrong.meant} (accepted: {bad.wrong.accepted})",
        value,
        remedy,
        reason=reason,
    )


FAULT = Fault(
    id="config_value_invalid",
    reference="F10",
    title="An option holds a value that the service refuses",
    scope="host",
    severity="high",
    symptom="A service exits at start with ConfigFileValueError, or runs for weeks until it first reads the option.",
    cause="A misspelt or out-of-range value, a comment after a value (oslo.config has no inline comments), or a name "
    "of a class that this release does not have.",
    fix="Write the value that was meant and restart what reads it; where that is not plain, choose an accepted one.",
    detect=detect,
    host_evidence=("oslo_config",),
)
