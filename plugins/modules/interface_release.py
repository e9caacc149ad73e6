#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module interface_release: one manager of the network leaves an interface to another."""

from __future__ import annotations

DOCUMENTATION = r"""
module: interface_release
short_description: Tell a manager of the network to leave an interface alone
version_added: 0.1.0
description:
  - Tells NetworkManager, systemd-networkd or ifupdown in its own files to leave an interface to another manager, and deletes the
    default routes that it had made. No service is stopped and no interface is taken down.
  - Before anything is changed, a timer of systemd is set that puts everything back. It is stopped by O(state=confirmed), once the
    host has been reached again.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  released:
    description: The interfaces.
    type: list
    elements: dict
    required: true
    suboptions:
      interface:
        description: Name of the interface.
        type: str
        required: true
      manager:
        description: The manager that leaves it alone from now on.
        type: str
        choices: [NetworkManager, systemd-networkd, ifupdown]
        required: true
      routes:
        description: Default routes of that manager, which are deleted.
        type: list
        elements: dict
        default: []
        suboptions:
          family:
            description: IPv4 or IPv6.
            type: int
            choices: [4, 6]
            default: 4
          words:
            description: The route, as a list of the words that C(ip route) shows.
            type: list
            elements: str
            required: true
      subject:
        description: The finding that the wish remedies, for RV(gone).
        type: str
        default: ''
  state:
    description:
      - V(released) makes the change and sets the timer.
      - V(confirmed) only stops the timer of the run.
    type: str
    choices: [released, confirmed]
    default: released
  restore_seconds:
    description: After how many seconds everything is put back unless it was confirmed. 0 sets no timer.
    type: int
    default: 120
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Leave eth1 to systemd-networkd
  stackmend.openstack.interface_release:
    run_id: leave-eth1
    released:
      - interface: eth1
        manager: ifupdown

- name: The host can be reached, so let it be
  stackmend.openstack.interface_release:
    run_id: leave-eth1
    state: confirmed
    released: []
"""

RETURN = r"""
edited:
  description: The files that were changed.
  returned: success
  type: list
  elements: str
gone:
  description: The subjects of wishes of which nothing was left to change.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils import _default_routes
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import network_managers
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed

RELOAD = {"NetworkManager": ["nmcli", "general", "reload"], "systemd-networkd": ["networkctl", "reload"]}
_FILES = {
    "NetworkManager": (
        "/etc/NetworkManager/conf.d/90-stackmend-{0}.conf",
        "[keyfile]\nunmanaged-devices+=interface-name:{0}\n",
    ),
    "systemd-networkd": (
        "/etc/systemd/network/00-stackmend-{0}.network",
        "[Match]\nName={0}\n\n[Link]\nUnmanaged=yes\n",
    ),
}


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Let each interface go, or let the change stand."""
    if not journal.tree.is_live:
        raise ChangeFailed("the network of a directory that stands for a host cannot be changed; nothing was changed")
    if params["state"] == "confirmed":
        return _confirm(journal, check_mode)
    files: dict[str, Optional[str]] = {}
    routes: list[tuple[int, list[str], str]] = []
    managers: list[str] = []
    gone = []
    for wish in params["released"]:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", wish["interface"]):
            raise ChangeFailed(f"{wish['interface']!r} is no name of an interface; nothing was changed")
        edits = _edits(journal.tree, wish["manager"], wish["interface"])
        here = []
        for route in wish["routes"]:
            place = _default_routes.place(route["family"], route["words"])
            if place:
                here.append((route["family"], route["words"], place))
        if not edits and not here:
            gone.append(wish["subject"] or wish["interface"])
            continue
        files.update(edits)
        routes += [route for route in here if route not in routes]
        if edits and wish["manager"] not in managers:
            managers.append(wish["manager"])
    reloads = [RELOAD[manager] for manager in managers if manager in RELOAD]
    before = {path: _content(journal.tree, path) for path in files}
    if (files or routes) and not check_mode:
        if params["restore_seconds"]:
            _set_timer(journal, before, routes, reloads, params["restore_seconds"])
        for reload in reloads:
            journal.restart(reload, [reload[0]])
        for path, text in files.items():
            journal.write_file(path, (text or "").encode(), mode=None if before[path] is not None else 0o644)
        for reload in reloads:
            _run(reload)
        for family, words, place in routes:
            journal.record("default_route", name=" ".join(words), family=family, words=words, place=place)
            _default_routes.delete(family, words)
    diff = [difference(path, before[path] or "", files[path] or "") for path in files]
    if routes:
        diff.append(
            difference("default routes", "".join(f"{' '.join(words)}\n" for _family, words, _place in routes), "")
        )
    return {"changed": bool(files or routes), "edited": list(files), "diff": diff, "gone": gone}


