# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Background processes that survive their starter, and are never mistaken for another process of the same id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 15.0

# Children of this very process have to be reaped by it, or they stay zombies and look alive to others.
_children: dict[int, subprocess.Popen[bytes]] = {}


def start(record: Path, command: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
    """Start a command as the leader of its own session and record its id and start time."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as out:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            start_new_session=True,
        )
    _children[child.pid] = child
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"pid": child.pid, "started": _start_time(child.pid)}))


def running(record: Path) -> int | None:
    """The process id of a record whose process still runs, else None."""
    try:
        entry = json.loads(record.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    pid = int(entry["pid"])
    if pid in _children and _children[pid].poll() is not None:
        del _children[pid]
        return None
    started = _start_time(pid)
    return pid if started is not None and started == entry["started"] else None


def stop(record: Path, seconds: float = STOP_SECONDS) -> None:
    """Ask the recorded process to end, then end its group. Returns when it is gone; raises TimeoutError if it stays."""
    pid = running(record)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        if not _gone(record, seconds):
            os.killpg(pid, signal.SIGKILL)
            if not _gone(record, 5.0):
                raise TimeoutError(f"Process {pid} ({record.stem}) does not end; look at it with `ps -fp {pid}`.")
    record.unlink(missing_ok=True)


def _gone(record: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while running(record) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _start_time(pid: int) -> str | None:
    """Clock ticks after boot at which the process started (proc(5), field 22), None if it is gone.

    A zombie that somebody else has to reap is gone. One of ours is not until we have reaped it, and one whose other
    threads still end is not either: it may hold its port.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ended = fields[0] == "Z" and pid not in _children and len(os.listdir(f"/proc/{pid}/task")) == 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if ended else fields[19]
