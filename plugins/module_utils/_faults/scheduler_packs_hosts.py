# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""scheduler_packs_hosts (F29): new servers go to a few hosts though others may have them, or schedulers contradict each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from math import exp, lgamma, log
from typing import Any, NamedTuple, Optional, Union

from .._model import Certainty, Evidence, Fault, Finding, Target, Unknown

# Servers created in the last days count; fewer than so many say nothing.
DAYS, LEAST = 7, 20
# The favoured hosts: at most half of those that may have the servers, with at least this share of them ...
SHARE = 0.8
# ... where chance alone, with equal shares, would not do that once in ten thousand clouds.
CHANCE = 1e-4
# Options whose sign says whether servers are spread or stacked, by the sign that stacks them (nova 34, conf/scheduler.py).
_STACKING = {
    "ram_weight_multiplier": -1,
    "cpu_weight_multiplier": -1,
    "disk_weight_multiplier": -1,
    "io_ops_weight_multiplier": 1,
    "num_instances_weight_multiplier": 1,
}
# The first nova with each module of nova.scheduler.weights (FAULTS.md appendix E, listings per tag).
_WEIGHERS = {
    "all_weighers": 0,
    "affinity": 12,
    "disk": 12,
    "io_ops": 12,
    "metrics": 12,
    "pci": 16,
    "ram": 12,
    "compute": 18,
    "cpu": 19,
    "cross_cell": 21,
    "hypervisor_version": 28,
    "num_instances": 28,
    "image_props": 32,
}
_OWN_WEIGHER = re.compile(r"nova\.scheduler\.weights\.(\w+)")
# A flavor with these does not go everywhere, so that its servers tell nothing of the scheduler's choice.
_CHOOSY = re.compile(
    r"trait|resources|capabilities|aggregate_instance_extra_specs|group_policy|hw:|pci_passthrough|[^:]+$"
)
# Metadata of an aggregate that keeps servers out of its hosts, or brings only some there; its zone does not.
_PLAIN_METADATA = re.compile(r"availability_zone|.*_allocation_ratio")


class Skew(NamedTuple):
    """Of the servers of a zone, how many went to its favoured hosts, and how likely that is with equal shares."""

    favoured: list[str]
    on_them: int
    servers: int
    chance: float


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """How the nova-scheduler of this host is set up, as its reader tells it."""
    scheduler: Optional[dict[str, Any]] = evidence["scheduler"]
    return scheduler or None


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """{"zones": {zone: {host: servers created there in the last days}}, "hosts": {host: {memory_mb, version}},
    "disabled": hosts left out, "stacking": [aggregate metadata that says so]}.

    Only hosts that are up, enabled and in no aggregate that restricts them count, and only servers that could have gone to
    each of them and are where they were created.
    """
    services = [row for row in evidence["compute_services"]["services"] if row["binary"] == "nova-compute"]
    # The clock of the cloud, or where it is not told the newest report: every service reports every few seconds.
    now = evidence["compute_services"]["now"] or max((row["updated"] or 0.0 for row in services), default=0.0)
    restricted = {
        host
        for aggregate in evidence["aggregates"]["aggregates"]
        if any(not _PLAIN_METADATA.fullmatch(key) and key not in _STACKING for key in aggregate["metadata"])
        for host in aggregate["hosts"]
    }
    zones: dict[str, dict[str, int]] = {}
    for row in services:
        if row["state"] == "up" and row["status"] == "enabled" and row["host"] not in restricted:
            zones.setdefault(row["zone"], {})[row["host"]] = 0
    moved = {row["server"] for row in evidence["migrations"]["migrations"]}
    for server in evidence["servers"]["servers"]:
        shares = zones.get(server["zone"], {})
        if (
            server["host"] in shares
            and server["launched"]
            and server["id"] not in moved
            and now - _moment(server["created"]) < DAYS * 86400
            and not any(_CHOOSY.match(key) for key in server["flavor"]["extra_specs"])
        ):
            shares[server["host"]] += 1
    return {
        "zones": zones,
        "hosts": {
            row["host"]: {"memory_mb": row["memory_mb"], "version": row["version"]}
            for row in evidence["hypervisors"]["hypervisors"]
        },
        "left_out": sorted({row["host"] for row in services} - {host for shares in zones.values() for host in shares}),
        "stacking": sorted(
            f"{key}={value} of aggregate {aggregate['name']}"
            for aggregate in evidence["aggregates"]["aggregates"]
            for key, value in aggregate["metadata"].items()
            if _stacks(key, value)
        ),
    }


def _moment(text: Optional[str]) -> float:
    try:
        return datetime.fromisoformat((text or "")[:19]).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return 0.0


