# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a server would go, and why not elsewhere, judged from what a cloud's APIs say."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import (
    _allocations,
    _scheduling,
    _scheduling_table,
    _scheduling_wish,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Certainty

import stackmend
from stackmend.report import explanation

FILTERS = ("ComputeFilter", "ComputeCapabilitiesFilter", "ImagePropertiesFilter")
SETUP = _scheduling_wish.Setup(FILTERS, {}, 34, ("controller",))
HOSTS = ("c1", "c2", "c3")


def _cloud() -> dict[str, Any]:
    """Three computes with 8 CPUs (ratio 2), 16 GiB and 100 GiB, which have room for everything."""
    inventory = {"min_unit": 1, "step_size": 1, "reserved": 0, "allocation_ratio": 1.0}
    amounts = {"VCPU": (8, 2.0), "MEMORY_MB": (16384, 1.0), "DISK_GB": (100, 1.0)}
    providers = {f"p-{host}": {"name": host, "root": f"p-{host}", "parent": None} for host in HOSTS}
    return {
        "flavors": {
            "flavors": [_flavor("m1", 2, 4096, 10), _flavor("m2", 4, 8192, 20), _flavor("huge", 4, 20000, 10)],
            "gaps": [],
        },
        "images": {
            "images": [
                {
                    "id": "i-linux",
                    "name": "linux",
                    "status": "active",
                    "disk_format": "qcow2",
                    "size": 1,
                    "virtual_size": 1 << 30,
                    "min_disk": 0,
                    "min_ram": 0,
                    "properties": {},
                }
            ]
        },
        "hypervisors": {
            "hypervisors": [
                {
                    "id": f"p-{host}",
                    "name": host,
                    "host": host,
                    "address": "192.0.2.1",
                    "type": "QEMU",
                    "architecture": "x86_64",
                    "version": 8002000,
                    "memory_mb": 16384,
                }
                for host in HOSTS
            ],
            "gaps": [],
        },
        "compute_services": {
            "services": [
                {
                    "binary": "nova-compute",
                    "host": host,
                    "zone": "nova",
                    "state": "up",
                    "status": "enabled",
                    "reason": "",
                    "forced_down": False,
                }
                for host in HOSTS
            ],
            "gaps": [],
        },
        "aggregates": {"aggregates": []},
        "placement": {"providers": providers, "sharing": [], "consumers": {}, "gaps": []},
        "inventories": {
            "inventories": {
                provider: {
                    name: {**inventory, "total": total, "max_unit": total, "allocation_ratio": ratio}
                    for name, (total, ratio) in amounts.items()
                }
                for provider in providers
            },
            "gaps": [],
        },
        "scheduling": {
            "candidates": {"providers": list(providers), "refused": "", "cut": False},
            "with_trait": {"COMPUTE_STATUS_DISABLED": [], "OWNER_NOVA": list(providers)},
            "members": {},
            "shared": {},
            "known_traits": None,
        },
        "leaks": [],
        "leaks_reason": "",
    }


def _flavor(name: str, vcpus: int, ram: int, disk: int, **specs: str) -> dict[str, Any]:
    sizes = {"vcpus": vcpus, "ram": ram, "disk": disk, "ephemeral": 0, "swap": 0}
    return {"id": f"f-{name}", "name": name, **sizes, "public": True, "extra_specs": specs}


def _service(cloud: dict[str, Any], host: str) -> dict[str, Any]:
    return next(row for row in cloud["compute_services"]["services"] if row["host"] == host)


def _ask(cloud: dict[str, Any], flavor: str = "m1", setup: _scheduling.Setup = SETUP, **asked: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"zone": "", "host": "", "volume_backed": False, "project": "p", **asked}
    wish = _scheduling_wish.resolve(cloud, flavor, "linux", **given)
    answer = _scheduling.explain(wish, setup, cloud)
    question = {
        "flavor": {name: wish.flavor[name] for name in ("id", "name", "vcpus", "ram", "disk")},
        "image": {"id": wish.image["id"], "name": wish.image["name"]},
        "availability_zone": wish.zone,
        "host": wish.host,
        "volume_backed": wish.volume_backed,
        "project": wish.project,
    }
    document = {
        "schema": 1,
        "cloud": "test",
        "question": question,
        "assumptions": ["quotas were not looked at"],
        **answer,
    }
    jsonschema.validate(document, explanation.schema())
    return document