def _edits(tree: Tree, manager: str, interface: str) -> dict[str, Optional[str]]:
    """{path: new text} of the files that have to change; empty when the manager leaves the interface alone already."""
    if manager in _FILES:
        path, text = (part.format(interface) for part in _FILES[manager])
        return {} if _content(tree, path) == text else {path: text}
    edits: dict[str, Optional[str]] = {}
    for path in network_managers.interfaces_files(tree):
        text = tree.read_text(path)
        after = "".join(_without(line, interface) for line in text.splitlines(keepends=True))
        if after != text:
            edits[path] = after
    return edits


def _without(line: str, interface: str) -> str:
    """A line of ifupdown's without bringing up the interface by itself; its stanza stays, for whoever wants it by hand."""
    words = line.split()
    if len(words) < 2 or words[0] not in ("auto", "allow-auto", "allow-hotplug") or interface not in words[1:]:
        return line
    rest = [word for word in words[1:] if word != interface]
    return f"{words[0]} {' '.join(rest)}\n" if rest else ""


def _content(tree: Tree, path: str) -> Optional[str]:
    try:
        return tree.read_text(path)
    except FileNotFoundError:
        return None


# -- the way back for a host that cannot be reached any more ---------------------------------------------------------------


def _unit(journal: Journal) -> str:
    return "stackmend-restore-" + re.sub(r"[^A-Za-z0-9_-]", "-", journal.run_id)


def _set_timer(
    journal: Journal,
    before: Mapping[str, Optional[str]],
    routes: Sequence[tuple[int, list[str], str]],
    reloads: Sequence[list[str]],
    seconds: int,
) -> None:
    """Let systemd put everything back after a while, without Ansible, the network or this module."""
    lines = ["set +e"]
    for path, text in before.items():
        lines.append(
            f"rm -f {shlex.quote(path)}" if text is None else f"printf %s {shlex.quote(text)} >{shlex.quote(path)}"
        )
    lines += [shlex.join(reload) for reload in reloads]
    lines += [shlex.join(["ip", f"-{family}", "route", place, *words]) for family, words, place in routes]
    script = "\n".join(lines) + "\n"
    _run(
        [
            "systemd-run",
            f"--unit={_unit(journal)}",
            f"--on-active={seconds}",
            "--timer-property=AccuracySec=1s",
            "/bin/sh",
            "-c",
            script,
        ]
    )


def _confirm(journal: Journal, check_mode: bool) -> dict[str, Any]:
    timer = f"{_unit(journal)}.timer"
    shown = subprocess.run(["systemctl", "is-active", timer], capture_output=True, text=True, timeout=30, check=False)
    waiting = shown.stdout.strip() == "active"
    if waiting and not check_mode:
        _run(["systemctl", "stop", timer])
    return {"changed": waiting, "edited": [], "diff": [], "gone": []}


def _run(command: Sequence[str]) -> None:
    try:
        run = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"{command[0]} could not be run: {error}") from error
    if run.returncode:
        said = (run.stderr or run.stdout).strip()
        raise ChangeFailed(
            f"{' '.join(command[:2])} failed: {said}; what was changed is put back by the timer, or by a rollback"
        )


def main() -> None:
    change_host(
        apply,
        {
            "released": wishes(
                {
                    "interface": {"type": "str", "required": True},
                    "manager": {
                        "type": "str",
                        "choices": ["NetworkManager", "systemd-networkd", "ifupdown"],
                        "required": True,
                    },
                    "routes": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "family": {"type": "int", "choices": [4, 6], "default": 4},
                            "words": {"type": "list", "elements": "str", "required": True},
                        },
                    },
                }
            ),
            "state": {"type": "str", "choices": ["released", "confirmed"], "default": "released"},
            "restore_seconds": {"type": "int", "default": 120},
        },
    )


if __name__ == "__main__":
    main()
