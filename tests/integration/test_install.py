# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same playbooks run from a checkout, from the wheel, and from the collection's artefact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from stackmend_lab import Lab

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


def _run(command: list[str | Path], directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    run = subprocess.run(
        command, cwd=directory, env={**kept, **environment}, capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed, without what it depends on: that is here already."""
    target = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, ROOT], target)
    return target


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as `ansible-galaxy collection build` makes it."""
    target = tmp_path_factory.mktemp("artefact")
    _run([TOOLS / "ansible-galaxy", "collection", "build", ROOT, "--output-path", target], target)
    return next(target.glob("*.tar.gz"))


def _diagnose(lab: Lab, directory: Path, playbook: str, expected: Path, **environment: str) -> None:
    """Run a playbook from an unrelated directory, and see that the collection that was meant is the one that ran."""
    files = _run([TOOLS / "ansible-doc", "-F", "-t", "module", "stackmend.openstack"], directory, **environment)
    assert all(str(expected) in line for line in files.stdout.splitlines() if line.strip()), files.stdout
    report = directory / "report"
    variables = ["-e", "stackmend_faults=evacuation_not_strict", "-e", f"stackmend_report_dir={report}"]
    _run([TOOLS / "ansible-playbook", "-i", lab.inventory, *variables, playbook], directory, **environment)
    document = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert (document["findings"], document["unknown"], document["checked"]["hosts"]) == ([], [], 4)


def test_from_a_checkout_in_any_directory(lab: Lab, tmp_path: Path) -> None:
    report = tmp_path / "report"
    variables = ["-e", "stackmend_faults=evacuation_not_strict", "-e", f"stackmend_report_dir={report}"]
    command = [TOOLS / "ansible-playbook", "-i", lab.inventory, *variables, ROOT / "remediate.yml", "--check"]
    _run(command, tmp_path)
    assert json.loads((report / "report.json").read_text(encoding="utf-8"))["mode"] == "check"


def test_from_the_wheel(lab: Lab, wheel: Path, tmp_path: Path) -> None:
    _diagnose(lab, tmp_path, "stackmend.openstack.diagnose", wheel, PYTHONPATH=str(wheel))
    faults = _run(
        [sys.executable, "-m", "stackmend.cli", "faults", "--format", "json"], tmp_path, PYTHONPATH=str(wheel)
    )
    assert json.loads(faults.stdout)
    assert (wheel / "stackmend_lab/inventory/hosts.yml").exists()


def test_from_the_artefact(lab: Lab, artefact: Path, tmp_path: Path) -> None:
    collections = tmp_path / "collections"
    install = [TOOLS / "ansible-galaxy", "collection", "install", artefact, "-p", collections, "--offline"]
    _run(install, tmp_path)
    _diagnose(lab, tmp_path, "stackmend.openstack.diagnose", collections, ANSIBLE_COLLECTIONS_PATH=str(collections))


def test_the_artefact_holds_the_collection_and_nothing_else(artefact: Path) -> None:
    with tarfile.open(artefact) as archive:
        parts = {name.split("/")[0] for name in archive.getnames()}
    assert parts == {
        "CHANGELOG.rst", "COPYING", "FILES.json", "MANIFEST.json", "README.md", "changelogs", "docs", "inventories", "meta",
        "playbooks", "plugins", "roles",
    }  # fmt: skip
