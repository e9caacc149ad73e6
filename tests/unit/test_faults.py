# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault judges its fixtures: what is wrong is found, on the right target, and what only looks alike is not.

A fixture is {evidence: what detect receives, expect: [{target, certainty, subject (optional)} or {unknown: target id}]}, or, for
faults that read
configuration files, {files: ..., expect: ...}, from which config_fixtures builds the evidence.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible_collections.stackmend.openstack.plugins.module_utils import _catalogue, _cloud_readers, _host_readers
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unknown

HERE = Path(__file__).parent / "faults"
FIXTURES = sorted(HERE.glob("*/*.yml"))


def _evidence(fixture: dict[str, Any]) -> dict[str, Any]:
    if "files" in fixture:
        from tests.unit.faults.config_fixtures import build_evidence

        return build_evidence(fixture)
    evidence: dict[str, Any] = fixture["evidence"]
    return evidence


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_fault_finds_what_its_fixture_says_and_nothing_else(path: Path) -> None:
    fixture = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = list(FAULTS[path.parent.name].detect(_evidence(fixture)))
    expected = fixture["expect"]
    shown = [
        {key: value for key, value in _shown(finding).items() if key in want}
        for finding, want in zip(found, expected, strict=False)
    ]
    assert [*shown, *map(_shown, found[len(expected) :])] == expected


def _shown(finding: Any) -> dict[str, Any]:
    if isinstance(finding, Unknown):
        return {"unknown": finding.target.id}
    return {
        "target": finding.target.id,
        "certainty": finding.certainty,
        "subject": finding.subject,
        "risk": finding.remedy.risk if finding.remedy else None,
    }


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_has_fixtures_of_itself_and_of_two_near_misses(fault: str) -> None:
    names = [path.stem for path in FIXTURES if path.parent.name == fault]
    assert [name for name in names if name.startswith("fault")], "a fixture fault*.yml is missing"
    assert len([name for name in names if name.startswith("near_miss")]) >= 2, "two fixtures near_miss*.yml are missing"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.id)
def test_a_finding_can_be_reported_as_json_and_names_what_to_do(fault: Any) -> None:
    import json

    for path in FIXTURES:
        if path.parent.name == fault.id:
            fixture = yaml.safe_load(path.read_text(encoding="utf-8"))
            for finding in fault.detect(_evidence(fixture)):
                if isinstance(finding, Unknown):
                    assert finding.reason
                    continue
                document = json.loads(json.dumps(fault.report(finding)))
                assert document["summary"]
                assert document["expected"]
                assert document["remedy"] or document["reason"], "a finding without a remedy says why"


def _seen_imported(module: ModuleType) -> set[str]:
    """What is imported anywhere in a module from a package beside it, as Ansible sees it when it packs a module."""
    tree = ast.parse(inspect.getsource(module))
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module in ("_faults", "_evidence")
    ]
    return {alias.name for node in imports for alias in node.names}


def test_every_fault_is_in_the_catalogue_and_travels_with_it() -> None:
    files = {path.stem for path in Path(_catalogue.__file__).parent.glob("_faults/[a-z]*.py")}
    assert set(_catalogue.NAMES) == _seen_imported(_catalogue) == files
    assert list(_catalogue.NAMES) == sorted(_catalogue.NAMES)
    assert [fault.id for fault in FAULTS.values()] == list(_catalogue.NAMES)


@pytest.mark.parametrize(("side", "readers"), [("host", _host_readers), ("cloud", _cloud_readers)])
def test_every_reader_that_a_fault_asks_for_travels_with_the_module(side: str, readers: ModuleType) -> None:
    asked = {
        name
        for fault in FAULTS.values()
        for name in (fault.host_evidence if side == "host" else (*fault.cloud_evidence, *fault.cloud_hints))
    }
    assert asked - {"config_files"} <= _seen_imported(readers)