def _stacks(option: str, value: str) -> bool:
    try:
        return option in _STACKING and float(value) * _STACKING[option] > 0
    except ValueError:
        return False


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    schedulers = {name: seen for name, seen in sorted(evidence["hosts"].items()) if seen}
    yield from _contradictions(schedulers)
    cloud = evidence["cloud"]
    if cloud is None:
        return
    stacking = _stacked_on_purpose(schedulers) + cloud["stacking"]
    for zone, shares in sorted(cloud["zones"].items()):
        found = skew(shares)
        if found is None or stacking:
            continue  # who stacks on purpose packs hosts
        if not schedulers:
            reason = (
                f"{found.on_them} of {found.servers} new servers of zone {zone} are on {', '.join(found.favoured[:3])}; no host "
                "with nova-scheduler was read, so it is not known whether that is meant"
            )
            yield Unknown(FAULT.id, Target("zone", zone), reason)
        else:
            yield _packed(zone, shares, found, schedulers, cloud)


def skew(shares: Mapping[str, int]) -> Optional[Skew]:
    """The smallest group of hosts with most of the servers, when that is no chance; None when shares are even enough.

    The chance that some group of so many hosts gets so many servers or more is at most the number of such groups times
    the tail of a binomial distribution.
    """
    servers, hosts = sum(shares.values()), len(shares)
    if servers < LEAST or hosts < 2:
        return None
    ranked = sorted(shares, key=lambda host: (-shares[host], host))
    on_them = 0
    for number, host in enumerate(ranked[: hosts // 2], 1):
        on_them += shares[host]
        if on_them < SHARE * servers:
            continue
        chance = exp(min(0.0, _log_choices(hosts, number) + _log_tail(servers, number / hosts, on_them)))
        return Skew(ranked[:number], on_them, servers, chance) if chance < CHANCE else None
    return None


def _log_tail(trials: int, share: float, least: int) -> float:
    """The logarithm of the chance of at least so many hits: the sum of the terms from there on, divided by the first."""
    first = _log_choices(trials, least) + least * log(share) + (trials - least) * log(1 - share)
    term = total = 1.0
    for hit in range(least, trials):
        term *= (trials - hit) / (hit + 1) * share / (1 - share)
        total += term
    return first + log(total)


def _log_choices(of: int, number: int) -> float:
    return lgamma(of + 1) - lgamma(number + 1) - lgamma(of - number + 1)


def _stacked_on_purpose(schedulers: Mapping[str, Any]) -> list[str]:
    return [
        f"{option} = {value} on {name}"
        for name, seen in schedulers.items()
        for option, value in seen["options"].items()
        if _stacks(option.partition(".")[2], value)
    ]


def _packed(
    zone: str, shares: Mapping[str, int], found: Skew, schedulers: Mapping[str, Any], cloud: Mapping[str, Any]
) -> Finding:
    causes = _causes(shares, found, schedulers, cloud)
    favoured = ", ".join(found.favoured[:5]) + (" and others" if len(found.favoured) > 5 else "")
    few = f"{len(found.favoured)} of {len(shares)} hosts"
    return Finding(
        fault=FAULT.id,
        target=Target("zone", zone),
        certainty=Certainty.PROBABLE,
        subject="packed",
        summary=f"{found.on_them} of the {found.servers} servers created in zone {zone} within {DAYS} days are on {few} "
        f"({favoured}): {causes[0]}",
        evidence={
            "source": "nova: servers, services, hypervisors, migrations, aggregates; nova.conf of each scheduler",
            "servers_created": dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:50]),
            "chance_with_equal_shares": f"{found.chance:.1e}",
            "likely_causes": causes,
            "not_counted": cloud["left_out"][:50],
            "options": {name: seen["options"] for name, seen in schedulers.items()},
        },
        expected=f"about {found.servers / len(shares):.0f} of them on each of {len(shares)} hosts",
        actual=f"{found.on_them} of {found.servers} on {few}",
        reason="where servers go is the operator's policy: see to the first cause that applies, and look at the next servers; "
        "deleted servers are not counted, so short-lived ones may have gone elsewhere",
    )


def _causes(
    shares: Mapping[str, int], found: Skew, schedulers: Mapping[str, Any], cloud: Mapping[str, Any]
) -> list[str]:
    """What may explain it, most likely first; what the evidence speaks against is left out."""
    favoured = set(found.favoured)
    hosts = {host: cloud["hosts"].get(host, {"memory_mb": 0, "version": 0}) for host in shares}
    releases = [seen["release"] for seen in schedulers.values() if seen["release"] is not None]
    newest = max(releases, default=None)
    off = {name: _all_are(schedulers, f"filter_scheduler.{name}_weight_multiplier", 0) for name in _WEIGHED}
    causes = []
    others = [host for host in shares if host not in favoured]
    version = min(hosts[host]["version"] for host in favoured)
    newer = all(hosts[host]["version"] < version for host in others)
    if newer and (newest is None or newest >= 28) and not off["hypervisor_version"]:
        causes.append(
            "they have the newest hypervisor, which is preferred since nova 28 (hypervisor_version_weight_multiplier = 0 "
            "ends that)"
        )
    memory = min(hosts[host]["memory_mb"] for host in favoured)
    if not off["ram"] and memory > 1.2 * max(hosts[host]["memory_mb"] for host in others):
        causes.append("they have the most memory, and free memory is compared as it is, not as a share")
    if (newest is None or newest >= 18) and not off["build_failure"] and all(shares[host] == 0 for host in others):
        causes.append(
            "builds failed on the others, which keeps servers away until one succeeds there or nova-compute is restarted "
            "(build_failure_weight_multiplier; no API tells the counter): read their nova-compute.log"
        )
    if not _all_are(schedulers, "filter_scheduler.shuffle_best_same_weighed_hosts", 1):
        causes.append(
            "of hosts with the same weight the first is taken (shuffle_best_same_weighed_hosts or host_subset_size spread them)"
        )
    causes.append("the others may be full, isolated for projects or images, or not asked for by those who named a host")
    return causes


