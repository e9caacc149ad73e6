#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module migration_ssh_trust: nova's user on this compute knows and admits its peers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_ssh_trust
short_description: Let nova's user of this compute know and admit its peers by ssh
version_added: 0.1.0
description:
  - Puts the peers' host keys into the C(known_hosts) of the user, in place of others that stand for exactly the same
    names, and adds the peers' public keys to its C(authorized_keys), usable from the peers' addresses only.
  - Gives the files of C(~/.ssh) and the home directory an owner and modes that ssh accepts, and the user a login shell
    if it has none.
  - Other keys, other hosts and comments stay. Private keys are never changed, returned or shown.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  user:
    description: The user that runs nova-compute.
    type: str
    default: nova
  login_shell:
    description: The shell to give to a user whose shell is C(nologin) or C(false).
    type: path
    default: /bin/sh
  hosts:
    description: The peers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the peer.
        type: str
        required: true
      address:
        description: The address or name that nova uses to reach it, and from which it connects. Its name if empty.
        type: str
        default: ''
      port:
        description: Port of its sshd.
        type: int
        default: 22
      sources:
        description: Further addresses, networks or patterns from which it may connect.
        type: list
        elements: str
        default: []
      keyless:
        description: Not used here; that the peer had no key when it was looked at.
        type: bool
      user:
        description: Not used here; the finding names the user.
        type: str
      subject:
        description: Not used here; the finding that the peer belongs to.
        type: str
  identities:
    description: RV(stackmend.openstack.migration_ssh_identity#module:identity) of each of the peers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the peer.
        type: str
        required: true
      public_keys:
        description: Public keys of its user.
        type: list
        elements: str
        default: []
      host_keys:
        description: Public keys of its sshd.
        type: list
        elements: str
        default: []
      pending:
        description: Whether its key is only made outside check mode.
        type: bool
        default: false
seealso:
  - module: stackmend.openstack.migration_ssh_identity
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Know and admit compute2
  stackmend.openstack.migration_ssh_trust:
    hosts:
      - name: compute2
        address: 192.0.2.22
    identities:
      - name: compute2
        public_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5FDYSkMCNGMh1NyaYWSMhsJbE1mNBHcmYk6hhhVPGb nova@compute2]
        host_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP7Tuz2b1dPwfmmSI5wSTzUWZjhzIq0BSxyhSxyRKkhL]
"""

RETURN = r"""
without_key:
  description: Peers that have no key yet, so that nothing could be admitted for them.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils import _ssh_files
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import accounts
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed

_NO_LOGIN = ("nologin", "false")


class _Change:
    """One thing to do: what it shows, and how it is done."""

    def __init__(self, title: str, before: str, after: str) -> None:
        self.diff = difference(title, before, after)

    def make(self, tree: Tree, journal: Journal) -> None:
        raise NotImplementedError


class _Directory(_Change):
    def __init__(self, path: str, before: Optional[int], mode: int, uid: int, gid: int) -> None:
        shown = "" if before is None else f"mode {before:04o}\n"
        super().__init__(path, shown, f"mode {mode:04o}, owner {uid}\n")
        self.path, self.mode, self.uid, self.gid = path, mode, uid, gid

    def make(self, tree: Tree, journal: Journal) -> None:
        journal.make_dir(self.path, mode=self.mode, uid=self.uid, gid=self.gid)


class _Content(_Change):
    def __init__(self, path: str, before: str, after: str, mode: int, uid: int, gid: int) -> None:
        super().__init__(path, before, after)
        self.path, self.after, self.mode, self.uid, self.gid = path, after, mode, uid, gid

    def make(self, tree: Tree, journal: Journal) -> None:
        content = self.after.encode("utf-8", "surrogateescape")
        journal.write_file(self.path, content, mode=self.mode, uid=self.uid, gid=self.gid)


class _Mode(_Change):
    """A file whose owner or mode ssh refuses. Its content is the same after, and is never shown."""

    def __init__(self, path: str, status: os.stat_result, mode: int, uid: int, gid: int) -> None:
        before = f"mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}\n"
        super().__init__(path, before, f"mode {mode:04o}, owner {uid}\n")
        self.path, self.mode, self.uid, self.gid = path, mode, uid, gid

    def make(self, tree: Tree, journal: Journal) -> None:
        journal.write_file(self.path, tree.read_bytes(self.path), mode=self.mode, uid=self.uid, gid=self.gid)


