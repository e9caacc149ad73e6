# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `stackmend explain` says is what nova does: of random clouds, flavors, images, zones and hosts.

STACKMEND_EXPLAIN_CASES: how many servers are asked for (24). STACKMEND_EXPLAIN_SEED: another number, other clouds.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _explain, _session
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._host_readers import host_reader
from ansible_collections.stackmend.openstack.plugins.module_utils._scheduling_wish import UnknownName
from click.testing import CliRunner
from stackmend_lab import Lab
from stackmend_lab.breakers import _placement
from stackmend_lab.breakers._changes import Changes
from stackmend_lab.breakers._nova_rows import Rows

import stackmend
from stackmend import cli
from stackmend.report import explanation

CASES = int(os.environ.get("STACKMEND_EXPLAIN_CASES", "24"))
SEED = int(os.environ.get("STACKMEND_EXPLAIN_SEED", "20261121"))
CASES_A_CLOUD = 8
FAST = "CUSTOM_EXPLAIN_FAST"
GOLD = "CUSTOM_EXPLAIN_GOLD"

# name: vcpus, ram (MiB), disk (GiB), extra specs. The lab's computes have 16 CPUs, 32 GiB and 1000 GB.
FLAVORS: dict[str, tuple[int, int, int, dict[str, str]]] = {
    "small": (1, 512, 1, {}),
    "half": (8, 16384, 400, {}),
    "whole": (16, 30000, 900, {}),
    "too-many-cpus": (17, 512, 1, {}),
    "too-much-memory": (1, 33000, 1, {}),
    "too-much-disk": (1, 512, 1200, {}),
    "fast": (1, 512, 1, {f"trait:{FAST}": "required"}),
    "slow": (1, 512, 1, {f"trait:{FAST}": "forbidden"}),
    "unknown-trait": (1, 512, 1, {"trait:CUSTOM_EXPLAIN_NOBODY": "required"}),
    "gold": (1, 512, 1, {f"resources:{GOLD}": "2"}),
    "gold-apart": (1, 512, 1, {f"resources_GOLD:{GOLD}": "1", f"trait_GOLD:{FAST}": "required"}),
    "no-resources": (16, 30000, 900, {"resources:VCPU": "0", "resources:MEMORY_MB": "0", "resources:DISK_GB": "1"}),
    "on-ssd": (1, 512, 1, {"aggregate_instance_extra_specs:ssd": "true"}),
    "rack": (1, 512, 1, {"aggregate_instance_extra_specs:rack": ">= 2"}),
    "either-rack": (1, 512, 1, {"aggregate_instance_extra_specs:rack": "<or> 1 <or> 3"}),
    "unscoped": (1, 512, 1, {"ssd": "true"}),
    "nonsense": (1, 512, 1, {"xxx": "123"}),
    "fake-only": (1, 512, 1, {"capabilities:hypervisor_type": "s== fake"}),
    "not-fake": (1, 512, 1, {"capabilities:hypervisor_type": "s!= fake"}),
    "incapable": (1, 512, 1, {"capabilities:teleports": "true"}),
    "secure": (1, 512, 1, {"os:secure_boot": "required"}),
    "pinned": (2, 512, 1, {"hw:cpu_policy": "dedicated"}),
}
IMAGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "on-arm": {"hw_architecture": "aarch64"},
    "on-pc": {"architecture": "amd64", "hw_vm_mode": "hvm", "img_hv_type": "fake"},
    "on-xen": {"hypervisor_type": "xen"},
    "fast": {f"trait:{FAST}": "required"},
    "hungry": {"min_ram": 1024},
    "wide": {"min_disk": 20},
    "isolated": {},
}
# The last of the lab's computes, as the files and the filter know it; what else keeps projects, images and traits apart.
ISOLATING = {
    "scheduler": {
        "limit_tenants_to_placement_aggregate": "true",
        "enable_isolated_aggregate_filtering": "true",
    },
    "filter_scheduler": {
        "isolated_hosts": "HOST-341",
        "restrict_isolated_hosts_to_isolated_images": "false",
    },
}
FILTER_RESULTS = re.compile(r"(\w+): \(start: (\d+), end: (\d+)\)")


