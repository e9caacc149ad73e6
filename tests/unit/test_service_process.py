# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process is ended only while it is the one that was judged: real processes, which pass for a nova-compute by their name."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _commands, service_processes
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.modules.service_process import apply

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are read from /proc, as Linux has it"
)

STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)\n"
)
MEEK = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    started = []

    def run(text: str) -> subprocess.Popen[bytes]:
        script = tmp_path / "nova-compute"
        script.write_text(text)
        process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def _end(journal: Journal, pid: int, start: int, check_mode: bool = False, grace: int = 5) -> dict[str, Any]:
    wish = {"pid": pid, "start": start, "program": "nova-compute", "grace": grace, "subject": "stray"}
    return apply(journal, {"ends": [wish], "restarts": []}, check_mode)


@pytest.mark.parametrize(("text", "grace"), [(MEEK, 5), (STUBBORN, 1)], ids=["by SIGTERM", "by SIGKILL"])
def test_exactly_that_process_is_ended(start: Any, tmp_path: Path, text: str, grace: int) -> None:
    stray, other = start(text), start(text)
    begun = service_processes.identity(stray.pid)[1]
    journal = Journal(str(tmp_path / "journal"), "one")
    shown = _end(journal, stray.pid, begun, check_mode=True)
    assert (shown["changed"], stray.poll(), journal.exists()) == (True, None, False)
    before = time.monotonic()
    assert _end(journal, stray.pid, begun, grace=grace)["ended"] == [stray.pid]
    assert stray.wait(5) < 0
    assert other.poll() is None
    assert time.monotonic() - before < 5
    again = _end(journal, stray.pid, begun)
    assert (again["changed"], again["gone"]) == (False, ["stray"])
    (undone,) = journal.undo(check_mode=False)
    assert undone["status"] == "conflict"
    assert "not started again" in undone["reason"]


def test_a_pid_that_is_used_again_is_left_alone(start: Any, tmp_path: Path) -> None:
    process = start(MEEK)
    result = _end(
        Journal(str(tmp_path / "journal"), "one"), process.pid, service_processes.identity(process.pid)[1] - 1
    )
    assert (result["changed"], result["gone"], process.poll()) == (False, ["stray"], None)


def test_another_program_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        result = _end(
            Journal(str(tmp_path / "journal"), "one"), process.pid, service_processes.identity(process.pid)[1]
        )
        assert (result["gone"], process.poll()) == (["stray"], None)
        process.kill()


def test_nothing_is_ended_in_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ChangeFailed, match="running host"):
        _end(Journal("/journal", "one", str(tmp_path)), 1, 1)


def test_the_age_of_a_process_and_of_its_files(start: Any) -> None:
    process = start(MEEK)
    (found,) = (entry for entry in service_processes.read(Tree(), {})["processes"] if entry["pid"] == process.pid)
    assert (found["program"], found["main"], found["container"], found["deleted"]) == (
        "nova-compute",
        False,
        False,
        False,
    )
    assert abs(found["started"] - time.time()) < 5
    assert found["start"] == service_processes.identity(process.pid)[1]


def test_systemd_names_the_main_process_of_each_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    # systemctl show, two units; the second one does not run
    told = (
        "MainPID=812\nId=nova-compute.service\nNames=nova-compute.service openstack-nova-compute.service\n\n"
        "MainPID=0\nId=nova-api.service\nNames=nova-api.service\n"
    )
    monkeypatch.setattr(_commands, "run", lambda command, seconds: subprocess.CompletedProcess(command, 0, told, ""))
    asked = ["nova-api.service", "openstack-nova-compute.service", "gone.service"]
    assert service_processes._main_pids(asked) == {"openstack-nova-compute.service": 812, "nova-api.service": 0}