class _Shell(_Change):
    def __init__(self, user: str, before: str, after: str) -> None:
        super().__init__(f"login shell of {user}", before + "\n", after + "\n")
        self.user, self.before, self.after = user, before, after

    def make(self, tree: Tree, journal: Journal) -> None:
        journal.record("login_shell", user=self.user, before=self.before, after=self.after)
        run = subprocess.run(
            ["usermod", "--shell", self.after, self.user], capture_output=True, text=True, timeout=60, check=False
        )
        if run.returncode:
            raise ChangeFailed(
                f"usermod could not give {self.user} the shell {self.after}: {run.stderr.strip()}; "
                "set it where the user is managed"
            )


def plan(
    tree: Tree,
    user: str,
    login_shell: str,
    hosts: Sequence[Mapping[str, Any]],
    identities: Sequence[Mapping[str, Any]],
    resolve: Any = None,
) -> tuple[list[_Change], list[str]]:
    """What has to change, in order, and the peers that have no key yet. Reads only.

    resolve: gives the addresses of a host name; the name service of this host unless told otherwise.
    """
    account = accounts.passwd_entry(tree, user)
    if account is None:
        raise ChangeFailed(f"there is no user {user} on this host: name the user that runs nova-compute")
    known = {identity["name"]: identity for identity in identities}
    peers = {host["name"]: host for host in hosts}
    unread = sorted(name for name in peers if not known.get(name, {}).get("host_keys"))
    if unread:
        raise ChangeFailed(
            f"the host keys of {', '.join(unread)} could not be read, and no key is trusted unseen; nothing was "
            "changed. Run again when Ansible reaches these hosts as root"
        )
    folder = os.path.join(account["home"], ".ssh")
    paths = {name: os.path.join(folder, name) for name in ("known_hosts", "authorized_keys")}
    for path in (folder, *paths.values()):
        if os.path.islink(os.path.join(tree.root, path.lstrip("/"))):
            raise ChangeFailed(
                f"{path} is a symbolic link, and a key is not written through it: somebody else manages it; "
                "add the keys there, or make it a file"
            )
    texts = {name: _read(tree, path) for name, path in paths.items()}
    wished, without_key = _texts(texts, peers.values(), known, resolve or _addresses)
    changes = list(_directories(tree, account, folder))
    for name, path in paths.items():
        if wished[name] != texts[name]:
            mode = _safe_mode(tree, path, account["uid"], 0o022, 0o600)
            changes.append(_Content(path, texts[name], wished[name], mode, account["uid"], account["gid"]))
    changed = {change.path for change in changes if isinstance(change, _Content)}
    changes.extend(change for change in _modes(tree, account, folder) if change.path not in changed)
    if account["shell"].rpartition("/")[2] in _NO_LOGIN:
        if not tree.is_live:
            raise ChangeFailed(f"the login shell of {user} can only be set on a running host; nothing was changed")
        changes.append(_Shell(user, account["shell"], login_shell))
    return changes, without_key


def _texts(
    texts: Mapping[str, str], peers: Any, known: Mapping[str, Mapping[str, Any]], resolve: Any
) -> tuple[dict[str, str], list[str]]:
    trusted, admitted, without_key = texts["known_hosts"], texts["authorized_keys"], []
    for peer in peers:
        identity, address = known[peer["name"]], peer["address"] or peer["name"]
        host_keys = [key for key in map(_ssh_files.public_key, identity["host_keys"]) if key]
        trusted = _ssh_files.trust(trusted, _ssh_files.host_names((peer["name"], address), peer["port"]), host_keys)
        keys = [key for key in map(_ssh_files.public_key, identity["public_keys"]) if key]
        sources = list(dict.fromkeys([*resolve(address), *peer["sources"]]))
        lines = _ssh_files.authorize(admitted, keys, sources)
        if identity["pending"]:
            lines.append(
                f'from="{",".join(sources)}",{_ssh_files.RESTRICTIONS} (the key that is made for {peer["name"]})'
            )
        elif not keys:
            without_key.append(peer["name"])
        if lines:
            if admitted and not admitted.endswith("\n"):
                admitted += "\n"
            admitted += "".join(f"{line}\n" for line in lines)
    return {"known_hosts": trusted, "authorized_keys": admitted}, without_key