class Nova:
    """The lab's nova, asked for servers as a user does, and its scheduler's log."""

    def __init__(self, lab: Lab) -> None:
        self.cloud = lab.cloud()
        self.log = lab.layout.log("nova")
        flavors = {flavor.name: flavor.id for flavor in self.cloud.compute.flavors()}
        images = {image.name: image.id for image in self.cloud.image.images()}
        self.ids = {"flavor": flavors, "image": images}

    def ask(self, case: dict[str, str]) -> dict[str, Any]:
        """{"outcome": "active", "error" or "refused", "host", "fault", "candidates": whether placement had some, "filters"}."""
        begin = self.log.stat().st_size
        wish = {
            "name": "explained",
            "imageRef": self.ids["image"][case["image"]],
            "flavorRef": self.ids["flavor"][case["flavor"]],
            "networks": "none",
        }
        if case["zone"]:
            wish["availability_zone"] = case["zone"]
        if case["host"]:
            wish["host"] = case["host"]
        answer = self.cloud.compute.post("/servers", json={"server": wish}, microversion="2.74")
        if not answer.ok:
            fault = next(iter(answer.json().values()))["message"]
            return {"outcome": "refused", "host": "", "fault": fault, "candidates": None, "filters": None}
        server = self._wait(answer.json()["server"]["id"])
        try:
            with self.log.open(encoding="utf-8", errors="replace") as file:
                file.seek(begin)
                text = file.read()
            request = answer.headers["x-openstack-request-id"]
            none = [line for line in text.splitlines() if request in line and "Got no allocation candidates" in line]
            last = [line for line in text.splitlines() if server["id"] in line and "Filter results" in line]
            filters = (
                [(name, int(start), int(end)) for name, start, end in FILTER_RESULTS.findall(last[-1])]
                if last
                else None
            )
            return {
                "outcome": {"ACTIVE": "active", "ERROR": "error"}.get(server["status"], server["status"]),
                "host": server["OS-EXT-SRV-ATTR:host"] or "",
                "fault": server.get("fault", {}).get("message", ""),
                "candidates": not none,
                "filters": filters,
            }
        finally:
            self._delete(server["id"])

    def _wait(self, server: str) -> dict[str, Any]:
        """The server once nova is done with it. The lab's own method connects anew each time."""
        end = time.monotonic() + 60
        while True:
            found: dict[str, Any] = self.cloud.compute.get(f"/servers/{server}", microversion="2.74").json()["server"]
            if found["status"] in ("ACTIVE", "ERROR") or time.monotonic() > end:
                return found
            time.sleep(0.1)

    def _delete(self, server: str) -> None:
        self.cloud.compute.delete(f"/servers/{server}")
        end = time.monotonic() + 60
        while self.cloud.compute.get(f"/servers/{server}", microversion="2.74").ok:
            assert time.monotonic() < end, f"server {server} is not deleted"
            time.sleep(0.1)