def _first(answer: dict[str, Any], host: str) -> tuple[str, str]:
    row = next(row for row in answer["hosts"] if row["host"] == host)
    return (row["refusals"][0]["kind"], row["refusals"][0]["by"]) if row["refusals"] else ("", "")


def _not_candidates(cloud: dict[str, Any], *hosts: str) -> None:
    left = [provider for provider in cloud["scheduling"]["candidates"]["providers"] if provider[2:] not in hosts]
    cloud["scheduling"]["candidates"]["providers"] = left


def test_a_healthy_cloud_takes_a_server_anywhere() -> None:
    answer = _ask(_cloud())
    assert (answer["verdict"], answer["fits"]) == ("fits", ["c1", "c2", "c3"])
    assert answer["request"]["groups"][""]["resources"] == {"DISK_GB": 10, "MEMORY_MB": 4096, "VCPU": 2}
    assert answer["request"]["root_forbidden"] == ["COMPUTE_STATUS_DISABLED"]
    assert [entry["end"] for entry in answer["scheduler"]["filters"]] == [3, 3, 3]


def test_full_hosts_are_told_with_the_arithmetic_and_what_leaks_would_give_back() -> None:
    cloud = _cloud()
    for host in HOSTS:
        cloud["placement"]["consumers"][f"u-{host}"] = {f"p-{host}": {"MEMORY_MB": 14000}}
    _not_candidates(cloud, *HOSTS)
    cloud["leaks"] = [
        _allocations.Leak("gone", "u-c1", Certainty.CERTAIN, {"p-c1": {"MEMORY_MB": 14000}}),
    ]
    answer = _ask(cloud)
    assert answer["verdict"] == "none"
    assert answer["hosts"][0]["refusals"][0]["reason"] == "4096 MEMORY_MB wanted, 2384 free: 16384, 14000 used"
    assert answer["summary"] == "No host takes flavor m1 with image linux: MEMORY_MB on 3 of 3"
    assert answer["what_if"]["without_orphans"] == {"hosts": ["c1"], "orphans": ["u-c1"], "reason": ""}
    assert answer["scheduler"]["filters"] == []


def test_without_leaks_judged_what_they_hold_is_not_known() -> None:
    cloud = _cloud()
    cloud["leaks"], cloud["leaks_reason"] = None, "a cell did not answer"
    assert _ask(cloud)["what_if"]["without_orphans"] == {
        "hosts": None,
        "orphans": [],
        "reason": "a cell did not answer",
    }


def test_one_server_gets_no_more_than_a_host_has_whatever_its_ratio() -> None:
    cloud = _cloud()
    cloud["flavors"]["flavors"].append(_flavor("wide", 9, 512, 1))
    _not_candidates(cloud, *HOSTS)
    answer = _ask(cloud, "wide")
    assert _first(answer, "c1") == ("max_unit", "placement")
    assert "9 VCPU wanted, one server may have at most 8 (max_unit)" in answer["hosts"][0]["refusals"][0]["reason"]
    assert [flavor["name"] for flavor in answer["what_if"]["flavors"]] == ["m1", "m2"]


def test_a_host_that_is_disabled_is_told_by_whom_it_meets_first() -> None:
    cloud = _cloud()
    _service(cloud, "c1").update(status="disabled", reason="maintenance")
    cloud["scheduling"]["with_trait"]["COMPUTE_STATUS_DISABLED"] = ["p-c1", "p-c3"]
    _not_candidates(cloud, "c1", "c3")
    _service(cloud, "c2").update(status="disabled")  # while it was down, so that placement was never told
    answer = _ask(cloud)
    assert _first(answer, "c1") == ("disabled", "placement")
    assert _first(answer, "c2") == ("disabled", "ComputeFilter")
    assert (
        "restart its nova-compute"
        in next(row for row in answer["hosts"] if row["host"] == "c3")["refusals"][0]["reason"]
    )
    assert answer["what_if"]["enabled"]["hosts"] == ["c1", "c2", "c3"]
    assert answer["scheduler"]["filters"] == [{"name": "ComputeFilter", "start": 1, "end": 0}]


