# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A partial view is not a clean bill: whoever did not answer is told as unknown, and nothing is guessed in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.stackmend.openstack.plugins.filter.faults_resting_on import faults_resting_on
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._fleet import correlate, migration_peers
from ansible_collections.stackmend.openstack.plugins.module_utils._model import (
    Certainty,
    Evidence,
    Fault,
    Finding,
    Target,
    Unavailable,
)


def _fault(id_: str, **parts: Any) -> Fault:
    words = {"symptom": "s", "cause": "c", "fix": "f"}
    return Fault(**{"id": id_, "reference": "F99", "title": id_, "scope": "x", "severity": "high", **words, **parts})


def _one(evidence: Evidence) -> Iterator[Finding]:
    yield Finding("one", Target("host", "h1"), Certainty.CERTAIN, "it is", expected="x", reason="r")


def _none(evidence: Evidence) -> Iterator[Finding]:
    yield from ()


def _by_host(evidence: Evidence) -> Iterator[Finding]:
    for host in evidence["hosts"]:
        yield Finding("fleet", Target("host", host), Certainty.POSSIBLE, "it is", expected="x", reason="r")


ANSWER = {"findings": [], "unknown": [], "observations": {}}
CLOUD = {**ANSWER, "objects": {"image": 3}}
ON_HOST = _fault("one", detect=_none, host_evidence=("files",))
IN_CLOUD = _fault("two", detect=_none, cloud_evidence=("images",))
FLEET = _fault("fleet", detect=_by_host, host_evidence=("files",), observe_host=lambda evidence: dict(evidence))


def _unknown(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(entry["fault"], entry["target"]["name"], entry["reason"]) for entry in found["unknown"]]


def test_a_host_that_did_not_answer_is_unknown_for_every_fault_of_hosts() -> None:
    found = correlate([ON_HOST, IN_CLOUD, FLEET], {"a": ANSWER, "b": {"failed": "no route"}, "c": None}, CLOUD)
    assert _unknown(found) == [
        ("one", "b", "no route"),
        ("one", "c", "the host gave no answer"),
        ("fleet", "b", "no route"),
        ("fleet", "c", "the host gave no answer"),
    ]
    assert found["checked"] == {"hosts": 1, "faults": 3, "objects": {"image": 3}}


def test_without_a_cloud_its_faults_are_unknown() -> None:
    found = correlate([ON_HOST, IN_CLOUD], {"a": ANSWER}, None, no_cloud="no cloud is named")
    assert _unknown(found) == [("two", "cloud", "no cloud is named")]


def test_without_hosts_their_faults_are_unknown() -> None:
    found = correlate([ON_HOST], {}, CLOUD)
    assert _unknown(found) == [("one", "hosts", "the inventory has no host to look at")]


def test_a_fault_of_the_fleet_judges_the_hosts_that_had_something_to_say() -> None:
    answers = {"a": {**ANSWER, "observations": {"fleet": {"x": 1}}}, "b": {**ANSWER, "observations": {"fleet": None}}}
    found = correlate([FLEET], answers, CLOUD)
    assert [finding["target"]["name"] for finding in found["findings"]] == ["a"]


def test_what_is_less_certain_than_asked_is_left_out() -> None:
    answers = {"a": {**ANSWER, "observations": {"fleet": {}}}}
    assert correlate([FLEET], answers, CLOUD, min_certainty="probable")["findings"] == []


def test_evidence_that_cannot_be_read_makes_each_check_that_needs_it_unknown_and_is_asked_once() -> None:
    asked = []

    def read(name: str) -> Any:
        asked.append(name)
        if name == "files":
            raise Unavailable("/etc/x cannot be read")
        return {"gaps": [{"reason": "half of it was not seen"}]}

    other = _fault("other", detect=_one, host_evidence=("rest",))
    result = examine([ON_HOST, FLEET, other], "host", read, Target("host", "a"), {})
    assert [(entry["fault"], entry["reason"]) for entry in result["unknown"]] == [
        ("one", "/etc/x cannot be read"),
        ("fleet", "/etc/x cannot be read"),
        ("other", "half of it was not seen"),
    ]
    assert [finding["fault"] for finding in result["findings"]] == ["other"]
    assert asked == ["files", "rest"]


def test_a_check_that_breaks_is_unknown_and_takes_no_other_with_it() -> None:
    def broken(evidence: Evidence) -> Iterator[Finding]:
        raise KeyError("secret")
        yield

    faults = [_fault("bad", detect=broken, host_evidence=("x",)), _fault("good", detect=_one, host_evidence=("x",))]
    result = examine(faults, "host", lambda name: {}, Target("host", "a"), {})
    assert [finding["fault"] for finding in result["findings"]] == ["good"]
    assert "the check itself failed (KeyError" in result["unknown"][0]["reason"]
    assert "secret" not in result["unknown"][0]["reason"]


def test_peers_are_named_by_what_nova_knows_before_what_the_inventory_says() -> None:
    hosts = {
        "c1": {"ansible_host": "192.0.2.1"},
        "c2.example.org": {"ansible_host": "192.0.2.2"},
        "c3": {"stackmend_migration_address": "198.51.100.3", "stackmend_migration_port": 8022},
        "copy": {"stackmend_root": "/mnt/copy"},
    }
    assert migration_peers(hosts, {"c2": "203.0.113.2", "c3": "203.0.113.3"}) == [
        {"name": "c1", "address": "192.0.2.1", "port": 22},
        {"name": "c2.example.org", "address": "203.0.113.2", "port": 22},
        {"name": "c3", "address": "198.51.100.3", "port": 8022},
    ]


def test_every_fault_rests_on_hosts_or_on_the_cloud() -> None:
    on_hosts, in_cloud = (set(faults_resting_on(sorted(FAULTS), place)) for place in ("hosts", "cloud"))
    assert on_hosts | in_cloud == set(FAULTS)
    assert "image_format_mismatch" not in on_hosts
    assert "locale_not_utf8" not in in_cloud
    assert "migration_ssh_broken" in on_hosts & in_cloud, "nova's addresses come from the cloud"