class World:
    """A state of the cloud, made from random numbers and taken back."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.compute = lab.cloud().compute
        self.placement = lab.cloud().placement
        self.project = lab.cloud().current_project_id
        self.rows = Rows(lab, "explain")
        self.services = {row.host: row.id for row in self.compute.services(binary="nova-compute")}
        self.providers = {host: _placement.provider(lab, host) for host in self.services}
        self.others = _placement.used_by(lab)
        self.aggregates: list[Any] = []
        self.before = {host: self._inventories(host) for host in self.services}
        self.told: list[str] = []

    def make(self, dice: random.Random) -> None:
        self.told = []
        for host in self.services:
            self._inventory(dice, host)
            if dice.random() < 0.3:
                self._traits(host, {FAST}, set())
                self.told.append(f"{host} is fast")
            if dice.random() < 0.25:
                self._fill(dice, host)
        self._aggregates(dice)
        for host in self.services:
            state = dice.choices(
                [
                    "well",
                    "disabled",
                    "down",
                    "disabled, then down",
                    "down, then disabled",
                    "enabled in vain",
                    "unmapped",
                ],
                [14, 2, 2, 1, 1, 1, 2],
            )[0]
            if state != "well":
                self.told.append(f"{host} is {state}")
            steps: dict[str, tuple[dict[str, Any], ...]] = {
                "disabled": ({"status": "disabled", "disabled_reason": "maintenance"},),
                "down": ({"forced_down": True},),
                "disabled, then down": ({"status": "disabled"}, {"forced_down": True}),
                "down, then disabled": ({"forced_down": True}, {"status": "disabled"}),
                # The trait stays: nova-compute could not be told.
                "enabled in vain": (
                    {"status": "disabled"},
                    {"forced_down": True},
                    {"status": "enabled"},
                    {"forced_down": False},
                ),
            }
            for step in steps.get(state, ()):
                self._service(host, step)
            if state == "unmapped":
                self.rows.delete("nova_api", "host_mappings", {"host": host})

    def undo(self) -> None:
        self.rows.restore()
        for host in self.services:
            self._service(host, {"forced_down": False})
            # A round trip also takes back a trait that was left behind.
            self._service(host, {"status": "disabled"})
            self._service(host, {"status": "enabled"})
            self._traits(host, set(), {FAST})
        # Also what a server left behind that was to go to a host that is mapped to no cell.
        for consumer in _placement.used_by(self.lab) - self.others:
            self._send("delete", f"/allocations/{consumer}")
        for aggregate, hosts in self.aggregates:
            for host in hosts:
                self.compute.remove_host_from_aggregate(aggregate, host)
            self.compute.delete_aggregate(aggregate)
        self.aggregates.clear()
        for host, inventories in self.before.items():
            self._put_inventories(host, inventories)

    def _service(self, host: str, change: dict[str, Any]) -> None:
        answer = self.compute.put(f"/os-services/{self.services[host]}", json=change, microversion="2.69")
        assert answer.ok, answer.text

    def _send(self, verb: str, path: str, body: Any = None) -> Any:
        answer = getattr(self.placement, verb)(path, microversion="1.36", **({"json": body} if body else {}))
        assert answer.ok, f"{verb} {path}: {answer.text}"
        return answer.json() if answer.content else {}

    def _inventories(self, host: str) -> dict[str, Any]:
        found: dict[str, Any] = self._send("get", f"/resource_providers/{self.providers[host]}/inventories")[
            "inventories"
        ]
        return found

    def _put_inventories(self, host: str, inventories: dict[str, Any]) -> None:
        # nova-compute reports at its own times, and the generation is then another.
        for _attempt in range(5):
            path = f"/resource_providers/{self.providers[host]}/inventories"
            now = self._send("get", path)
            body = {"resource_provider_generation": now["resource_provider_generation"], "inventories": inventories}
            answer = self.placement.put(path, json=body, microversion="1.36")
            if answer.ok:
                return
            assert answer.status_code == 409, answer.text
        pytest.fail(f"the inventory of {host} is never left alone: {answer.text}")

    def _inventory(self, dice: random.Random, host: str) -> None:
        wanted = json.loads(json.dumps(self.before[host]))
        for name, change in (
            ("MEMORY_MB", {"allocation_ratio": 0.5}),
            ("MEMORY_MB", {"reserved": 31000}),
            ("VCPU", {"max_unit": 4}),
            ("VCPU", {"allocation_ratio": 1.0}),
            ("DISK_GB", {"step_size": 2}),
            ("DISK_GB", {"min_unit": 2}),
        ):
            if dice.random() < 0.06:
                wanted[name].update(change)
                self.told.append(f"{name} of {host}: {change}")
        if dice.random() < 0.4:
            wanted[GOLD] = {"total": 2, "max_unit": 2}
            self.told.append(f"{host} has 2 {GOLD}")
        self._put_inventories(host, wanted)

    def _traits(self, host: str, more: set[str], less: set[str]) -> None:
        path = f"/resource_providers/{self.providers[host]}/traits"
        for _attempt in range(5):
            now = self._send("get", path)
            now["traits"] = sorted({*now["traits"], *more} - less)
            answer = self.placement.put(path, json=now, microversion="1.36")
            if answer.ok:
                return
        pytest.fail(f"the traits of {host} are never left alone: {answer.text}")

    def _fill(self, dice: random.Random, host: str) -> None:
        """Allocate to nobody most of what a class has, as far as placement lets."""
        name = dice.choice(["MEMORY_MB", "VCPU", "DISK_GB"])
        inventory = self._inventories(host)[name]
        room = int((inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"])
        amount = min(int(room * dice.choice([0.5, 0.97, 1.0])), inventory["max_unit"])
        amount -= amount % inventory["step_size"]
        while room >= amount > inventory["min_unit"]:
            consumer = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            _placement.allocate(self.lab, consumer, {self.providers[host]: {name: amount}})
            room -= amount
            if dice.random() < 0.6:
                break
        self.told.append(f"{name} of {host} is filled but for {room}")

    def _aggregates(self, dice: random.Random) -> None:
        hosts = sorted(self.services)
        dice.shuffle(hosts)
        zones = [hosts[:1], hosts[1 : dice.choice([1, 2, 3])]]
        for number, members in enumerate(zones, 1):
            self._aggregate(f"zone-{number}", members, {"availability_zone": f"az{number}"})
        for metadata in ({"ssd": "true"}, {"ssd": "false", "rack": "1"}, {"rack": "2,3"}):
            self._aggregate("+".join(metadata), [host for host in hosts if dice.random() < 0.4], metadata)
        apart: tuple[tuple[dict[str, str], float], ...] = (
            ({"filter_tenant_id": self.project}, 0.25),
            ({"filter_tenant_id-2": uuid.UUID(int=0).hex}, 0.4),
            ({f"trait:{FAST}": "required"}, 0.4),
        )
        for metadata, chance in apart:
            if dice.random() < chance:
                # one of the project's own that is empty would end everything
                self._aggregate("apart", [host for host in hosts if dice.random() < 0.5] or hosts[:1], metadata)

    def _aggregate(self, name: str, hosts: list[str], metadata: dict[str, str]) -> None:
        body = {"aggregate": {"name": f"explain-{name}-{len(self.aggregates)}"}}
        if "availability_zone" in metadata:
            body["aggregate"]["availability_zone"] = metadata["availability_zone"]
        made = self.compute.post("/os-aggregates", json=body).json()["aggregate"]["id"]
        self.aggregates.append((made, hosts))
        rest = {key: value for key, value in metadata.items() if key != "availability_zone"}
        if rest:
            self.compute.post(f"/os-aggregates/{made}/action", json={"set_metadata": {"metadata": rest}})
        for host in hosts:
            self.compute.add_host_to_aggregate(made, host)
        self.told.append(f"aggregate {metadata} has {', '.join(hosts) or 'no host'}")


@pytest.fixture(scope="module")
def offers(lab: Lab) -> Iterator[None]:
    """The flavors and images of this test."""
    with lab.cloud() as cloud:
        cloud.placement.put(f"/traits/{FAST}", microversion="1.36")
        cloud.placement.put("/traits/CUSTOM_EXPLAIN_NOBODY", microversion="1.36")
        cloud.placement.put(f"/resource_classes/{GOLD}", microversion="1.36")
        flavors = []
        for name, (vcpus, ram, disk, specs) in FLAVORS.items():
            flavor = cloud.compute.create_flavor(name=f"explain-{name}", vcpus=vcpus, ram=ram, disk=disk)
            if specs:
                cloud.compute.create_flavor_extra_specs(flavor, specs)
            flavors.append(flavor)
        images = [
            cloud.image.create_image(
                name=f"explain-{name}", disk_format="raw", container_format="bare", data=bytes(1024), **properties
            )
            for name, properties in IMAGES.items()
        ]
        try:
            yield
        finally:
            for flavor in flavors:
                cloud.compute.delete_flavor(flavor)
            for image in images:
                cloud.image.delete_image(image)


@pytest.fixture(scope="module")
def isolating(lab: Lab, offers: None) -> Iterator[None]:
    """nova-scheduler also keeps projects, images and traits apart, each by an aggregate or a list of its own."""
    changes, path = Changes(lab, "explain-isolating"), "/etc/nova/nova.conf"
    image = lab.cloud().image.find_image("explain-isolated").id
    told = {**ISOLATING["filter_scheduler"], "isolated_images": image}
    changes.edit("labctl", path, "[scheduler]\n", "[scheduler]\n" + _lines(ISOLATING["scheduler"]))
    filters = "[filter_scheduler]\nenabled_filters = "
    more = "AggregateMultiTenancyIsolation,IsolatedHostsFilter,"
    changes.edit("labctl", path, filters, f"[filter_scheduler]\n{_lines(told)}enabled_filters = {more}")
    try:
        _restart_scheduler(lab)
        yield
    finally:
        changes.undo()
        _restart_scheduler(lab)


def _lines(options: dict[str, str]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in options.items())


def _restart_scheduler(lab: Lab) -> None:
    lab.stop_part("nova-scheduler")
    lab.start_part("nova-scheduler")


@pytest.fixture(scope="module")
def schedulers(lab: Lab, isolating: None) -> dict[str, Any]:
    """How the lab's nova-scheduler is set up, as its host tells."""
    options = {"service_python": str(lab.layout.venv / "bin/python"), "config_files": {}, "releases": {}}
    return {"labctl": host_reader(Tree(str(lab.host_root("labctl"))), options)("scheduler")}