def test_a_host_that_is_disabled_and_down_would_not_take_it_when_enabled() -> None:
    cloud = _cloud()
    for host in HOSTS:
        _service(cloud, host).update(status="disabled", state="down")
    answer = _ask(cloud)
    assert answer["verdict"] == "none"
    assert answer["what_if"]["enabled"]["hosts"] == []


def test_an_unmapped_host_beside_one_that_fits_makes_it_a_matter_of_luck() -> None:
    cloud = _cloud()
    cloud["hypervisors"]["hypervisors"] = [row for row in cloud["hypervisors"]["hypervisors"] if row["host"] != "c2"]
    answer = _ask(cloud)
    assert _first(answer, "c2") == ("unmapped", "nova-conductor")
    assert answer["verdict"] == "unknown"
    assert "nova may choose c2 as well as a host that fits" in answer["unknown"][0]
    assert _ask(cloud, host="c2")["refused"] == ["compute host c2 could not be found: it is mapped to no cell"]
    assert _ask(cloud, host="c1")["fits"] == ["c1"]  # who names the host leaves nothing to luck


def test_what_filters_make_of_an_unmapped_host_is_not_guessed() -> None:
    """nova-scheduler knows of it what no API tells."""
    cloud = _cloud()
    _not_candidates(cloud, "c1", "c3")
    cloud["hypervisors"]["hypervisors"] = [row for row in cloud["hypervisors"]["hypervisors"] if row["host"] != "c2"]
    cloud["images"]["images"][0]["properties"]["img_hv_type"] = "xen"
    answer = _ask(cloud, setup=SETUP._replace(filters=("ImagePropertiesFilter",)))
    assert answer["verdict"] == "none"
    assert answer["scheduler"]["filters"] == [{"name": "ImagePropertiesFilter", "start": 1, "end": None}]


def test_a_cloud_with_a_cell_that_did_not_answer_is_not_said_to_be_full() -> None:
    cloud = _cloud()
    _not_candidates(cloud, *HOSTS)
    cloud["compute_services"]["gaps"] = [{"reason": "the cell of x did not answer"}]
    answer = _ask(cloud)
    assert (answer["verdict"], answer["unknown"]) == ("unknown", ["the cell of x did not answer"])


def test_pinned_cpus_are_asked_for_in_two_ways_and_numa_cells_are_not_guessed() -> None:
    cloud = _cloud()
    cloud["flavors"]["flavors"].append(_flavor("pinned", 2, 512, 1, **{"hw:cpu_policy": "dedicated"}))
    answer = _ask(cloud, "pinned")
    assert answer["request"]["groups"][""]["resources"]["PCPU"] == 2
    assert answer["request"]["or"][0][""]["resources"]["VCPU"] == 2
    assert answer["verdict"] == "unknown"
    assert "NUMA cells" in answer["unknown"][0]


def test_of_more_candidates_than_nova_takes_the_rest_is_a_doubt() -> None:
    cloud = _cloud()
    _not_candidates(cloud, *HOSTS)
    cloud["scheduling"]["candidates"]["cut"] = True
    answer = _ask(cloud)
    assert answer["verdict"] == "unknown"
    assert "a limited number of candidates" in answer["unknown"][0]


def test_a_request_that_placement_does_not_take_finds_no_host_and_says_placement_s_words() -> None:
    cloud = _cloud()
    cloud["scheduling"]["candidates"] = {"providers": [], "refused": "No such trait(s): CUSTOM_X.", "cut": False}
    answer = _ask(cloud)
    assert answer["verdict"] == "none"
    assert (
        answer["hosts"][0]["refusals"][0]["reason"]
        == "placement does not take the request: No such trait(s): CUSTOM_X."
    )


def test_a_filter_that_nobody_knows_leaves_a_doubt_and_the_others_their_say() -> None:
    setup = SETUP._replace(filters=("ComputeFilter", "SiteRackFilter"))
    cloud = _cloud()
    _service(cloud, "c1")["state"] = "down"
    answer = _ask(cloud, setup=setup)
    assert answer["verdict"] == "unknown"
    assert _first(answer, "c1") == ("down", "ComputeFilter")
    assert answer["scheduler"]["filters"][1] == {"name": "SiteRackFilter", "start": 2, "end": None}


