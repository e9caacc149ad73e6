# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why no host takes a server, or which does: each host judged as placement and nova-scheduler judge it (FAULTS.md F27, F15).

Pure: what was read goes in, an answer comes out. Where placement was asked, its word stands, and the arithmetic only says why;
what would be if something were different is arithmetic alone. Source: nova 34, scheduler/manager.py, conductor/manager.py
(schedule_and_build_instances: a host that is mapped to no cell is chosen like any other, and the server then fails).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from . import _allocations, _capacity, _resource_request, _scheduler_filters
from ._cpu_request import Contradiction
from ._resource_request import DISABLED, OWNER, Asked, Request
from ._scheduler_filters import Doubt, Facts
from ._scheduling_wish import Bounds, Setup, Wish, ask, bounds, compute_rows, is_partial, refused_by_api, traits_of
from ._words import listed

# In this order a host's refusals are told: what makes it no host at all comes before what it lacks.
_ORDER = (
    "not_asked_for",
    "unmapped",
    "no_provider",
    "down",
    "disabled",
    "capacity",
    "max_unit",
    "min_unit",
    "step_size",
    "no_inventory",
    "trait",
    "aggregate",
    "placement",
    "filter",
)
MOST_FLAVORS = 5


def trees(evidence: Mapping[str, Any]) -> dict[str, list[str]]:
    """{root provider: [providers that a server on it may use]}, those that share with it included."""
    found: dict[str, list[str]] = {}
    for uuid, provider in evidence["placement"]["providers"].items():
        found.setdefault(provider["root"], []).append(uuid)
    for sharing, roots in evidence["scheduling"]["shared"].items():
        for root in roots:
            if root in found and sharing not in found[root]:
                found[root].append(sharing)
    return found


