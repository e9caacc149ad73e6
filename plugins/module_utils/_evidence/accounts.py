# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what the ssh of nova's user rests on: its passwd entry and the kinds, modes and public keys of ~/.ssh.

No private key leaves the host, in whatever form: a key is named by the fingerprint of its public half.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Mapping
from typing import Any, Optional

from .. import _ssh_files
from .._model import Unavailable
from .._numbers import whole
from ._tree import Tree

# The names that ssh tries by itself (ssh_config(5), IdentityFile).
DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")
_KEY_FILE_LIMIT = 64 << 10
_SSHD_RULES = ("allowusers", "allowgroups", "denyusers", "denygroups", "forcecommand")


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The account that carries cold migrations on this host.

    options: nova_user ("nova").
    Returns {"user": None} where there is no such user; otherwise user, uid, home, shell, and
      directories: {"home" | "ssh": {"path", "mode", "foreign"}}; "ssh" only if there is a ~/.ssh. foreign: owned by
        somebody else than the user and root
      identities: [{"path", "mode", "foreign", "fingerprint", "used"}], used: ssh tries it without being told;
        fingerprint: "" when the public half is not to be had without the private one
      authorized_keys: {"path", "mode", "foreign"} or None; authorized: [{"fingerprint", "from": [...] or None}]
      strict_checking_off: the Host patterns of ~/.ssh/config for which host keys are not checked
      sshd: what sshd applies to this user: {"keys_elsewhere": bool, "rules": [names of Allow/Deny rules in force]}
    Raises Unavailable when the passwd file or ~/.ssh cannot be read.
    """
    user = str(options.get("nova_user") or "nova")
    account = passwd_entry(tree, user)
    if account is None:
        return {"user": None}
    home = account["home"]
    folder = os.path.join(home, ".ssh")
    directories = {"home": _file(tree, home, account["uid"]), "ssh": _file(tree, folder, account["uid"])}
    try:
        names = sorted(os.listdir(tree.path(folder)))
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise Unavailable(f"{folder} cannot be listed: {error.strerror}; run the check as root") from error
    config = _text(tree, os.path.join(folder, "config"))
    keys = _text(tree, os.path.join(folder, "authorized_keys"))
    return {
        **account,
        "directories": {name: facts for name, facts in directories.items() if facts},
        "identities": _identities(tree, account, folder, names, config),
        "authorized_keys": _file(tree, os.path.join(folder, "authorized_keys"), account["uid"]),
        "authorized": [
            {"fingerprint": _ssh_files.fingerprint(key.blob), "from": list(key.sources) if key.sources else None}
            for key in _ssh_files.authorized_keys(keys)
        ],
        "strict_checking_off": unchecked_hosts(config),
        "sshd": _sshd(user, folder) if tree.is_live else {"keys_elsewhere": False, "rules": []},
    }


def passwd_entry(tree: Tree, user: str) -> Optional[dict[str, Any]]:
    """{"user", "uid", "gid", "home", "shell"} of a user, None if there is none.

    A running host is asked through its name service, so that a user of a directory service is seen too.
    """
    if tree.is_live:
        import pwd

        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            return None
        return {"user": user, "uid": entry.pw_uid, "gid": entry.pw_gid, "home": entry.pw_dir, "shell": entry.pw_shell}
    try:
        text = tree.read_text("/etc/passwd")
    except FileNotFoundError as error:
        raise Unavailable("/etc/passwd is missing in this directory tree") from error
    for line in text.split("\n"):
        fields = line.split(":")
        if len(fields) == 7 and fields[0] == user:
            uid, gid = whole(fields[2]), whole(fields[3])
            if uid is not None and gid is not None:  # the C library passes over a line that is none
                return {"user": user, "uid": uid, "gid": gid, "home": fields[5], "shell": fields[6]}
    return None


def unchecked_hosts(config: str) -> list[str]:
    """The Host patterns of an ssh_config text under which StrictHostKeyChecking is switched off."""
    found, section = [], "*"
    for keyword, value in _settings(config):
        if keyword in ("host", "match"):
            section = value
        elif keyword == "stricthostkeychecking" and value.lower() in ("no", "off", "false"):
            found.append(section)
    return found


def _settings(config: str) -> list[tuple[str, str]]:
    """(keyword, value) of each line, as ssh reads it: comments may stand behind a value, and = between the two."""
    settings = []
    for line in config.split("\n"):
        match = re.match(r"([A-Za-z]+)(?:[ \t]*=[ \t]*|[ \t]+)", line.strip())
        if match:
            value = line.strip()[match.end() :]
            if value.startswith('"'):
                value = value[1:].partition('"')[0]
            else:
                value = re.split(r"[ \t]#", value, maxsplit=1)[0].strip()
            settings.append((match.group(1).lower(), value))
    return settings


def _identities(
    tree: Tree, account: Mapping[str, Any], folder: str, names: list[str], config: str
) -> list[dict[str, Any]]:
    named = [
        re.sub(r"^(~|%d)(?=/)", lambda _match: str(account["home"]), value)
        for keyword, value in _settings(config)
        if keyword == "identityfile"
    ]
    paths = dict.fromkeys([os.path.join(folder, name) for name in names] + named)
    identities = []
    for path in paths:
        try:
            content = tree.read_bytes(path, _KEY_FILE_LIMIT)
        except (FileNotFoundError, Unavailable):
            continue
        if not re.match(rb"\s*-----BEGIN [A-Z ]*PRIVATE KEY-----", content):
            continue
        blob = _ssh_files.public_blob(content)
        public = _ssh_files.public_key(_text(tree, path + ".pub"))
        identities.append(
            {
                **_file(tree, path, account["uid"]),
                "fingerprint": _ssh_files.fingerprint(blob or (public.blob if public else "")),
                "used": path in named or os.path.basename(path) in DEFAULT_IDENTITIES,
            }
        )
    return identities


def _text(tree: Tree, path: str) -> str:
    """The text of a file, "" when there is none; of one that is there and cannot be read, Unavailable."""
    try:
        return tree.read_text(path)
    except FileNotFoundError:
        return ""


def _file(tree: Tree, path: str, uid: int) -> Any:
    try:
        status = tree.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}; run the check as root") from error
    return {"path": path, "mode": f"{stat.S_IMODE(status.st_mode):04o}", "foreign": status.st_uid not in (0, uid)}


def _sshd(user: str, folder: str) -> dict[str, Any]:
    """What sshd -T says about this user; where sshd cannot be asked, nothing is claimed."""
    try:
        run = subprocess.run(
            ["sshd", "-T", "-C", f"user={user},host=localhost,addr=127.0.0.1"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
            env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return {"keys_elsewhere": False, "rules": []}
    return sshd_applies(run.stdout, folder)


def sshd_applies(text: str, folder: str) -> dict[str, Any]:
    """The same from the text of `sshd -T`: a keyword and its value on each line. folder: where the user's keys are."""
    settings = [line.partition(" ")[::2] for line in text.splitlines()]
    files = [value.split() for keyword, value in settings if keyword == "authorizedkeysfile"]
    usual = {".ssh/authorized_keys", "%h/.ssh/authorized_keys", os.path.join(folder, "authorized_keys")}
    return {
        "keys_elsewhere": bool(files) and not usual & set(files[0]),
        "rules": sorted({keyword for keyword, value in settings if keyword in _SSHD_RULES and value != "none"}),
    }