def test_a_zone_without_the_host_and_one_that_placement_was_not_told_of() -> None:
    cloud = _cloud()
    cloud["aggregates"]["aggregates"] = [
        {"uuid": "a1", "name": "east", "zone": "east", "hosts": ["c1", "c2"], "metadata": {"availability_zone": "east"}}
    ]
    for host in ("c1", "c2"):
        _service(cloud, host)["zone"] = "east"
    cloud["scheduling"]["members"] = {"availability zone east": ["p-c1"]}
    _not_candidates(cloud, "c2", "c3")
    answer = _ask(cloud, zone="east")
    assert answer["fits"] == ["c1"]
    reasons = {row["host"]: [refusal["reason"] for refusal in row["refusals"]] for row in answer["hosts"]}
    assert reasons["c2"] == [
        "nova has it in aggregate east, and placement has not: nova-manage placement sync_aggregates"
    ]
    assert reasons["c3"] == ["it is in availability zone nova"]


def test_projects_and_isolated_aggregates_count_where_the_scheduler_says_so() -> None:
    options = {
        "scheduler.limit_tenants_to_placement_aggregate": "true",
        "scheduler.enable_isolated_aggregate_filtering": "yes",
    }
    cloud = _cloud()
    cloud["aggregates"]["aggregates"] = [
        {"uuid": "a1", "name": "theirs", "zone": "", "hosts": ["c1"], "metadata": {"filter_tenant_id_1": "p"}},
        {
            "uuid": "a2",
            "name": "licensed",
            "zone": "",
            "hosts": ["c2"],
            "metadata": {"trait:CUSTOM_LICENCE": "required"},
        },
    ]
    wish = _scheduling_wish.resolve(cloud, "m1", "linux", "", "", False, "p")
    setup = SETUP._replace(options=options)
    found = _scheduling_wish.bounds(wish, _scheduling_wish.ask(wish, setup), setup, cloud)
    assert found.within == [("the aggregates of project p", {"a1": "theirs"})]
    assert found.without[1] == {"a2": "licensed"}
    plain = _scheduling_wish.bounds(wish, _scheduling_wish.ask(wish, SETUP), SETUP, cloud)
    assert (plain.within, plain.without[1]) == ([], {})


def test_what_the_api_refuses_is_told_before_any_host() -> None:
    cloud = _cloud()
    cloud["images"]["images"][0].update(min_ram=8000, status="deactivated")
    answer = _ask(cloud)
    assert answer["verdict"] == "none"
    assert answer["refused"][0] == "image linux is deactivated, and must be active"
    assert "the flavor's memory is 4096 MiB, and the image needs 8000" in answer["refused"][1]


def test_a_volume_needs_no_disk_of_the_host() -> None:
    cloud = _cloud()
    cloud["images"]["images"][0]["virtual_size"] = 50 << 30
    assert _ask(cloud)["refused"] != []
    answer = _ask(cloud, volume_backed=True)
    assert answer["verdict"] == "fits"
    assert "DISK_GB" not in answer["request"]["groups"][""]["resources"]


def test_schedulers_that_do_not_agree_give_no_answer() -> None:
    fits, none = {"verdict": "fits", "scheduler": {"hosts": ["a"]}}, {"verdict": "none", "scheduler": {"hosts": ["b"]}}
    both = _scheduling.combine([{**fits, "fits": ["c1"]}, none])
    assert both["verdict"] == "unknown"
    assert "(a: fits; b: none)" in both["unknown"][0]
    assert _scheduling.combine([copy.deepcopy(fits), fits])["verdict"] == "fits"