def _explain_it(lab: Lab, schedulers: dict[str, Any], case: dict[str, str], cloud: Any = None) -> dict[str, Any]:
    cloud = cloud or _session.connect("stackmend-lab", str(lab.clouds_file))
    answer = _explain.explain(cloud, schedulers=schedulers, **case)
    stackmend.report.explanation.jsonschema.validate(answer, explanation.schema())
    return answer


def _disagreements(answer: dict[str, Any], seen: dict[str, Any]) -> list[str]:
    """In what an answer is not what nova did and logged."""
    found = []
    verdict = answer["verdict"]
    if (seen["outcome"] == "refused") != bool(answer["refused"]):
        found.append(f"nova's API: {seen['fault'] or 'takes it'}; said: {answer['refused'] or 'takes it'}")
    if seen["outcome"] == "refused" or answer["refused"]:
        return found
    if verdict == "fits" and (seen["outcome"] != "active" or seen["host"] not in answer["fits"]):
        found.append(f"said to fit on {answer['fits']}, and is {seen['outcome']} on {seen['host']!r}: {seen['fault']}")
    if verdict == "none" and seen["outcome"] == "active":
        found.append(f"said to fit nowhere, and is on {seen['host']}")
    if bool(answer["scheduler"]["candidates"]) != seen["candidates"]:
        found.append(
            f"candidates of placement: {answer['scheduler']['candidates']}; nova had some: {seen['candidates']}"
        )
    told = [(entry["name"], entry["start"], entry["end"]) for entry in answer["scheduler"]["filters"]]
    known = all(end is not None for _name, _start, end in told)
    if known and seen["filters"] is not None and told != seen["filters"]:
        found.append(f"filters said: {told}; nova: {seen['filters']}")
    if known and seen["filters"] is None and told and told[-1][2] == 0:
        found.append(f"filters said to leave nothing: {told}; nova's leave some")
    if seen["outcome"] == "error" and seen["candidates"] and seen["filters"] is None:
        # Past every filter: only a host that is mapped to no cell fails then.
        traps = [
            host["host"] for host in answer["hosts"] if host["refusals"] and host["refusals"][0]["kind"] == "unmapped"
        ]
        if not any(f"'{host}'" in seen["fault"] for host in traps):
            found.append(f"failed past the filters: {seen['fault']}; unmapped were said to be {traps}")
    return found


