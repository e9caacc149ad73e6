# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remember what a run changes on this host, before it is changed, and undo it.

A journal is a directory, mode 0700, with one numbered entry (mode 0600) per change. An entry is complete and on disk
before the change it describes begins, and names the state before and after. Undoing therefore needs to know nothing
about how far a run came: a thing that is as it was before is left alone, one that is as the run made it is restored,
and one that somebody changed since is left alone and reported.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any, Optional

from . import _ceph_reweight, _console_access, _default_routes, _file_moves, _selinux
from ._evidence._tree import Tree
from ._model import ChangeFailed, Unavailable

DIRECTORY = "/var/lib/stackmend/journal"
# The options of every module that changes something (documented in the fragment stackmend.openstack.journal).
ARGUMENTS: dict[str, dict[str, Any]] = {
    "run_id": {"type": "str"},
    "journal_dir": {"type": "path", "default": DIRECTORY},
    "root": {"type": "path", "default": "/"},
}
_TEMPORARY = ".stackmend-"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class JournalError(Exception):
    """A journal that cannot be written or read; the sentence says which, where, and what to do."""


def new_run_id() -> str:
    """A run id that sorts by time and does not collide: 20261121T030000Z-4f9a2c."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)


def check_run_id(run_id: str) -> str:
    """The run id, if it can name a directory; JournalError otherwise."""
    if not _RUN_ID.fullmatch(run_id):
        raise JournalError(
            f"{run_id!r} cannot be a run id: use letters, digits, '.', '_' and '-', at most 128, beginning with a "
            "letter or digit"
        )
    return run_id


def open_journal(params: Mapping[str, Any]) -> Journal:
    """The journal that a module's options name. Raises JournalError for a run id that cannot be one."""
    return Journal(params["journal_dir"], params["run_id"] or new_run_id(), params["root"])


class Journal:
    """The record of one run below one root.

    directory: where journals live, as the host sees it. run_id: names the run's own directory in it.
    """

    def __init__(self, directory: str, run_id: str, root: str = "/") -> None:
        self.tree = Tree(root)
        self.run_id = check_run_id(run_id)
        self.directory = os.path.join(self.tree.path(directory), run_id)

    def write_file(
        self,
        path: str,
        content: bytes,
        *,
        mode: Optional[int] = None,
        uid: Optional[int] = None,
        gid: Optional[int] = None,
    ) -> None:
        """Replace or create a file, whole or not at all; what it was is in the journal first.

        An existing file keeps its mode, owner and extended attributes (the SELinux label among them) where they are
        not given; a new file is 0600 unless told otherwise.
        """
        real = self.tree.path(path)
        before = _file_state(real)
        after = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "mode": mode if mode is not None else before["mode"] if before else 0o600,
            "uid": uid if uid is not None else before["uid"] if before else os.geteuid(),
            "gid": gid if gid is not None else before["gid"] if before else os.getegid(),
        }
        self.record("file", path=path, before=before, after=after)
        _write(real, content, after, before["xattrs"] if before else {})

    def make_dir(self, path: str, *, mode: int, uid: int, gid: int) -> None:
        """Create one directory, or give an existing one this mode and owner."""
        real = self.tree.path(path)
        after = {"mode": mode, "uid": uid, "gid": gid}
        before = _owner_and_mode(real) if os.path.isdir(real) else None
        self.record("directory", path=path, before=before, after=after)
        if before is None:
            os.mkdir(real, mode)
        _set_owner_and_mode(real, after)

    def set_mode(self, path: str, mode: int) -> None:
        """Give an existing file or directory other permissions; its owner stays."""
        real = self.tree.path(path)
        before = _owner_and_mode(real)
        after = {**before, "mode": mode}
        self.record("mode", path=path, before=before, after=after)
        _set_owner_and_mode(real, after)

    def record(self, kind: str, **fields: Any) -> None:
        """Put an entry on disk; the caller makes the change afterwards. `UNDO` says what a kind needs."""
        if kind not in KINDS:
            raise JournalError(f"{kind!r} is no kind of journal entry; there are {', '.join(sorted(KINDS))}")
        entry = {"kind": kind, "recorded": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **fields}
        try:
            os.makedirs(os.path.dirname(self.directory), mode=0o700, exist_ok=True)
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            os.chmod(self.directory, 0o700)
            number = 1 + max((int(name[:6]) for name in self._names()), default=0)
            content = json.dumps(entry, sort_keys=True).encode()
            owner = {"mode": 0o600, "uid": os.geteuid(), "gid": os.getegid()}
            _write(os.path.join(self.directory, f"{number:06d}.json"), content, owner, {})
        except OSError as error:
            raise JournalError(
                f"the journal {self.directory} cannot be written ({error.strerror}); nothing was changed. "
                "Set journal_dir to a directory that can be written, on the host that is changed"
            ) from error

    def restart(self, command: list[str], services: list[str]) -> None:
        """Remember that services were restarted, so that undoing restarts them again, last of all."""
        self.record("restart", command=command, services=services)

    def _names(self) -> list[str]:
        if not os.path.isdir(self.directory):
            return []
        return sorted(name for name in os.listdir(self.directory) if re.fullmatch(r"\d{6}\.json", name))

    def exists(self) -> bool:
        return bool(self._names())

    def entries(self) -> list[dict[str, Any]]:
        """What the run changed, oldest first; JournalError when an entry cannot be read."""
        result = []
        for name in self._names():
            path = os.path.join(self.directory, name)
            try:
                with open(path, encoding="utf-8") as file:
                    result.append(json.load(file))
            except (OSError, ValueError) as error:
                raise JournalError(
                    f"the journal entry {path} cannot be read ({error}); nothing was undone. Restore by hand what the "
                    "other entries of this directory hold"
                ) from error
        return result

    def undo(self, *, check_mode: bool, others: Optional[Mapping[str, Undo]] = None) -> list[dict[str, str]]:
        """Undo the run, newest change first, restarts last.

        others: undo functions for kinds that need more than this host (API objects).
        Returns one {"what", "status", "reason"} an entry; status is restored, would_restore, unchanged (it is as it
        was before the run), conflict (somebody changed it since; left alone) or failed.
        """
        undo = {**UNDO, **(others or {})}
        outcomes: list[dict[str, str]] = []
        restarts: list[dict[str, Any]] = []
        # In check mode nothing is undone, so of several changes to one thing only the newest can be compared.
        seen: set[str] = set()
        for entry in reversed(self.entries()):
            if entry["kind"] == "restart":
                if entry not in restarts:
                    restarts.append(entry)
                continue
            what = describe(entry)
            if check_mode and what in seen:
                continue
            seen.add(what)
            if entry["kind"] not in undo:
                status, reason = "failed", f"a change of kind {entry['kind']} cannot be undone from here"
            else:
                try:
                    status, reason = undo[entry["kind"]](self.tree, entry, check_mode)
                except (OSError, subprocess.SubprocessError, JournalError, ChangeFailed, Unavailable) as error:
                    status, reason = "failed", str(error)
            outcomes.append({"what": what, "status": status, "reason": reason})
        if any(outcome["status"] in ("restored", "would_restore") for outcome in outcomes):
            outcomes.extend(_restart(entry, check_mode) for entry in restarts)
        return outcomes