@pytest.mark.parametrize(
    ("microversion", "release"), [("2.104", 34), ("2.95", 27), ("2.53", 16), ("2.97", None), ("2.9999", None)]
)
def test_the_newest_microversion_tells_the_release(microversion: str, release: int | None) -> None:
    assert _scheduling_wish.release_of(microversion) == release


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"flavor": "M2"}, "there is no flavor 'M2'; did you mean m2?"),
        ({"flavor": "zzz"}, "there is no flavor 'zzz'; there are huge, m1, m2"),
        ({"image": "linus"}, "there is no image 'linus'; did you mean linux?"),
        ({"zone": "novva"}, "there is no availability zone 'novva'; did you mean nova?"),
        ({"host": "c11"}, "there is no compute service on a host 'c11'; did you mean c1?"),
        ({"host": "c1.example.org"}, "c1.example.org is a hypervisor and no compute service's host; did you mean c1?"),
    ],
)
def test_a_wrong_name_gets_the_nearest_right_one(given: dict[str, str], sentence: str) -> None:
    cloud = _cloud()
    cloud["hypervisors"]["hypervisors"][0]["name"] = "c1.example.org"
    asked = {"flavor": "m1", "image": "linux", "zone": "", "host": "", **given}
    with pytest.raises(_scheduling_wish.UnknownName) as error:
        _scheduling_wish.resolve(cloud, volume_backed=False, project="p", **asked)
    assert str(error.value) == sentence


def test_two_images_of_one_name_are_told_apart_by_id() -> None:
    cloud = _cloud()
    cloud["images"]["images"].append({**cloud["images"]["images"][0], "id": "i-2"})
    with pytest.raises(_scheduling_wish.UnknownName, match="2 images are called 'linux': give the id, such as i-linux"):
        _ask(cloud)


# What the APIs of a nova 34 said, its computes partly filled by nobody and one disabled, and what it then did with servers.
RECORDED = json.loads((Path(__file__).parent / "recordings/scheduling.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: str(case["flavor"]))
def test_of_a_recorded_cloud_it_is_said_what_nova_did(case: dict[str, Any]) -> None:
    evidence = {**RECORDED["evidence"], "scheduling": case["scheduling"], "leaks_reason": ""}
    evidence["leaks"] = list(_allocations.leaks(evidence))
    wish = _scheduling_wish.resolve(evidence, case["flavor"], case["image"], case["zone"], case["host"], False, "p")
    setup = _scheduling_wish.setups({"labctl": RECORDED["scheduler"]}, 34, [])[0]
    answer = _scheduling.explain(wish, setup, evidence)
    nova = case["nova"]
    assert (answer["verdict"] == "fits") is (nova["outcome"] == "active")
    assert bool(answer["refused"]) is (nova["outcome"] == "refused")
    if nova["outcome"] == "active":
        assert nova["host"] in answer["fits"]
    if nova["outcome"] == "error":
        assert bool(answer["scheduler"]["candidates"]) is nova["candidates"]
        told = [[entry["name"], entry["start"], entry["end"]] for entry in answer["scheduler"]["filters"]]
        assert told == (nova["filters"] or [])


def _rendered() -> stackmend.Explanation:
    cloud = _cloud()
    _service(cloud, "c1").update(status="disabled", reason="<b>until the\x1b[31m disks are replaced</b> " * 4)
    cloud["scheduling"]["with_trait"]["COMPUTE_STATUS_DISABLED"] = ["p-c1"]
    _not_candidates(cloud, *HOSTS)
    return stackmend.Explanation.of(_ask(cloud, "huge"))


def test_the_table_fits_in_a_hundred_columns_and_has_no_control_characters() -> None:
    lines = _scheduling_table.lines(_rendered().document, 100)
    assert max(len(line) for line in lines) <= 100
    assert all(character.isprintable() for line in lines for character in line)
    assert any(
        line.startswith("c2    no       20000 MEMORY_MB wanted, one server may have at most 16384") for line in lines
    )
    assert (
        "  with another flavor: m1 (2 VCPU, 4096 MiB, 10 GiB) on 2 hosts, m2 (4 VCPU, 8192 MiB, 20 GiB) on 2" in lines
    )


def test_the_page_holds_what_the_table_holds_and_runs_nothing_of_it() -> None:
    page = explanation.as_html(_rendered())
    assert "20000 MEMORY_MB wanted" in page
    assert "&lt;b&gt;until" in page
    assert "<b>" not in page


def test_the_exit_status_says_whether_a_host_fits() -> None:
    found = _rendered()
    assert (found.verdict, found.exit_status) == ("none", 2)
    assert found.hosts[1].reasons[0].startswith("20000 MEMORY_MB wanted")
    assert stackmend.Explanation.of(_ask(_cloud())).exit_status == 0
    assert stackmend.Explanation.of({**_ask(_cloud()), "verdict": "unknown"}).exit_status == 3
