# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the input, or cannot be seen, is said in one sentence and with the right exit status."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from stackmend_lab import Lab
from stackmend_lab.lab import LabError

import stackmend

CLOUD_FAULTS = ("image_guest_agent_missing", "image_ide_bus")


@pytest.fixture
def clouds(lab: Lab, tmp_path: Path) -> Any:
    """Writes a clouds.yaml like the lab's with something different about it."""

    def write(**changes: Any) -> dict[str, Any]:
        entry = yaml.safe_load(lab.clouds_file.read_text(encoding="utf-8"))["clouds"]["stackmend-lab"]
        entry["auth"].update(changes.pop("auth", {}))
        path = tmp_path / "clouds.yaml"
        path.write_text(yaml.safe_dump({"clouds": {"stackmend-lab": {**entry, **changes}}}), encoding="utf-8")
        return {"stackmend_clouds_file": str(path)}

    return write


def _reasons(report: stackmend.Report) -> set[str]:
    return {entry.reason for entry in report.unknown}


def _command(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).parent / "stackmend"
    return subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=300, check=False)


def _one_sentence(run: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in run.stdout + run.stderr
    assert run.stdout == ""
    lines = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, run.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("diagnose", "-i", "no-such-file"), 1, "there is no inventory no-such-file"),
        (("diagnose", "-i", "{inventory}", "--fault", "image_ide_buss"), 64, "did you mean image_ide_bus?"),
        (("diagnose", "-i", "{inventory}", "--min-certainty", "sure"), 64, "'sure' is not one of"),
        (("diagnose", "-i", "{inventory}", "--cloud", "nowhere"), 1, "there is no cloud 'nowhere' in"),
        (("diagnose", "-i", "{inventory}", "--limit", "no_such_group"), 1, "no hosts to target"),
        (("diagnose",), 64, "Missing option '-i'"),
        (("remediate", "-i", "{inventory}", "--approve", "reckless"), 64, "'reckless' is not one of"),
        (("remediate", "-i", "{inventory}", "--approve-target", "x"), 64, "write it as FAULT=ID"),
        (("remediate", "-i", "{inventory}", "--max-changes", "lots"), 1, "stackmend_max_changes is 'lots'"),
        (("rollback", "20200101T000000Z-000000", "-i", "{inventory}"), 1, "There is no journal of run"),
        (("rollback", "../../etc", "-i", "{inventory}"), 1, "cannot be a run id"),
        (("lab", "break", "image_ide_buss"), 64, "did you mean image_ide_bus?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_input_gets_a_sentence(lab: Lab, arguments: tuple[str, ...], status: int, sentence: str) -> None:
    run = _command(lab, *(argument.format(inventory=lab.inventory) for argument in arguments))
    assert sentence in _one_sentence(run)
    assert run.returncode == status


def test_no_clouds_yaml_at_all(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(stackmend.RunFailed, match=r"there is no clouds\.yaml with a cloud 'stackmend-lab'"):
        stackmend.diagnose(
            lab.inventory, faults=CLOUD_FAULTS, variables={"stackmend_clouds_file": str(tmp_path / "nothing.yaml")}
        )


def test_a_clouds_yaml_that_is_no_yaml(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: [unclosed\n", encoding="utf-8")
    with pytest.raises(stackmend.RunFailed, match=r"clouds\.yaml is not valid YAML .line 2"):
        stackmend.diagnose(
            lab.inventory, faults=CLOUD_FAULTS, variables={"stackmend_clouds_file": str(tmp_path / "clouds.yaml")}
        )


def test_a_wrong_password_is_unknown_and_is_not_told(lab: Lab, clouds: Any) -> None:
    report = stackmend.diagnose(
        lab.inventory, faults=CLOUD_FAULTS, variables=clouds(auth={"password": "not-the-password"})
    )
    assert len(_reasons(report)) == 1
    assert "refused the credentials of clouds.yaml (401)" in _reasons(report).pop()
    assert "not-the-password" not in json.dumps(report.document)
    assert report.exit_status == 3


def test_an_endpoint_that_refuses_is_unknown(lab: Lab, clouds: Any) -> None:
    report = stackmend.diagnose(
        lab.inventory, faults=CLOUD_FAULTS, variables=clouds(image_endpoint_override="http://127.0.0.1:1")
    )
    assert _reasons(report) == {"the image service of cloud stackmend-lab refused the connection or was cut off"}
    assert report.exit_status == 3


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_endpoint_that_hangs_is_unknown(lab: Lab, clouds: Any, silent_port: int) -> None:
    variables = clouds(image_endpoint_override=f"http://127.0.0.1:{silent_port}")
    report = stackmend.diagnose(lab.inventory, faults=CLOUD_FAULTS, variables={**variables, "stackmend_api_timeout": 2})
    assert _reasons(report) == {"the image service of cloud stackmend-lab did not answer in time"}
    assert report.exit_status == 3


@pytest.fixture
def nova_conf(lab: Lab) -> Iterator[Path]:
    """HOST-34's nova.conf, put back afterwards."""
    path = lab.host_root("HOST-34") / "etc/nova/nova.conf"
    kept = path.with_name("kept")
    shutil.copy2(path, kept)
    yield path
    if path.is_dir():
        path.rmdir()
    kept.replace(path)


CONFIG_FAULTS = ("auth_strategy_invalid", "config_option_unknown", "config_value_invalid")


def _look_at_configuration(lab: Lab) -> stackmend.Report:
    return stackmend.diagnose(lab.inventory, faults=CONFIG_FAULTS, limit="HOST-34")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[DEFAULT]\nhost = \x00\x01\x02\n", "is not a text file"),
        (b"[DEFAULT]\n" + b"# " + b"x" * (50 << 20), "is larger than 8 MiB"),
        (b"[DEFAULT\nhost = x\n", "cannot be parsed (line 1"),
        (b"host = x\n", "cannot be parsed (line 1"),
        (b"[DEFAULT]\nhost = \xff\xfe\n", "is not UTF-8"),
    ],
    ids=["binary", "50 MB", "half a section", "no section", "not UTF-8"],
)
def test_a_configuration_that_cannot_be_read_is_unknown(lab: Lab, nova_conf: Path, content: bytes, reason: str) -> None:
    nova_conf.write_bytes(content)
    report = _look_at_configuration(lab)
    assert report.findings == ()
    assert {entry.fault for entry in report.unknown} == set(CONFIG_FAULTS)
    assert all("/etc/nova/nova.conf" in why and reason in why for why in _reasons(report))
    assert report.exit_status == 3


def test_a_configuration_that_is_not_readable_is_unknown(lab: Lab, nova_conf: Path) -> None:
    nova_conf.unlink()
    if os.geteuid() == 0:  # root reads any file; a directory it cannot read either
        nova_conf.mkdir()
    else:
        nova_conf.touch(mode=0)
    report = _look_at_configuration(lab)
    assert report.findings == ()
    assert len(_reasons(report)) == 1
    assert report.exit_status == 3


def test_an_empty_configuration_is_no_fault(lab: Lab, nova_conf: Path) -> None:
    nova_conf.write_bytes(b"")
    report = _look_at_configuration(lab)
    assert (report.findings, report.exit_status) == ((), 0)


def test_a_host_that_does_not_answer_is_unknown_and_the_others_are_looked_at(lab: Lab, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    shutil.copy(lab.inventory, inventory)
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "stackmend_root": "/"}
    (tmp_path / "more.yml").write_text(yaml.safe_dump({"all": {"hosts": {"away": away}}}), encoding="utf-8")
    report = stackmend.diagnose(tmp_path, faults=["evacuation_not_strict"])
    assert [(entry.fault, entry.target.name) for entry in report.unknown] == [("evacuation_not_strict", "away")]
    assert "could not be reached" in report.unknown[0].reason
    assert report.document["checked"]["hosts"] == 4
    assert report.exit_status == 3


@pytest.fixture
def cell_down(lab: Lab) -> Iterator[None]:
    """The database of cell1 does not answer nova-api."""
    database = sqlite3.connect(next(lab.layout.state.rglob("nova_api.sqlite")), timeout=60)
    was = database.execute("select database_connection from cell_mappings where name='cell1'").fetchone()[0]

    def point_at(url: str) -> None:
        with database:
            database.execute("update cell_mappings set database_connection=? where name='cell1'", (url,))
        try:
            lab.restart("nova")
        except LabError:
            if url == was:
                raise

    point_at("sqlite:////nowhere/at/all.sqlite")
    yield
    point_at(was)
    database.close()


@pytest.mark.usefixtures("cell_down")
def test_a_cell_that_is_down_is_unknown_and_nothing_rests_on_it(lab: Lab) -> None:
    report = stackmend.remediate(lab.inventory, faults=["evacuation_not_strict"], approve="destructive")
    assert report.changed == 0
    assert report.unknown
    assert report.exit_status == 3