@pytest.fixture
def world(lab: Lab) -> Iterator[World]:
    found = World(lab)
    try:
        yield found
    finally:
        found.undo()


def test_explain_says_what_the_scheduler_does(lab: Lab, offers: None, schedulers: dict[str, Any], world: World) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}, {CASES} cases")
    nova = Nova(lab)
    cloud = _session.connect("stackmend-lab", str(lab.clouds_file))
    counted: Counter[str] = Counter()
    wrong = []
    for number in range(CASES):
        if number % CASES_A_CLOUD == 0:
            world.undo()
            world.make(dice)
        case = {
            "flavor": "explain-" + dice.choice([*FLAVORS, *["small"] * 4, *["half"] * 4, "whole"]),
            "image": "explain-" + dice.choice([*IMAGES, *["isolated"] * 2, *["plain"] * 12]),
            "zone": dice.choice([*[""] * 6, "az1", "az2", "nova"]),
            "host": dice.choice([*[""] * 8, *world.services]),
        }
        problems: list[str] = []
        for _attempt in range(3):
            try:
                answer = _explain_it(lab, schedulers, case, cloud)
            except UnknownName as error:
                # A zone that no host is in; nova's words for that are another 400.
                counted["no such name"] += 1
                seen = nova.ask(case)
                problems = [] if seen["outcome"] == "refused" else [f"{error}, and nova: {seen}"]
                break
            seen = nova.ask(case)
            problems = _disagreements(answer, seen)
            if not problems:
                counted[f"{answer['verdict']}, {seen['outcome']}"] += 1
                first = [host["refusals"][0] for host in answer["hosts"] if host["refusals"]]
                reasons = [one["by"] if one["kind"] == "filter" else one["kind"] for one in first]
                counted.update(f"reason: {reason}" for reason in reasons if reason != "not_asked_for")
                break
            # nova-compute reports its inventory every minute: was the cloud another by then?
            again = _explain_it(lab, schedulers, case, cloud)
            if again["hosts"] == answer["hosts"]:
                break
            counted["asked again"] += 1
        if problems:
            wrong.append({"case": number, **case, "cloud": world.told, "problems": problems, "hosts": answer["hosts"]})
    print(json.dumps(dict(sorted(counted.items())), indent=1))
    assert wrong == [], f"seed {SEED}: {len(wrong)} of {CASES} differ:\n{json.dumps(wrong, indent=1)}"