_WEIGHED = ("hypervisor_version", "ram", "build_failure")


def _all_are(schedulers: Mapping[str, Any], option: str, number: int) -> bool:
    values = [seen["options"].get(option) for seen in schedulers.values()]
    return all(value is not None and _number(value) == number for value in values)


def _number(value: str) -> Optional[float]:
    named = {"true": 1.0, "yes": 1.0, "on": 1.0, "false": 0.0, "no": 0.0, "off": 0.0}
    try:
        return named.get(value.lower()) if value.lower() in named else float(value)
    except ValueError:
        return None


def _contradictions(schedulers: Mapping[str, Any]) -> Iterator[Finding]:
    """Weighers that the release has not, and schedulers that do not agree: the same request then goes here or there."""
    for name, seen in schedulers.items():
        for weigher in seen["weight_classes"]:
            own = _OWN_WEIGHER.match(weigher)
            if own and seen["release"] is not None and _WEIGHERS.get(own[1], 99) > seen["release"]:
                yield Finding(
                    fault=FAULT.id,
                    target=Target("host", name),
                    certainty=Certainty.CERTAIN,
                    severity="high",
                    subject=f"weight_classes {weigher}",
                    summary=f"nova-scheduler on {name} is to load {weigher}, which nova {seen['version']} does not have: it does "
                    "not start",
                    evidence={"path": seen["path"], "weight_classes": seen["weight_classes"]},
                    expected="weighers that this release of nova has",
                    actual=weigher,
                    reason="which weigher was meant cannot be told; nova.scheduler.weights.all_weighers takes all there are",
                )
    for option, values in _settings(schedulers).items():
        common = Counter(values.values()).most_common()
        if len(common) > 1:
            usual = common[0][0]
            for name in [name for name, value in values.items() if value != usual]:
                yield _differs(name, option, values, usual, schedulers[name]["path"])


def _settings(schedulers: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{option: {scheduler: value}}; one that is not set counts as such, lists with their defaults."""
    options = sorted({option for seen in schedulers.values() for option in seen["options"]})
    lists = ("enabled_filters", "available_filters", "weight_classes")
    found = {
        option: {name: seen["options"].get(option, "(not set)").strip() for name, seen in schedulers.items()}
        for option in options
        if option.partition(".")[2] not in lists
    }
    for option in lists:
        found[f"filter_scheduler.{option}"] = {
            name: ",".join(sorted(set(seen[option]))) for name, seen in schedulers.items()
        }
    return found


def _differs(name: str, option: str, values: Mapping[str, str], usual: str, path: str) -> Finding:
    section, _dot, short = option.partition(".")
    return Finding(
        fault=FAULT.id,
        target=Target("host", name),
        certainty=Certainty.CERTAIN,
        subject=f"[{section}] {short}",
        summary=f"nova-scheduler on {name} has {short} = {values[name]}, where others have {usual}: the same request is decided "
        "one way or the other",
        evidence={"path": path, "values": dict(values)},
        expected=usual,
        actual=values[name],
        reason="which of the two is meant is the operator's policy: give all schedulers the same value and restart them",
    )


FAULT = Fault(
    id="scheduler_packs_hosts",
    reference="F29",
    title="New servers always go to the same hosts",
    scope="fleet+cloud",
    severity="medium",
    symptom="New servers are built on one or a few computes while others of the same zone stay empty; or the same request "
    "succeeds now and fails then.",
    cause="The weighers prefer those hosts: builds failed on the others (each counts for a million), hypervisors differ in "
    "version (preferred since nova 28) or in memory, equal hosts are taken in order. Or the schedulers are set up differently.",
    fix="Only reported, with the likely causes in order: repair the host where builds failed and restart its nova-compute, set "
    "hypervisor_version_weight_multiplier=0 after an upgrade, shuffle_best_same_weighed_hosts=true, the same options on every "
    "scheduler. Stacking on purpose (a negative ram_weight_multiplier) is a policy and not reported.",
    host_evidence=("scheduler",),
    cloud_evidence=("servers", "compute_services", "hypervisors", "migrations", "aggregates"),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
