#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module migration_ssh_identity: a key for nova's user where it has none, and the public keys of a compute."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_ssh_identity
short_description: Give nova's user an ssh key if it has none, and return the public keys of the host
version_added: 0.1.0
description:
  - Returns the public keys by which the other computes can recognise this one, and its host keys.
  - If the user has no private key at all that ssh would use, an ed25519 key is made. A key that is there, under
    whatever name, is never replaced.
  - A private key is never returned, shown or copied to another host.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.journal
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the public key.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
options:
  user:
    description: The user that runs nova-compute.
    type: str
    default: nova
  name:
    description: Name of this host, for RV(identity) and for the comment of a new key.
    type: str
    required: true
  generate:
    description: Whether to make a key; V(false) only reads.
    type: bool
    default: true
seealso:
  - module: stackmend.openstack.migration_ssh_trust
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Make sure that nova has a key
  stackmend.openstack.migration_ssh_identity:
    name: "{{ inventory_hostname }}"
  register: identity

- name: Show the public keys
  ansible.builtin.debug:
    var: identity.identity.public_keys
"""

RETURN = r"""
identity:
  description: What the other computes need to know of this one.
  returned: success
  type: dict
  contains:
    name:
      description: As given.
      type: str
    public_keys:
      description: Public keys of the user, a line each as in a C(.pub) file.
      type: list
      elements: str
    host_keys:
      description: Public keys of the host's sshd, a line each.
      type: list
      elements: str
    pending:
      description: Whether a key would be made outside check mode, so that it cannot be shown yet.
      type: bool
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils import _ssh_files
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import accounts
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Read the public keys, and make a key first where there is none."""
    try:
        return _identity(journal, params["user"], params["name"], params["generate"], check_mode)
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"the ssh key of {params['user']} could not be made or read: {error}") from error


def _identity(journal: Journal, user: str, name: str, generate: bool, check_mode: bool) -> dict[str, Any]:
    tree = journal.tree
    account = accounts.read(tree, {"nova_user": user})
    if account["user"] is None:
        raise ChangeFailed(f"{name} has no user {user}: name the user that runs nova-compute there")
    identity: dict[str, Any] = {"name": name, "public_keys": [], "host_keys": _host_keys(tree), "pending": False}
    used = [entry["path"] for entry in account["identities"] if entry["used"]]
    if used or not generate:
        identity["public_keys"] = [line for line in (_public_line(tree, path) for path in used) if line]
        return {"changed": False, "diff": [], "identity": identity}
    folder = os.path.join(account["home"], ".ssh")
    path = os.path.join(folder, "id_ed25519")
    for place in (folder, path, f"{path}.pub"):
        if os.path.islink(os.path.join(tree.root, place.lstrip("/"))):
            raise ChangeFailed(
                f"{place} on {name} is a symbolic link, and no key is written through it: make it a file"
            )
    line = f"(an ed25519 key that is made when this is applied) {user}@{name}"
    if check_mode:
        identity["pending"] = True
    else:
        if not tree.is_dir(folder):
            journal.make_dir(folder, mode=0o700, uid=account["uid"], gid=account["gid"])
        private, public = _generate(f"{user}@{name}")
        owner = {"uid": account["uid"], "gid": account["gid"]}
        journal.write_file(path, private, mode=0o600, **owner)
        journal.write_file(f"{path}.pub", public, mode=0o644, **owner)
        line = public.decode().strip()
        identity["public_keys"] = [line]
    return {"changed": True, "diff": [difference(f"{path}.pub", "", line + "\n")], "identity": identity}


def _host_keys(tree: Tree) -> list[str]:
    lines = []
    for path in tree.glob("/etc/ssh/ssh_host_*_key.pub"):
        key = _ssh_files.public_key(tree.read_text(path))
        if key:
            lines.append(f"{key.type} {key.blob}")
    return lines


def _public_line(tree: Tree, path: str) -> Optional[str]:
    """The public half of a private key: its .pub file if that is right, otherwise what ssh-keygen derives."""
    blob = _ssh_files.public_blob(tree.read_bytes(path))
    try:
        beside = _ssh_files.public_key(tree.read_text(f"{path}.pub"))
    except FileNotFoundError:
        beside = None
    if beside and blob in (None, beside.blob):
        return f"{beside.type} {beside.blob} {beside.comment}".strip()
    run = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", tree.path(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    return run.stdout.decode("utf-8", "replace").strip() or None


def _generate(comment: str) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "key")
        run = subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        if run.returncode:
            raise ChangeFailed(f"ssh-keygen made no key: {run.stderr.decode('utf-8', 'replace').strip()}")
        with open(path, "rb") as private, open(f"{path}.pub", "rb") as public:
            return private.read(), public.read()


def main() -> None:
    change_host(
        apply,
        {
            "user": {"type": "str", "default": "nova"},
            "name": {"type": "str", "required": True},
            "generate": {"type": "bool", "default": True},
        },
    )


if __name__ == "__main__":
    main()