def describe(entry: Mapping[str, Any]) -> str:
    """What an entry is about, for a person; never a value."""
    if entry["kind"] == "restart":
        return "restart of " + ", ".join(entry["services"])
    thing = entry.get("path") or entry.get("user") or entry.get("name") or entry.get("id", "")
    return f"{entry['kind'].replace('_', ' ')} {thing}"


Undo = Callable[[Tree, Mapping[str, Any], bool], tuple[str, str]]


def _undo_file(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    real = tree.path(entry["path"])
    if not check_mode:
        _remove_temporaries(os.path.dirname(real))
    now, before, after = _file_state(real), entry["before"], entry["after"]
    if _same_file(now, before):
        return "unchanged", ""
    if not _same_file(now, after):
        return "conflict", f"{entry['path']} was changed after the run and was left alone"
    if check_mode:
        return "would_restore", ""
    if before is None:
        os.unlink(real)
        _sync_directory(real)
    else:
        _write(real, base64.b64decode(before["content"]), before, before["xattrs"])
    return "restored", ""


def _undo_directory(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    real, before = tree.path(entry["path"]), entry["before"]
    now = _owner_and_mode(real) if os.path.isdir(real) else None
    if now == before:
        return "unchanged", ""
    if now != entry["after"]:
        return "conflict", f"{entry['path']} was changed after the run and was left alone"
    if check_mode:
        return "would_restore", ""
    if before is not None:
        _set_owner_and_mode(real, before)
    elif os.listdir(real):
        return "conflict", f"{entry['path']} is not empty and was left in place"
    else:
        os.rmdir(real)
    return "restored", ""


def _undo_mode(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    real = tree.path(entry["path"])
    if not os.path.exists(real):
        return "conflict", f"{entry['path']} is not there any more"
    now = _owner_and_mode(real)
    if now == entry["before"]:
        return "unchanged", ""
    if now != entry["after"]:
        return "conflict", f"{entry['path']} was changed after the run and was left alone"
    if not check_mode:
        _set_owner_and_mode(real, entry["before"])
    return ("would_restore" if check_mode else "restored"), ""


def _undo_login_shell(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    if not tree.is_live:
        raise JournalError(f"the login shell of {entry['user']} can only be set back on a running host")
    import pwd

    now = pwd.getpwnam(entry["user"]).pw_shell
    if now == entry["before"]:
        return "unchanged", ""
    if now != entry["after"]:
        return "conflict", f"the shell of {entry['user']} was changed after the run and was left alone"
    if not check_mode:
        run = subprocess.run(
            ["usermod", "--shell", entry["before"], entry["user"]],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if run.returncode:
            raise JournalError(f"usermod could not set the shell of {entry['user']} back: {run.stderr.strip()}")
    return ("would_restore" if check_mode else "restored"), ""


def _restart(entry: Mapping[str, Any], check_mode: bool) -> dict[str, str]:
    what = describe(entry)
    if check_mode:
        return {"what": what, "status": "would_restore", "reason": ""}
    try:
        run = subprocess.run(entry["command"], capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return {"what": what, "status": "restored", "reason": f"the restart could not be made: {error}"}
    # The state that is restored may be one in which the service cannot start: that is what undoing was asked for.
    note = "" if run.returncode == 0 else "the service did not come up again with what was restored"
    return {"what": what, "status": "restored", "reason": note}


def _undo_service_start(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Stop what the run started: {"name", "stop": command, "status": command that ends with 0 while it runs}."""
    if subprocess.run(entry["status"], capture_output=True, timeout=60, check=False).returncode:
        return "unchanged", ""
    if not check_mode:
        run = subprocess.run(entry["stop"], capture_output=True, text=True, timeout=300, check=False)
        if run.returncode:
            raise JournalError(
                f"{entry['name']} could not be stopped by {' '.join(entry['stop'])}: {run.stderr.strip()}"
            )
    return ("would_restore" if check_mode else "restored"), ""


def _undo_server_delete(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    return "conflict", (
        f"server {entry['name']} ({entry['id']}) was deleted and cannot be brought back; its owner can ask for it again as the "
        "journal describes it"
    )


def _undo_process_end(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    return "conflict", f"{entry['name']} was ended and is not started again: nothing that is meant to run started it"


UNDO: dict[str, Undo] = {
    "default_route": _default_routes.undo,
    "ceph_reweight": _ceph_reweight.undo,
    "file": _undo_file,
    "file_moved": _file_moves.undo_moved,
    "file_removed": _file_moves.undo_removed,
    "directory": _undo_directory,
    "firewall_rule": _console_access.undo,
    "login_shell": _undo_login_shell,
    "process_end": _undo_process_end,
    "mode": _undo_mode,
    "selinux_boolean": _selinux.undo_boolean,
    "selinux_port": _selinux.undo_port,
    "server_delete": _undo_server_delete,
    "service_start": _undo_service_start,
}
# Changes of API objects, undone where the APIs are spoken to (_undo.py).
CLOUD_KINDS = frozenset(
    [
        "catalog_service",
        "compute_scheduling",
        "flavor_extra_specs",
        "image_properties",
        "image_replacement",
        "placement_allocation",
        "role_assignment",
        "server_power",
    ]
)
# Changes that programs of a host made, nova's own and the database server's, where they are (_undo.py).
NOVA_KINDS = frozenset(["database_grant", "host_mapping", "server_image_properties", "server_mapping"])
KINDS = frozenset(UNDO) | CLOUD_KINDS | NOVA_KINDS | {"restart"}


def _owner_and_mode(real: str) -> dict[str, int]:
    status = os.stat(real)
    return {"mode": status.st_mode & 0o7777, "uid": status.st_uid, "gid": status.st_gid}


def _set_owner_and_mode(real: str, state: Mapping[str, int]) -> None:
    now = _owner_and_mode(real)
    if (now["uid"], now["gid"]) != (state["uid"], state["gid"]):
        os.chown(real, state["uid"], state["gid"])
    os.chmod(real, state["mode"])


def _file_state(real: str) -> Optional[dict[str, Any]]:
    try:
        with open(real, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    return {
        "content": base64.b64encode(content).decode(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "xattrs": _xattrs(real),
        **_owner_and_mode(real),
    }


def _same_file(now: Optional[Mapping[str, Any]], then: Optional[Mapping[str, Any]]) -> bool:
    if now is None or then is None:
        return now is then
    return all(now[key] == then[key] for key in ("sha256", "mode", "uid", "gid"))


def _xattrs(real: str) -> dict[str, str]:
    try:
        return {name: base64.b64encode(os.getxattr(real, name)).decode() for name in os.listxattr(real)}
    except OSError:  # a file system without extended attributes
        return {}


def _write(real: str, content: bytes, state: Mapping[str, Any], xattrs: Mapping[str, str]) -> None:
    directory = os.path.dirname(real)
    descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _set_owner_and_mode(temporary, state)
            for name, value in xattrs.items():
                try:
                    os.setxattr(temporary, name, base64.b64decode(value))
                except OSError:  # a label that this kernel or user may not set: the policy's default stands
                    pass
            os.fsync(file.fileno())
        os.replace(temporary, real)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_directory(real)


def _remove_temporaries(directory: str) -> None:
    """Take away what a run that was killed while writing left behind."""
    if os.path.isdir(directory):
        for name in os.listdir(directory):
            if name.startswith(_TEMPORARY):
                os.unlink(os.path.join(directory, name))


def _sync_directory(real: str) -> None:
    descriptor = os.open(os.path.dirname(real), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
