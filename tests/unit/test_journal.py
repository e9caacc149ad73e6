# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run changed can be undone, byte for byte, also when it was killed half-way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _journal
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal, JournalError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "var/lib").mkdir(parents=True)
    return tmp_path


def _journal_of(root: Path, run: str = "run-1") -> Journal:
    return Journal("/var/lib/stackmend/journal", run, str(root))


def _statuses(outcomes: list[dict[str, str]]) -> list[str]:
    return [outcome["status"] for outcome in outcomes]


def test_a_changed_file_comes_back_with_its_bytes_and_mode(root: Path) -> None:
    file = root / "etc/nova.conf"
    file.write_bytes(b"[api]\r\nx = \xff\n")
    file.chmod(0o640)
    _journal_of(root).write_file("/etc/nova.conf", b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert _statuses(_journal_of(root).undo(check_mode=False)) == ["restored"]
    assert file.read_bytes() == b"[api]\r\nx = \xff\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_created_file_and_directory_go_away_again(root: Path) -> None:
    journal = _journal_of(root)
    journal.make_dir("/etc/new", mode=0o700, uid=os.geteuid(), gid=os.getegid())
    journal.write_file("/etc/new/file", b"x", mode=0o600)
    assert _statuses(_journal_of(root).undo(check_mode=False)) == ["restored", "restored"]
    assert not (root / "etc/new").exists()


def test_two_changes_of_one_file_are_undone_in_turn(root: Path) -> None:
    file = root / "etc/x"
    file.write_text("1", encoding="utf-8")
    _journal_of(root).write_file("/etc/x", b"2")
    _journal_of(root).write_file("/etc/x", b"3")
    assert _statuses(_journal_of(root).undo(check_mode=True)) == ["would_restore"]
    assert file.read_text(encoding="utf-8") == "3"
    assert _statuses(_journal_of(root).undo(check_mode=False)) == ["restored", "restored"]
    assert file.read_text(encoding="utf-8") == "1"


def test_undoing_twice_changes_nothing_the_second_time(root: Path) -> None:
    (root / "etc/x").write_text("1", encoding="utf-8")
    _journal_of(root).write_file("/etc/x", b"2")
    _journal_of(root).undo(check_mode=False)
    assert _statuses(_journal_of(root).undo(check_mode=False)) == ["unchanged"]


def test_what_somebody_changed_since_is_left_alone(root: Path) -> None:
    (root / "etc/x").write_text("1", encoding="utf-8")
    _journal_of(root).write_file("/etc/x", b"2")
    (root / "etc/x").write_text("by hand", encoding="utf-8")
    outcomes = _journal_of(root).undo(check_mode=False)
    assert _statuses(outcomes) == ["conflict"]
    assert (root / "etc/x").read_text(encoding="utf-8") == "by hand"


def test_a_run_killed_between_entry_and_change_is_nothing_to_undo(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "etc/x").write_text("1", encoding="utf-8")
    with monkeypatch.context() as patch:
        real = _journal._write

        def killed(path: str, *arguments: object) -> None:
            if path.endswith("/etc/x"):
                raise KeyboardInterrupt
            real(path, *arguments)  # type: ignore[arg-type]

        patch.setattr(_journal, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            _journal_of(root).write_file("/etc/x", b"2")
    (root / "etc/.stackmend-left").write_text("half", encoding="utf-8")
    assert _statuses(_journal_of(root).undo(check_mode=False)) == ["unchanged"]
    assert (root / "etc/x").read_text(encoding="utf-8") == "1"
    assert not (root / "etc/.stackmend-left").exists()


def test_the_journal_is_for_its_owner_alone_and_its_names_tell_nothing(root: Path) -> None:
    (root / "etc/secret.conf").write_text("password = hunter2", encoding="utf-8")
    _journal_of(root).write_file("/etc/secret.conf", b"")
    directory = root / "var/lib/stackmend/journal/run-1"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert directory.parent.stat().st_mode & 0o777 == 0o700
    entries = list(directory.iterdir())
    assert [entry.name for entry in entries] == ["000001.json"]
    assert entries[0].stat().st_mode & 0o777 == 0o600


def test_an_absolute_link_in_a_tree_does_not_lead_out_of_it(root: Path) -> None:
    outside = root.parent / "outside"
    outside.write_text("mine", encoding="utf-8")
    (root / "etc/link").symlink_to(outside)
    _journal_of(root).write_file("/etc/link2", b"x")
    with pytest.raises((OSError, JournalError)):
        _journal_of(root).write_file("/etc/link", b"x")
    assert outside.read_text(encoding="utf-8") == "mine"


def test_a_restart_is_repeated_after_everything_is_restored(root: Path) -> None:
    journal = _journal_of(root)
    (root / "etc/x").write_text("1", encoding="utf-8")
    journal.write_file("/etc/x", b"2")
    journal.restart(["cp", str(root / "etc/x"), str(root / "etc/seen")], ["demo"])
    assert [outcome["what"] for outcome in journal.undo(check_mode=False)] == ["file /etc/x", "restart of demo"]
    assert (root / "etc/seen").read_text(encoding="utf-8") == "1"


@pytest.mark.parametrize("run_id", ["", "../x", ".hidden", "a b", "x" * 129])
def test_a_run_id_that_could_lead_elsewhere_is_refused(root: Path, run_id: str) -> None:
    with pytest.raises(JournalError, match="cannot be a run id"):
        _journal_of(root, run_id)


def test_a_damaged_entry_stops_the_undoing_with_a_sentence(root: Path) -> None:
    (root / "etc/x").write_text("1", encoding="utf-8")
    _journal_of(root).write_file("/etc/x", b"2")
    (root / "var/lib/stackmend/journal/run-1/000001.json").write_text("{", encoding="utf-8")
    with pytest.raises(JournalError, match="nothing was undone"):
        _journal_of(root).undo(check_mode=False)