def computes(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The computes as nova-scheduler meets them, sorted: {host, node, provider (root uuid, None without), mapped, zone, state,
    status, forced_down, disabled_reason, type, architecture, aggregates: [...], attributes: {name: value}}.

    A compute that is mapped to no cell is in no list of hypervisors; it shows by its service, and by the provider of the same
    name.
    """
    aggregates: dict[str, list[Mapping[str, Any]]] = {}
    for aggregate in evidence["aggregates"]["aggregates"]:
        for host in aggregate["hosts"]:
            aggregates.setdefault(host, []).append(aggregate)
    providers = evidence["placement"]["providers"]
    roots = {row["name"]: uuid for uuid, row in providers.items() if row["parent"] is None}
    short = {name.partition(".")[0]: uuid for name, uuid in roots.items()}
    nodes: dict[str, list[Mapping[str, Any]]] = {}
    for row in evidence["hypervisors"]["hypervisors"]:
        nodes.setdefault(row["host"], []).append(row)
    found = []
    for service in compute_rows(evidence):
        host = service["host"]
        common = {
            "host": host,
            **{name: service[name] for name in ("zone", "state", "status", "forced_down")},
            "disabled_reason": service["reason"],
            "aggregates": aggregates.get(host, []),
        }
        for row in nodes.get(host, ()):
            found.append(
                {
                    **common,
                    "node": row["name"],
                    "provider": row["id"] if row["id"] in providers else None,
                    "mapped": True,
                    "type": row["type"],
                    "architecture": row["architecture"],
                    "attributes": {
                        "host": host,
                        "nodename": row["name"],
                        "hypervisor_hostname": row["name"],
                        "hypervisor_type": row["type"],
                        "hypervisor_version": row["version"],
                        "host_ip": row["address"],
                        "total_usable_ram_mb": row["memory_mb"],
                        "uuid": row["id"],
                    },
                }
            )
        if host not in nodes:
            provider = roots.get(host) or short.get(host.partition(".")[0])
            node = providers[provider]["name"] if provider else host
            found.append(
                {
                    **common,
                    "node": node,
                    "provider": provider,
                    "mapped": False,
                    "type": "",
                    "architecture": "",
                    "attributes": {"host": host},
                }
            )
    return sorted(found, key=lambda each: (each["host"], each["node"]))


class Judge:
    """Judges hosts for one wish under one setup, by arithmetic and filters. Nothing is changed by judging."""

    def __init__(self, wish: Wish, asked: Asked, setup: Setup, limits: Bounds, evidence: Mapping[str, Any]) -> None:
        self.wish, self.asked, self.setup, self.bounds = wish, asked, setup, limits
        self._scheduling = evidence["scheduling"]
        self._inventories = evidence["inventories"]["inventories"]
        self._names = {uuid: row["name"] for uuid, row in evidence["placement"]["providers"].items()}
        self._trees = trees(evidence)
        self._with_trait = {trait: frozenset(uuids) for trait, uuids in self._scheduling["with_trait"].items()}
        self._members = {name: frozenset(uuids) for name, uuids in self._scheduling["members"].items()}
        self._is_partial = is_partial(evidence)
        self.facts = Facts(
            wish.flavor,
            wish.image,
            _resource_request.properties_of(wish.image["properties"]),
            wish.zone,
            wish.project,
            setup.options,
            asked.topology,
        )

    def placement(self, host: Mapping[str, Any], usage: Mapping[str, Mapping[str, int]]) -> list[dict[str, str]]:
        """Why placement has no candidate on a host; nothing for one that it has, as far as arithmetic goes."""
        if host["provider"] is None:
            return [_refusal("no_provider", "placement", "placement has no resource provider of it")]
        best: Optional[list[dict[str, str]]] = None
        for request in self.asked.queries:
            found = self._lacks(request, host, usage)
            if not found:
                best = []
                break
            best = best or found
        return (best or []) + self._out_of_bounds(host)

    def _lacks(
        self, request: Request, host: Mapping[str, Any], usage: Mapping[str, Mapping[str, int]]
    ) -> list[dict[str, str]]:
        root = host["provider"]
        tree = self._trees.get(root, [root])
        found = []
        for trait in request.root_required:
            if root not in self._having(trait):
                found.append(_refusal("trait", "placement", f"it lacks the trait {trait}"))
        for trait in request.root_forbidden:
            if root in self._having(trait):
                if trait == DISABLED:
                    found.append(self._disabled(host))
                else:
                    found.append(_refusal("trait", "placement", f"it has the trait {trait}, which is forbidden"))
        for group in request.groups.values():
            for name, amount in group["resources"].items():
                found += self._lack(name, amount, tree, usage)
            for trait in group["required"]:
                if not self._having(trait) & set(tree):
                    found.append(_refusal("trait", "placement", f"it lacks the trait {trait}"))
            for trait in group["forbidden"]:
                if root in self._having(trait):
                    found.append(_refusal("trait", "placement", f"it has the trait {trait}, which is forbidden"))
        return found

    def _having(self, trait: str) -> frozenset[str]:
        return self._with_trait.get(trait, frozenset())

    def _disabled(self, host: Mapping[str, Any]) -> dict[str, str]:
        if host["status"] == "disabled":
            reason = _scheduler_filters.compute_service(host) or ""
        else:
            reason = f"placement has it as disabled ({DISABLED}) though its compute service is enabled: restart its nova-compute"
        return _refusal("disabled", "placement", reason)

    def _lack(
        self, name: str, amount: int, tree: Sequence[str], usage: Mapping[str, Mapping[str, int]]
    ) -> list[dict[str, str]]:
        offers = [uuid for uuid in tree if name in self._inventories.get(uuid, {})]
        if not offers:
            return [_refusal("no_inventory", "placement", f"it has no {name}")]
        limits = {}
        for uuid in offers:
            limit = _capacity.refusal(self._inventories[uuid][name], usage.get(uuid, {}).get(name, 0), amount)
            if limit is None:
                return []
            limits[uuid] = limit
        # Of several providers the one that comes nearest: with the most that is free.
        uuid = max(offers, key=lambda each: self._free(each, name, usage))
        limit, inventory = limits[uuid], self._inventories[uuid][name]
        if limit != "free":
            what = {
                "max_unit": "one server may have at most",
                "min_unit": "one server must have at least",
                "step_size": "it is given out in steps of",
            }[limit]
            return [_refusal(limit, "placement", f"{amount} {name} wanted, {what} {inventory[limit]} ({limit})")]
        free, taken = self._free(uuid, name, usage), usage.get(uuid, {}).get(name, 0)
        told = str(inventory["total"])
        if inventory["reserved"]:
            told = f"({told} - {inventory['reserved']} reserved)"
        if inventory["allocation_ratio"] != 1:
            told += f" * {inventory['allocation_ratio']:g}"
        if told != str(_capacity.capacity(inventory)):
            told += f" = {_capacity.capacity(inventory)}"
        return [_refusal("capacity", "placement", f"{amount} {name} wanted, {free} free: {told}, {taken} used")]

    def _free(self, uuid: str, name: str, usage: Mapping[str, Mapping[str, int]]) -> int:
        return _capacity.capacity(self._inventories[uuid][name]) - usage.get(uuid, {}).get(name, 0)

    def _out_of_bounds(self, host: Mapping[str, Any]) -> list[dict[str, str]]:
        found = []
        in_nova = {aggregate["uuid"] for aggregate in host["aggregates"]}
        for label, aggregates in self.bounds.within:
            if host["provider"] in self._members.get(label, frozenset()):
                continue
            if in_nova & set(aggregates):
                names = ", ".join(sorted(aggregates[uuid] for uuid in in_nova & set(aggregates)))
                reason = (
                    f"nova has it in aggregate {names}, and placement has not: nova-manage placement sync_aggregates"
                )
            elif label.startswith("availability zone"):
                reason = f"it is in availability zone {host['zone']}"
            else:
                reason = f"it is not in {label}"
            found.append(_refusal("aggregate", "placement", reason))
        label, aggregates = self.bounds.without
        if host["provider"] in self._members.get(label, frozenset()):
            names = ", ".join(sorted(aggregates[uuid] for uuid in in_nova & set(aggregates))) or "one of placement's"
            found.append(_refusal("aggregate", "placement", f"it is in {label}: {names}"))
        return found

    def rest(self, host: Mapping[str, Any]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """(why filters or conductor refuse a host, what is not known of it)."""
        refusals, doubts = [], []
        if not host["mapped"]:
            if self._is_partial:
                doubts.append(_doubt("", "it is in no list of hypervisors, of which a part was not seen"))
            else:
                reason = "it is mapped to no cell: nova-manage cell_v2 discover_hosts --by-service"
                refusals.append(_refusal("unmapped", "nova-conductor", reason))
        for name in self.setup.filters:
            answer = _scheduler_filters.answer(name, host, self.facts)
            if isinstance(answer, Doubt):
                # also of a host that is mapped to no cell: nova-scheduler knows it, and no API tells what it is
                doubts.append(_doubt(name, answer.reason))
            elif answer:
                kind = "filter"
                if name == "ComputeFilter":
                    kind = "disabled" if host["status"] == "disabled" else "down"
                refusals.append(_refusal(kind, name, answer))
        if "ComputeFilter" not in self.setup.filters and host["state"] != "up":
            reason = "its compute service is down, and without ComputeFilter it is chosen all the same"
            refusals.append(_refusal("down", "nova-compute", reason))
        doubts += [_doubt("nova-compute", reason) for reason in self.asked.unseen]
        if self.asked.topology:
            doubts.append(_doubt("nova-compute", "how full its NUMA cells are is in no API"))
        for trait, reason in self.asked.doubtful.items():
            if host["provider"] not in self._having(trait):
                doubts.append(_doubt("placement", f"it lacks {trait}, and {reason}"))
        if self._having(OWNER) and host["provider"] not in self._having(OWNER):
            doubts.append(
                _doubt("placement", f"it lacks {OWNER}, which nova asks for once every compute is of release 34")
            )
        return refusals, doubts

    def fits(self, host: Mapping[str, Any], usage: Mapping[str, Mapping[str, int]], *, enabled: bool = False) -> bool:
        """Whether arithmetic and filters know of nothing against a host, were its service enabled."""
        if self.wish.host and host["host"] != self.wish.host:
            return False
        if enabled:
            host = {**host, "status": "enabled"}
        refusals, doubts = self.rest(host)
        against = [*refusals, *self.placement(host, usage)]
        return not doubts and all(enabled and refusal["kind"] == "disabled" for refusal in against)


def _refusal(kind: str, by: str, reason: str) -> dict[str, str]:
    return {"kind": kind, "by": by, "reason": reason}


def _doubt(by: str, reason: str) -> dict[str, str]:
    return {"by": by, "reason": reason}


def explain(wish: Wish, setup: Setup, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The answer for one setup (the module's RETURN has its shape).

    evidence: flavors, images, hypervisors, compute_services, aggregates, placement, inventories and scheduling as
    `_evidence` reads them, and "leaks": what is allocated to nobody, None where that could not be judged ("leaks_reason").
    """
    refused = refused_by_api(wish, evidence)
    known_traits = evidence["scheduling"]["known_traits"]
    asked: Optional[Asked] = None
    try:
        asked = ask(wish, setup, known_traits)
    except Contradiction as error:
        refused.append(str(error))
    limits = bounds(wish, asked, setup, evidence)
    usage = _capacity.used(evidence["placement"]["consumers"])
    hosts = computes(evidence)
    judged: list[dict[str, Any]] = []
    path: dict[str, Any] = {"candidates": None, "filters": []}
    if asked is not None:
        judge = Judge(wish, asked, setup, limits, evidence)
        judged = [_judge(judge, host, usage, evidence["scheduling"]["candidates"]) for host in hosts]
        path = _path(judged, setup)
    verdict, unknown = _verdict(judged, refused, evidence)
    answer: dict[str, Any] = {
        "verdict": verdict,
        "fits": [host["host"] for host in judged if host["verdict"] == "fits"] if verdict == "fits" else [],
        "refused": refused,
        "request": _request(asked, limits),
        "hosts": judged,
        "scheduler": {
            "source": "read" if setup.hosts else "assumed",
            "hosts": list(setup.hosts),
            "release": setup.release,
            "enabled_filters": list(setup.filters),
            **path,
        },
        "what_if": _what_if(wish, asked, setup, evidence, hosts, usage, verdict, refused),
        "unknown": unknown,
    }
    answer["summary"] = _summary(answer, wish)
    return answer


def _judge(
    judge: Judge, host: Mapping[str, Any], usage: Mapping[str, Mapping[str, int]], candidates: Mapping[str, Any]
) -> dict[str, Any]:
    """One host, with placement's word above the arithmetic."""
    refusals, doubts = judge.rest(host)
    not_asked_for = bool(judge.wish.host) and host["host"] != judge.wish.host
    is_candidate = host["provider"] in candidates["providers"]
    if not_asked_for:
        refusals.insert(0, _refusal("not_asked_for", "placement", f"{judge.wish.host} is asked for"))
    if not is_candidate:
        found = judge.placement(host, usage)
        if candidates["refused"] and not found:
            found = [
                _refusal("placement", "placement", f"placement does not take the request: {candidates['refused']}")
            ]
        elif candidates["cut"] and not found:
            doubts.append(
                _doubt("placement", "placement gives nova a limited number of candidates, and it is none of those")
            )
        elif not found and not not_asked_for:
            reason = "placement has no candidate on it, though each single thing that is asked for is there"
            found = [_refusal("placement", "placement", reason)]
        refusals += found
    refusals = _distinct(sorted(refusals, key=lambda refusal: _ORDER.index(refusal["kind"])))
    if refusals:
        verdict = "refused"
    else:
        verdict = "unknown" if doubts else "fits"
    return {
        **{name: host[name] for name in ("host", "node", "zone", "state", "status")},
        "verdict": verdict,
        "candidate": is_candidate,
        "refusals": refusals,
        "unknown": doubts,
    }


def _distinct(refusals: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """A disabled service is refused by placement and by ComputeFilter: it is told once, by whom it meets first."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for refusal in refusals:
        known = found.setdefault((refusal["kind"], refusal["reason"]), refusal)
        if refusal["by"] == "placement" and known["by"] != "placement":
            found[refusal["kind"], refusal["reason"]] = refusal
    return list(found.values())


def _path(judged: Sequence[Mapping[str, Any]], setup: Setup) -> dict[str, Any]:
    """How many hosts each filter begins and ends with, as nova's log line "Filter results" has it.

    None from the filter on of whose answer there is a doubt. nova stops at the first that leaves none.
    """
    left = [host for host in judged if host["candidate"]]
    filters: list[dict[str, Any]] = []
    count: Optional[int] = len(left)
    for name in setup.filters:
        if count == 0:
            break
        start = count
        if count is not None:
            if any(doubt["by"] == name for host in left for doubt in host["unknown"]):
                count = None
            else:
                left = [host for host in left if not _refuses(host, name)]
                count = len(left)
        filters.append({"name": name, "start": start, "end": count})
    return {"candidates": sum(host["candidate"] for host in judged), "filters": filters}


def _refuses(host: Mapping[str, Any], name: str) -> bool:
    return any(refusal["by"] == name for refusal in host["refusals"])


def _verdict(
    judged: Sequence[Mapping[str, Any]], refused: Sequence[str], evidence: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """("fits", "none" or "unknown", why it is not known)."""
    if refused:
        return "none", []
    fits = [host for host in judged if host["verdict"] == "fits"]
    doubtful = [host for host in judged if host["verdict"] == "unknown"]
    # Chosen like any other, and the server then fails: nobody but conductor or compute refuses it.
    traps = [host for host in judged if _is_trap(host)]
    reasons = sorted({doubt["reason"] for host in doubtful for doubt in host["unknown"]})
    partial = [gap["reason"] for name in ("compute_services", "hypervisors") for gap in evidence[name]["gaps"]]
    partial += [gap["reason"] for gap in evidence["inventories"]["gaps"]]
    if fits and traps:
        named = ", ".join(host["host"] for host in traps)
        reason = traps[0]["refusals"][0]["reason"]
        return "unknown", [f"nova may choose {named} as well as a host that fits, and the server then fails: {reason}"]
    if fits:
        return "fits", []
    if doubtful:
        return "unknown", reasons
    return ("unknown", sorted(set(partial))) if partial else ("none", [])


def _is_trap(host: Mapping[str, Any]) -> bool:
    return bool(host["candidate"] and host["refusals"]) and all(
        refusal["by"] in ("nova-conductor", "nova-compute") for refusal in host["refusals"]
    )


def _request(asked: Optional[Asked], limits: Bounds) -> Optional[dict[str, Any]]:
    if asked is None:
        return None
    first = asked.queries[0]
    return {
        "groups": {suffix: dict(group) for suffix, group in first.groups.items()},
        "root_required": first.root_required,
        "root_forbidden": first.root_forbidden,
        "group_policy": first.policy,
        "or": [{suffix: dict(group) for suffix, group in each.groups.items()} for each in asked.queries[1:]],
        "within": [{"for": label, "aggregates": sorted(names.values())} for label, names in limits.within],
        "without": sorted(limits.without[1].values()),
    }


def _what_if(
    wish: Wish,
    asked: Optional[Asked],
    setup: Setup,
    evidence: Mapping[str, Any],
    hosts: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Mapping[str, int]],
    verdict: str,
    refused: Sequence[str],
) -> dict[str, Any]:
    """Which hosts would take it if one thing were different; None, with a reason, where that is not known."""
    found: dict[str, Any] = {
        "without_orphans": {"hosts": None, "orphans": [], "reason": ""},
        "enabled": {"hosts": None, "reason": ""},
        "flavors": [],
    }
    why = ""
    if asked is None or refused:
        why = "nova does not take the request, wherever it would go"
    elif asked.queries[0].plain is None:
        why = "the flavor asks for groups of resources, which only placement can put together"
    if why or asked is None:
        found["without_orphans"]["reason"] = found["enabled"]["reason"] = why
    else:
        judge = Judge(wish, asked, setup, bounds(wish, asked, setup, evidence), evidence)
        found["enabled"]["hosts"] = [host["host"] for host in hosts if judge.fits(host, usage, enabled=True)]
        if evidence["leaks"] is None:
            found["without_orphans"]["reason"] = evidence["leaks_reason"]
        else:
            without = without_leaks(usage, evidence["leaks"])
            found["without_orphans"]["hosts"] = [host["host"] for host in hosts if judge.fits(host, without)]
            found["without_orphans"]["orphans"] = sorted({leak.consumer for leak in evidence["leaks"]})
    if verdict != "fits":
        found["flavors"] = _other_flavors(wish, setup, evidence, hosts, usage)
    return found


def without_leaks(
    usage: Mapping[str, Mapping[str, int]], leaks: Iterable[_allocations.Leak]
) -> dict[str, dict[str, int]]:
    """What is used once nothing is allocated to nobody."""
    rest = {provider: dict(resources) for provider, resources in usage.items()}
    for leak in leaks:
        for provider, resources in leak.extra.items():
            for name, amount in resources.items():
                rest[provider][name] -= amount
    return rest


def _other_flavors(
    wish: Wish,
    setup: Setup,
    evidence: Mapping[str, Any],
    hosts: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Mapping[str, int]],
) -> list[dict[str, Any]]:
    """The flavors with which some host would take it: smaller ones first, the nearest of them first."""
    own = wish.flavor
    found = []
    for flavor in evidence["flavors"]["flavors"]:
        other = wish._replace(flavor=flavor)
        if flavor["id"] == own["id"] or refused_by_api(other, evidence):
            continue
        try:
            asked = ask(other, setup, evidence["scheduling"]["known_traits"])
        except Contradiction:
            continue
        if asked.queries[0].plain is None or not traits_of(asked) <= evidence["scheduling"]["with_trait"].keys():
            continue
        judge = Judge(other, asked, setup, bounds(other, asked, setup, evidence), evidence)
        fitting = [host["host"] for host in hosts if judge.fits(host, usage)]
        if fitting:
            sizes = {name: flavor[name] for name in ("vcpus", "ram", "disk")}
            larger = any(sizes[name] > own[name] for name in sizes)
            distance = sum(abs(sizes[name] - own[name]) / max(own[name], 1) for name in sizes)
            found.append((larger, distance, flavor["name"], {"name": flavor["name"], **sizes, "hosts": len(fitting)}))
    return [entry for *_order, entry in sorted(found, key=lambda each: each[:3])[:MOST_FLAVORS]]


_TOLD = {
    "not_asked_for": "not the host asked for",
    "unmapped": "mapped to no cell",
    "no_provider": "without a resource provider",
    "down": "down",
    "disabled": "disabled",
    "aggregate": "outside zone or aggregates",
    "placement": "no candidate of placement",
}


def _summary(answer: Mapping[str, Any], wish: Wish) -> str:
    what = f"flavor {wish.flavor['name']} with image {wish.image['name']}"
    hosts = answer["hosts"]
    if answer["refused"]:
        return f"No host takes {what}: {answer['refused'][0]}"
    if answer["verdict"] == "fits":
        fits = answer["fits"]
        return f"{len(fits)} of {len(hosts)} hosts {'takes' if len(fits) == 1 else 'take'} {what}: {listed(fits, 5)}"
    if answer["verdict"] == "unknown":
        return f"Whether a host takes {what} cannot be known: {answer['unknown'][0]}"
    counted = Counter(_label(host["refusals"][0]) for host in hosts if host["refusals"])
    why = ", ".join(f"{label} on {count} of {len(hosts)}" for label, count in counted.most_common())
    return f"No host takes {what}: {why or 'the cloud has no computes'}"


def _label(refusal: Mapping[str, str]) -> str:
    if refusal["kind"] in _TOLD:
        return _TOLD[refusal["kind"]]
    if refusal["kind"] == "filter":
        return refusal["by"]
    if refusal["kind"] == "trait":
        return refusal["reason"].replace("it lacks the trait", "without trait").partition(",")[0]
    words = refusal["reason"].split()
    if refusal["kind"] == "no_inventory":
        return f"no {words[-1]}"
    return words[1] if refusal["kind"] == "capacity" else f"{words[1]} {refusal['kind']}"


def combine(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One answer of several schedulers': the first, and not known where they do not agree."""
    first = answers[0]
    if len({answer["verdict"] for answer in answers}) > 1:
        named = "; ".join(f"{', '.join(answer['scheduler']['hosts'])}: {answer['verdict']}" for answer in answers)
        why = f"the schedulers are set up differently, and it depends on which one takes the request ({named})"
        first = {**first, "verdict": "unknown", "fits": [], "unknown": [why], "summary": f"It cannot be known: {why}"}
    return first
