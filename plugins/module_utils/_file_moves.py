# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove a file for good, or move it to a quarantine on another file system and back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from ._evidence._tree import Tree
from ._model import ChangeFailed

COPY_SECONDS = 3600


def check_quarantine(directory: str, paths: Iterable[str]) -> None:
    """Refuse a quarantine that would free nothing, or that has no room. Raises ChangeFailed."""
    here = directory
    while not os.path.isdir(here):
        here = os.path.dirname(here)
    needed = 0
    for path in paths:
        status = os.stat(path)
        needed += status.st_blocks * 512
        if status.st_dev == os.stat(here).st_dev:
            raise ChangeFailed(
                f"{directory} is on the file system of {path}, so moving it there frees nothing; nothing was changed. Name a "
                "directory on another file system (instances_disk_quarantine)"
            )
    space = os.statvfs(here)
    if needed > space.f_bavail * space.f_frsize:
        raise ChangeFailed(
            f"{directory} has no room for {needed >> 20} MiB; nothing was changed. Name a directory on a larger file system "
            "(instances_disk_quarantine)"
        )


def remove(journal: Any, path: str) -> None:
    """Remove an interrupted download. The journal says that it was there; it cannot be brought back."""
    journal.record("file_removed", path=path, bytes=os.stat(path).st_size)
    os.unlink(path)


def move(journal: Any, path: str, directory: str) -> None:
    """Move a file into the quarantine, in a place of the run's own."""
    folder = os.path.join(directory, journal.run_id)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    there = os.path.join(folder, os.path.basename(path))
    status = os.stat(path)
    journal.record("file_moved", path=path, there=there, bytes=status.st_size, modified=int(status.st_mtime))
    _carry(path, there)


def undo_removed(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """An interrupted download is not brought back."""
    return (
        "conflict",
        f"{entry['path']} was an interrupted download and was removed; nova makes it again when it needs it",
    )


def undo_moved(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Bring a file back from the quarantine: {"path", "there"}."""
    path, there = tree.path(entry["path"]), tree.path(entry["there"])
    if os.path.exists(path):
        if os.path.exists(there):
            return "conflict", f"{entry['path']} was made again; the former one stays in {entry['there']}"
        return "unchanged", ""
    if not os.path.exists(there):
        return "conflict", f"{entry['there']} is not there any more"
    if check_mode:
        return "would_restore", ""
    _carry(there, path)
    try:
        os.rmdir(os.path.dirname(there))
    except OSError:
        pass  # others of the run are still in it
    return "restored", ""


def _carry(path: str, there: str) -> None:
    """Copy with holes, owner, times and labels, on disk, and only then take the original away."""
    partial = f"{there}.stackmend-partial"
    try:
        run = subprocess.run(
            ["cp", "--archive", "--sparse=auto", "--", path, partial],
            capture_output=True,
            text=True,
            timeout=COPY_SECONDS,
            check=False,
        )
        if run.returncode or os.stat(partial).st_size != os.stat(path).st_size:
            raise ChangeFailed(
                f"{path} could not be moved to {there}: {run.stderr.strip() or 'the copy is incomplete'}"
            )
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, there)
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"{path} could not be moved to {there}: {error}") from error
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    os.unlink(path)