@pytest.fixture
def full(lab: Lab) -> Iterator[list[str]]:
    """A cloud whose memory is allocated to nobody, and one host of it disabled; the consumers."""
    compute = lab.cloud().compute
    consumers = []
    for host in lab.layout.computes[:2]:
        uuid_ = _placement.provider(lab, host)
        inventory = lab.cloud().placement.get(f"/resource_providers/{uuid_}/inventories/MEMORY_MB").json()
        amount = int((inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"]) - 600
        consumers.append(str(uuid.uuid4()))
        _placement.allocate(lab, consumers[-1], {uuid_: {"MEMORY_MB": amount}})
    service = next(compute.services(host=lab.layout.computes[2], binary="nova-compute"))
    compute.disable_service(service, service.host, "nova-compute", "maintenance")
    try:
        yield consumers
    finally:
        for consumer in consumers:
            lab.cloud().placement.delete(f"/allocations/{consumer}")
        compute.enable_service(service, service.host, "nova-compute")


def test_what_would_help_helps(lab: Lab, full: list[str], schedulers: dict[str, Any]) -> None:
    case = {"flavor": "m1.big", "image": "cirros", "zone": "", "host": ""}
    first, second, disabled = lab.layout.computes
    nova = Nova(lab)
    answer = _explain_it(lab, schedulers, case)
    assert answer["verdict"] == "none"
    assert answer["summary"].endswith("MEMORY_MB on 2 of 3, disabled on 1 of 3")
    assert nova.ask(case)["outcome"] == "error"
    what_if = answer["what_if"]
    assert what_if["enabled"]["hosts"] == [disabled]
    assert what_if["without_orphans"]["hosts"] == [first, second]
    assert what_if["without_orphans"]["orphans"] == sorted(full)
    assert what_if["flavors"][0]["hosts"] == 2
    assert nova.ask({**case, "flavor": what_if["flavors"][0]["name"]})["host"] in (first, second)
    service = next(lab.cloud().compute.services(host=disabled, binary="nova-compute"))
    lab.cloud().compute.enable_service(service, disabled, "nova-compute")
    assert nova.ask(case)["host"] == disabled
    lab.cloud().compute.disable_service(service, disabled, "nova-compute", "maintenance")
    for consumer in full:
        lab.cloud().placement.delete(f"/allocations/{consumer}")
    assert nova.ask(case)["host"] in (first, second)
    assert _explain_it(lab, schedulers, case)["fits"] == [first, second]


def test_an_explanation_only_reads_and_asks_by_page_and_provider(lab: Lab, schedulers: dict[str, Any]) -> None:
    cloud = _session.connect("stackmend-lab", str(lab.clouds_file))
    answer = _explain.explain(cloud, flavor="m1.tiny", image="cirros", schedulers=schedulers)
    assert answer["verdict"] == "fits"
    assert set(cloud.requests) == {"GET", "TOKEN"}
    assert cloud.requests["GET"] <= 25 + 2 * len(lab.layout.computes)


@pytest.fixture
def in_lab(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(lab.clouds_file))


def test_the_command_answers_in_each_format(lab: Lab, in_lab: None, full: list[str]) -> None:
    question = ["explain", "--flavor", "m1.big", "--image", "cirros", "--cloud", "stackmend-lab"]
    inventory = ["-i", str(lab.inventory)]
    table = CliRunner().invoke(cli.cli, [*question, *inventory], standalone_mode=False)
    assert table.return_value == 2, table.output
    assert max(len(line) for line in table.output.splitlines()) <= 100
    assert "4096 MEMORY_MB wanted, 600 free" in table.output
    assert "its compute service is disabled (maintenance)" in table.output
    assert "is set up as" not in table.output  # it was read
    document = CliRunner().invoke(cli.cli, [*question, "--format", "json"], standalone_mode=False)
    answer = json.loads(document.output)
    assert answer["scheduler"]["source"] == "assumed"
    assert "nova-scheduler is set up as nova 34 is by default: no inventory was given" in answer["assumptions"]
    page = CliRunner().invoke(cli.cli, [*question, "--format", "html"], standalone_mode=False)
    assert page.output.startswith("<!doctype html>")
    assert "4096 MEMORY_MB wanted, 600 free" in page.output


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--flavor", "m1.tinny", "--image", "cirros"], "there is no flavor 'm1.tinny'; did you mean m1.tiny?"),
        (
            ["--flavor", "m1.tiny", "--image", "cirros", "--host", "host-34"],
            "there is no compute service on a host 'host-34'; did you mean HOST-34?",
        ),
    ],
)
def test_a_name_that_the_cloud_does_not_have_gets_a_sentence(
    lab: Lab, in_lab: None, wrong: list[str], sentence: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(stackmend.RunFailed, match=re.escape(sentence)):
        CliRunner().invoke(
            cli.cli, ["explain", *wrong, "--cloud", "stackmend-lab"], standalone_mode=False, catch_exceptions=False
        )
    assert time.monotonic() - begun < 60