def _addresses(name: str) -> list[str]:
    """The addresses of a host; a name that this host cannot resolve is a sentence."""
    try:
        return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    except OSError as error:
        raise ChangeFailed(
            f"the address of {name} is not known on this host ({error.strerror}): give the peer an address that "
            "the computes can resolve; nothing was changed"
        ) from error


def _directories(tree: Tree, account: Mapping[str, Any], folder: str) -> Iterator[_Change]:
    uid, gid = account["uid"], account["gid"]
    home = tree.stat(account["home"]) if tree.is_dir(account["home"]) else None
    if home is None:
        raise ChangeFailed(f"{account['home']}, the home of {account['user']}, does not exist: create it first")
    mode = stat.S_IMODE(home.st_mode)
    if mode & 0o022 or home.st_uid not in (0, uid):
        yield _Directory(account["home"], mode, mode & ~0o022, uid, gid)
    if not tree.is_dir(folder):
        yield _Directory(folder, None, 0o700, uid, gid)
        return
    status = tree.stat(folder)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022 or status.st_uid not in (0, uid):
        yield _Directory(folder, mode, 0o700, uid, gid)


def _modes(tree: Tree, account: Mapping[str, Any], folder: str) -> Iterator[_Mode]:
    facts = accounts.read(tree, {"nova_user": account["user"]})
    forbidden = {entry["path"]: 0o077 for entry in facts["identities"] if os.path.dirname(entry["path"]) == folder}
    for name in ("config", "known_hosts", "authorized_keys"):
        forbidden[os.path.join(folder, name)] = 0o022
    for path, bits in forbidden.items():
        if tree.exists(path):
            status = tree.stat(path)
            if stat.S_IMODE(status.st_mode) & bits or status.st_uid not in (0, account["uid"]):
                mode = stat.S_IMODE(status.st_mode) & ~bits
                yield _Mode(path, status, mode, account["uid"], account["gid"])


def _safe_mode(tree: Tree, path: str, uid: int, forbidden: int, new: int) -> int:
    return stat.S_IMODE(tree.stat(path).st_mode) & ~forbidden if tree.exists(path) else new


def _read(tree: Tree, path: str) -> str:
    try:
        return tree.read_text(path)
    except FileNotFoundError:
        return ""


def _restore_labels(home: str) -> None:
    """SELinux stays on: what is new gets the label that sshd may read."""
    restorecon = shutil.which("restorecon", path="/usr/sbin:/sbin:/usr/bin")
    if restorecon and os.path.exists("/sys/fs/selinux/enforce"):
        subprocess.run([restorecon, "-R", os.path.join(home, ".ssh")], capture_output=True, timeout=60, check=True)


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the peers known and admitted; who has no key yet is told in a warning."""
    tree, user = journal.tree, params["user"]
    try:
        changes, without_key = plan(tree, user, params["login_shell"], params["hosts"], params["identities"])
        if changes and not check_mode:
            for change in changes:
                change.make(tree, journal)
            if tree.is_live:
                _restore_labels(accounts.passwd_entry(tree, user)["home"])
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"the ssh files of {user} could not be changed: {error}") from error
    later = [f"{', '.join(without_key)}: no key to admit yet; apply the role there too"] if without_key else []
    return {
        "changed": bool(changes),
        "diff": [change.diff for change in changes],
        "without_key": without_key,
        "warnings": later,
    }


def main() -> None:
    peer = {
        "name": {"type": "str", "required": True},
        "address": {"type": "str", "default": ""},
        "port": {"type": "int", "default": 22},
        "sources": {"type": "list", "elements": "str", "default": []},
        "keyless": {"type": "bool"},
        "user": {"type": "str"},
        "subject": {"type": "str"},
    }
    identity = {
        "name": {"type": "str", "required": True},
        "public_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "host_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "pending": {"type": "bool", "default": False},
    }
    change_host(
        apply,
        {
            "user": {"type": "str", "default": "nova"},
            "login_shell": {"type": "path", "default": "/bin/sh"},
            "hosts": {"type": "list", "elements": "dict", "required": True, "options": peer},
            "identities": {"type": "list", "elements": "dict", "required": True, "options": identity},
        },
    )


if __name__ == "__main__":
    main()
