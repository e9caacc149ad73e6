# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a user cannot read are found by looking as that user, and get their mode and no other."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import unreadable_packages as reader
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._interpreter import (
    ProgramFailed,
    ask,
    isolated,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.modules import file_modes


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    root = tmp_path / "usr/lib/python3/dist-packages"
    for path in (
        "nova/__init__.py",
        "nova/conf.py",
        "six.py",
        "nova/__pycache__/conf.pyc",
        "a.dist-info/METADATA",
        "b/deep/x.py",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
        (root / path).chmod(0o644)
    # pytest keeps its directories to itself, up to where everybody has one
    for directory in (tmp_path, *tmp_path.parents):
        if directory == Path(tempfile.gettempdir()):
            break
        directory.chmod(0o755)
    return root


@pytest.fixture
def interpreter() -> str:
    """A Python that the user nobody can really start; a virtual environment may be in somebody's closed directory."""
    choices = (sys.executable, "/usr/bin/python3")
    for choice in choices:
        with suppress(ProgramFailed):
            ask(isolated([choice], "print('{}')"), {}, user="nobody", seconds=30)
            return choice
    pytest.skip(f"the user nobody can start none of {', '.join(choices)}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")
def test_what_nobody_can_read_is_found(packages: Path, interpreter: str) -> None:
    (packages / "six.py").chmod(0o600)
    (packages / "a.dist-info/METADATA").chmod(0o640)
    (packages / "nova/__pycache__/conf.pyc").chmod(0o600)
    (packages / "b").chmod(0o700)
    (packages / "b/deep/x.py").chmod(0o600)
    (packages / "gone.py").symlink_to("/nonexistent")
    request = {"limit": 10, "files": reader._READ_FILES, "paths": [str(packages)]}
    answer = ask(isolated([interpreter], reader._WALK), request, user="nobody", seconds=30)
    assert sorted(path for path, _root in answer["found"]) == [
        str(packages / name) for name in ("a.dist-info/METADATA", "b", "six.py")
    ]
    found = {entry["path"]: (entry["mode"], entry["wanted"]) for entry in reader._entries(answer["found"], "nobody")}
    assert found[str(packages / "b")] == ("0700", "0755")
    # what the closed directory hides is mended with it
    assert found[str(packages / "b/deep/x.py")] == ("0600", "0644")


def test_a_module_is_named_by_its_log() -> None:
    entry = {"path": "/p/paste/deploy/__init__.py", "root": "/p"}
    assert reader._is_named(entry, "ModuleNotFoundError: No module named 'paste.deploy'")
    assert reader._is_named(entry, "PermissionError: [Errno 13] Permission denied: '/p/paste/deploy/__init__.py'")
    assert not reader._is_named(entry, "ModuleNotFoundError: No module named 'paste.deployment'")


def test_of_a_directory_only_modes_are_read(packages: Path, tmp_path: Path) -> None:
    (packages / "nova/conf.py").chmod(0o640)
    reading = reader.read(Tree(str(tmp_path)), {})
    assert [entry["path"] for service in reading["services"] for entry in service["unreadable"]] == [
        "/usr/lib/python3/dist-packages/nova/conf.py"
    ]
    json.dumps(reading)


def test_a_mode_is_set_and_put_back(packages: Path, tmp_path: Path) -> None:
    file = packages / "six.py"
    file.chmod(0o4600)
    journal = Journal("/journal", "run", str(tmp_path))
    wish = {"path": "/usr/lib/python3/dist-packages/six.py", "mode": "0644", "expect": "4600", "subject": "six"}
    params = {"files": [wish], "restarts": []}
    assert file_modes.apply(journal, params, True)["changed"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o4600
    assert file_modes.apply(journal, params, False)["diff"][0]["after"] == "4644\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o4644
    assert not file_modes.apply(journal, params, False)["changed"]
    file.chmod(0o640)
    assert file_modes.apply(journal, params, False)["gone"] == ["six"]
    assert journal.undo(check_mode=False)[0]["status"] == "conflict"
    file.chmod(0o4644)
    assert journal.undo(check_mode=False)[0]["status"] == "restored"
    assert stat.S_IMODE(file.stat().st_mode) == 0o4600


def test_a_link_is_refused(packages: Path, tmp_path: Path) -> None:
    (packages / "link.py").symlink_to("six.py")
    wish = {"path": "/usr/lib/python3/dist-packages/link.py", "mode": "0644", "expect": None, "subject": ""}
    with pytest.raises(file_modes.ChangeFailed, match="symbolic link"):
        file_modes.apply(Journal("/journal", "run", str(tmp_path)), {"files": [wish], "restarts": []}, True)
