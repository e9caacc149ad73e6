# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a nova-scheduler is set up is read as it reads its files itself, whatever its release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import scheduler
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree

DATABASE = "[api_database]\nconnection = sqlite://\n"


def _read(root: Path, text: str, release: str = "34.0.0") -> Any:
    file = root / "etc/nova/nova.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return scheduler.read(Tree(str(root)), {"releases": {"nova": release}})


def test_a_compute_is_no_scheduler(tmp_path: Path) -> None:
    assert _read(tmp_path, "[DEFAULT]\nhost = compute1\n") is None


@pytest.mark.parametrize(
    ("release", "first"),
    [
        ("15.0.0", "RetryFilter"),
        ("20.0.0", "AvailabilityZoneFilter"),
        ("24.0.0", "ComputeFilter"),
        ("34.0.0", "ComputeFilter"),
    ],
)
def test_filters_that_are_not_set_are_those_of_the_release(tmp_path: Path, release: str, first: str) -> None:
    seen = _read(tmp_path, DATABASE, release)
    assert seen["enabled_filters"][0] == first
    assert "ComputeCapabilitiesFilter" in seen["enabled_filters"]
    assert ("RamFilter" in seen["enabled_filters"]) is (release == "15.0.0")
    assert seen["options"] == {}


def test_the_last_line_wins_and_a_list_may_go_on_in_the_next_line(tmp_path: Path) -> None:
    seen = _read(
        tmp_path,
        f"{DATABASE}[filter_scheduler]\nenabled_filters = OneFilter\nenabled_filters = ComputeFilter,\n  NUMATopologyFilter\n",
    )
    assert seen["enabled_filters"] == ["ComputeFilter", "NUMATopologyFilter"]


def test_every_line_of_the_available_filters_counts(tmp_path: Path) -> None:
    lines = "[filter_scheduler]\navailable_filters = nova.scheduler.filters.all_filters\navailable_filters = site.RackFilter\n"
    assert _read(tmp_path, DATABASE + lines)["available_filters"] == [
        "nova.scheduler.filters.all_filters",
        "site.RackFilter",
    ]


def test_the_names_of_ocata_count_for_its_releases_only(tmp_path: Path) -> None:
    text = f"[DEFAULT]\nscheduler_default_filters = ComputeFilter\nram_weight_multiplier = -1.0\n{DATABASE}"
    old = _read(tmp_path, text, "15.0.0")
    assert old["enabled_filters"] == ["ComputeFilter"]
    assert old["options"]["filter_scheduler.ram_weight_multiplier"] == "-1.0"
    assert "filter_scheduler.ram_weight_multiplier" not in _read(tmp_path, text)["options"]


def test_the_options_that_are_set_are_told_and_nothing_else_of_the_file(tmp_path: Path) -> None:
    text = (
        f"{DATABASE}[filter_scheduler]\nhost_subset_size = 3\n[scheduler]\nworkers = 2\n[neutron]\npassword = hidden\n"
    )
    assert _read(tmp_path, text)["options"] == {"filter_scheduler.host_subset_size": "3", "scheduler.workers": "2"}
