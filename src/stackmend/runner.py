# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a playbook of the collection through ansible-runner and bring back its report."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible_runner

from stackmend.model import Progress

COLLECTION = "stackmend.openstack"
_HOST_TASKS = {
    "Look for the known faults of the host": "checking hosts",
    "Look at the scheduler of the host": "reading hosts",
    "Read what the host knows of it": "reading logs of hosts",
    "Undo changes of the host": "undoing on hosts",
}


class RunFailed(Exception):
    """A run that ended without a report; the sentence says why."""


Diffs = Callable[[str, Sequence[Mapping[str, Any]]], None]


def run(
    playbook: str,
    *,
    inventory: str | os.PathLike[str],
    variables: Mapping[str, Any],
    limit: str | None = None,
    check: bool = False,
    diff: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    on_diff: Diffs | None = None,
) -> dict[str, Any]:
    """Run stackmend.openstack.<playbook> and return its report.

    variables are plain data and never templated. on_diff gets (host, diffs) of each task that shows a difference.
    Raises RunFailed.
    """
    listener = _Listener(on_progress, on_diff)
    # A directory of its own for each run: ansible-runner keeps the environment, secrets included, in its artifacts.
    with tempfile.TemporaryDirectory(prefix="stackmend-") as private:
        given = Path(private, "variables.yml")
        given.write_text(_unsafe_yaml(variables), encoding="utf-8")
        arguments = ["-i", _inventory(inventory), "-e", f"@{given}"]
        arguments += ["--check"] * check + ["--diff"] * diff
        if limit:
            arguments += ["--limit", limit]
        result = ansible_runner.run(
            private_data_dir=private,
            playbook=f"{COLLECTION}.{playbook}",
            cmdline=shlex.join(arguments),
            envvars=_environment(),
            event_handler=listener.handle,
            settings={"suppress_ansible_output": True},
            quiet=True,
        )
        output = result.stdout.read() if result.stdout else ""
    if listener.report is None:
        why = listener.failure or _error_in(output) or f"it ended as {result.status} without a report"
        raise RunFailed(why + _way_back(variables["stackmend_run_id"]) if listener.changed else why)
    return listener.report


class _Listener:
    """Follows the events of a run."""

    def __init__(self, on_progress: Callable[[Progress], None] | None, on_diff: Diffs | None) -> None:
        self.report: dict[str, Any] | None = None
        self.changed = False
        self.failure = ""
        self._on_progress = on_progress
        self._on_diff = on_diff
        self._stage = "starting"
        self._done = 0

    def handle(self, event: Mapping[str, Any]) -> bool:
        """Take one event; False keeps ansible-runner from writing it to disk."""
        kind, data = event["event"], event.get("event_data", {})
        if kind == "playbook_on_stats":
            self.report = (data.get("artifact_data") or {}).get("stackmend_report")
        elif kind == "playbook_on_play_start":
            self._tell(data.get("play") or data.get("name") or "", 0)
        elif kind in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            if kind == "runner_on_failed" and not data.get("ignore_errors"):
                message = data.get("res", {}).get("msg")
                self.failure = self.failure or (str(message).strip().splitlines() or [""])[0]
            elif kind == "runner_on_ok" and data.get("task") == "Report":
                self.failure = ""
            self.changed = self.changed or (kind == "runner_on_ok" and bool(data.get("res", {}).get("changed")))
            if data.get("task") in _HOST_TASKS:
                self._tell(_HOST_TASKS[data["task"]], self._done + 1)
            differences = data.get("res", {}).get("diff")
            if differences and self._on_diff:
                self._on_diff(data["host"], differences if isinstance(differences, list) else [differences])
        return bool(kind == "playbook_on_stats")

    def _tell(self, stage: str, done: int) -> None:
        self._stage, self._done = stage, done
        if self._on_progress:
            self._on_progress(Progress(stage, done))


def _way_back(run_id: str) -> str:
    return f". Something was changed before that: stackmend rollback {run_id} undoes it"


def _inventory(inventory: str | os.PathLike[str]) -> str:
    text = os.fspath(inventory)
    if "," in text:
        return text
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise RunFailed(f"there is no inventory {text}: give a file or directory with -i")
    return str(path)


def _environment() -> dict[str, str]:
    """What ansible-playbook needs to be found, to find this collection before any other copy, and to stay plain."""
    spec = importlib.util.find_spec(f"ansible_collections.{COLLECTION}")
    if spec is None or not spec.submodule_search_locations:
        raise RunFailed(f"the collection {COLLECTION} is not installed beside the package stackmend; install it again")
    # <root>/ansible_collections/stackmend/openstack
    root = Path(next(iter(spec.submodule_search_locations))).parents[2]
    paths = [str(root), *filter(None, [os.environ.get("ANSIBLE_COLLECTIONS_PATH")])]
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(paths),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
    }


def _unsafe_yaml(value: Any) -> str:
    """YAML in which every string is marked as data, so that braces in a name are not taken for a template."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {_unsafe_yaml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_unsafe_yaml(item) for item in value) + "]"
    return f"!unsafe {json.dumps(value)}" if isinstance(value, str) else json.dumps(value)


def _error_in(output: str) -> str:
    """ansible-playbook's own error, for a run that did not come to its first task."""
    for line in output.splitlines():
        for mark in ("ERROR! ", "[ERROR]: "):
            if line.startswith(mark):
                return line[len(mark) :].strip()
    return ""
