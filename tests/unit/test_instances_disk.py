# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of nova's image cache only what nobody needs is cleared away, and what was moved comes back."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _file_moves
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import instances_disk as reader
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed, Unavailable
from ansible_collections.stackmend.openstack.plugins.modules import instances_disk as module

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees which files are open")
DAYS_AGO = time.time() - 3 * 86400
SERVER = "7d1f1c1e-90c8-4b3d-9c84-0d5a5c3f4d10"


def _qcow2(disk: Path, backing: str) -> None:
    name = backing.encode()
    disk.parent.mkdir(parents=True, exist_ok=True)
    disk.write_bytes(struct.pack(">4sIQI", b"QFI\xfb", 3, 104, len(name)).ljust(104, b"\0") + name)


@pytest.fixture
def instances(tmp_path: Path) -> Path:
    """A cache with a stale download, one that is open, a fresh one, and images of which two are backing files."""
    cache = tmp_path / "instances/_base"
    cache.mkdir(parents=True)
    for letter in "abcd":
        (cache / (letter * 40)).write_bytes(b"x" * 8192)
    for name in ("stale.part", "open.part", "stale.converted", "ephemeral_1_default"):
        (cache / name).write_bytes(b"x" * 8192)
    for path in cache.iterdir():
        os.utime(path, (DAYS_AGO, DAYS_AGO))
    (cache / "fresh.part").write_bytes(b"x")
    (cache / ("e" * 40)).write_bytes(b"x")
    _qcow2(tmp_path / "instances" / SERVER / "disk", str(cache / ("a" * 40)))
    _qcow2(tmp_path / "instances" / f"{SERVER}_resize" / "disk", f"../_base/{'b' * 40}")
    return tmp_path / "instances"


def _found(instances: Path) -> dict[str, Any]:
    found = reader.candidates(str(instances), str(instances / "_base"))
    return {
        **found,
        **{kind: [os.path.basename(entry["path"]) for entry in found[kind]] for kind in ("stale", "unused")},
    }


def test_backing_files_open_and_fresh_files_are_no_candidates(instances: Path) -> None:
    with (instances / "_base/open.part").open(), (instances / "_base" / ("d" * 40)).open():
        found = _found(instances)
    assert found == {"stale": ["stale.converted", "stale.part"], "unused": ["c" * 40], "unsure": ""}


def test_a_disk_that_is_not_understood_protects_every_image(instances: Path) -> None:
    _qcow2(instances / "other/disk", 'json:{"driver":"qcow2"}')
    found = _found(instances)
    assert found["unused"] == []
    assert "not understood" in found["unsure"]
    with pytest.raises(Unavailable):
        reader.backing_files(str(instances))


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory on another file system than the tests' own."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def _wish(path: Path, action: str) -> dict[str, Any]:
    return {"path": str(path), "action": action, "modified": int(DAYS_AGO), "bytes": 1, "subject": path.name}


def test_what_is_cleared_away_is_looked_at_again(instances: Path, elsewhere: Path, tmp_path: Path) -> None:
    if os.stat(elsewhere).st_dev == os.stat(instances).st_dev:
        pytest.skip("/dev/shm is not a file system of its own here")
    cache = instances / "_base"
    wishes = [
        _wish(cache / "stale.part", "remove"),
        _wish(cache / ("c" * 40), "quarantine"),
        _wish(cache / ("a" * 40), "quarantine"),
        _wish(cache / ("d" * 40), "remove"),
        _wish(instances / SERVER / "disk", "remove"),
    ]
    params = {"instances": str(instances), "cache": str(cache), "files": wishes, "quarantine": str(elsewhere)}
    journal = Journal(str(tmp_path / "journal"), "run")
    shown = module.apply(journal, params, True)
    assert shown["cleared"] == [str(cache / "stale.part"), str(cache / ("c" * 40))]
    assert (cache / "stale.part").exists()
    done = module.apply(journal, params, False)
    assert done["gone"] == ["a" * 40, "d" * 40, "disk"]
    assert sorted(path.name for path in cache.iterdir() if path.name[0] in "acd") == ["a" * 40, "d" * 40]
    assert (elsewhere / "run" / ("c" * 40)).read_bytes() == b"x" * 8192
    assert not module.apply(journal, params, False)["changed"]

    assert {outcome["status"] for outcome in journal.undo(check_mode=True)} == {"conflict", "would_restore"}
    outcomes = {outcome["what"].split()[1]: outcome["status"] for outcome in journal.undo(check_mode=False)}
    assert outcomes == {"moved": "restored", "removed": "conflict"}
    assert int((cache / ("c" * 40)).stat().st_mtime) == int(DAYS_AGO)
    assert list(elsewhere.iterdir()) == []


def test_a_quarantine_that_frees_nothing_is_refused(instances: Path, tmp_path: Path) -> None:
    with pytest.raises(ChangeFailed, match="frees nothing"):
        _file_moves.check_quarantine(str(tmp_path / "not/yet"), [str(instances / "_base" / ("c" * 40))])
