# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same playbooks run from a checkout, from the wheel, and from the collection's artefact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
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
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with everything that Stackmend depends on, and without Stackmend."""
    directory = tmp_path_factory.mktemp("bare")
    venv.create(directory, with_pip=False)
    # A .pth file that is reached through another one is not followed, so the editable install stays behind.
    site = next(directory.glob("lib/python3*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = directory / "bin/python"
    imported = subprocess.run(
        [python, "-c", "import ansible; import stackmend"], capture_output=True, text=True, check=False
    )
    assert "No module named 'stackmend'" in imported.stderr
    return python


@pytest.fixture(scope="module")
def wheel_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python into which the wheel is installed."""
    directory = tmp_path_factory.mktemp("wheel")
    venv.create(directory, with_pip=False)
    site = next(directory.glob("lib/python3*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, ROOT], directory)
    return directory / "bin/python"


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as `ansible-galaxy collection build` makes it."""
    target = tmp_path_factory.mktemp("artefact")
    _run([TOOLS / "ansible-galaxy", "collection", "build", ROOT, "--output-path", target], target)
    return next(target.glob("*.tar.gz"))


def _diagnose(lab: Lab, directory: Path, python: Path, expected: Path, **environment: str) -> None:
    """Run the playbook from an unrelated directory, and see that the collection that was meant is the one that ran."""
    ansible = [python, "-m", "ansible"]
    files = _run([*ansible, "doc", "-F", "-t", "module", "stackmend.openstack"], directory, **environment)
    assert all(str(expected) in line for line in files.stdout.splitlines() if line.strip()), files.stdout
    report = directory / "report"
    variables = ["-e", "stackmend_faults=evacuation_not_strict", "-e", f"stackmend_report_dir={report}"]
    playbook = "stackmend.openstack.diagnose"
    _run([*ansible, "playbook", "-i", lab.inventory, *variables, playbook], directory, **environment)
    document = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert (document["findings"], document["unknown"], document["checked"]["hosts"]) == ([], [], 4)


def test_from_a_checkout_in_any_directory(lab: Lab, tmp_path: Path) -> None:
    report = tmp_path / "report"
    variables = ["-e", "stackmend_faults=evacuation_not_strict", "-e", f"stackmend_report_dir={report}"]
    command = [TOOLS / "ansible-playbook", "-i", lab.inventory, *variables, ROOT / "remediate.yml", "--check"]
    _run(command, tmp_path)
    assert json.loads((report / "report.json").read_text(encoding="utf-8"))["mode"] == "check"


def test_from_the_wheel(lab: Lab, wheel_python: Path, tmp_path: Path) -> None:
    site = next(wheel_python.parents[1].glob("lib/python3*/site-packages"))
    _diagnose(lab, tmp_path, wheel_python, site)
    faults = _run([wheel_python, "-m", "stackmend.cli", "faults", "--format", "json"], tmp_path)
    assert json.loads(faults.stdout)
    assert (site / "stackmend_lab/inventory/hosts.yml").exists()


def test_from_the_artefact(lab: Lab, artefact: Path, bare_python: Path, tmp_path: Path) -> None:
    collections = tmp_path / "collections"
    install = [
        bare_python,
        "-m",
        "ansible",
        "galaxy",
        "collection",
        "install",
        artefact,
        "-p",
        collections,
        "--offline",
    ]
    _run(install, tmp_path)
    _diagnose(lab, tmp_path, bare_python, collections, ANSIBLE_COLLECTIONS_PATH=str(collections))


def test_the_artefact_holds_the_collection_and_nothing_else(artefact: Path) -> None:
    with tarfile.open(artefact) as archive:
        parts = {name.split("/")[0] for name in archive.getnames()}
    assert parts == {
        "CHANGELOG.rst", "COPYING", "FILES.json", "MANIFEST.json", "README.md", "changelogs", "docs", "inventories", "meta",
        "playbooks", "plugins", "roles",
    }  # fmt: skip
