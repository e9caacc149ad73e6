#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module selinux_settings: booleans of SELinux and types of ports."""

from __future__ import annotations

DOCUMENTATION = r"""
module: selinux_settings
short_description: Set booleans of SELinux and give types to ports
version_added: 0.1.0
description:
  - Sets booleans for good (C(setsebool -P)) and gives a type to TCP ports that have none (C(semanage port -a)).
  - A port that has a type already is never given another one, since rules of other domains rest on it.
  - It never switches SELinux off and never makes it permissive.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  booleans:
    description: The booleans.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the boolean.
        type: str
        required: true
      value:
        description: Its value.
        type: bool
        required: true
      subject:
        description: The finding that the wish remedies.
        type: str
        default: ''
  ports:
    description: The TCP ports.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: Number of the port.
        type: int
        required: true
      type:
        description: The type that it is to have.
        type: str
        required: true
      subject:
        description: The finding that the wish remedies.
        type: str
        default: ''
  restarts:
    description:
      - Units that are started after this, so that a rollback restarts them once the old settings are back.
      - This module starts nothing.
    type: list
    elements: str
    default: []
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Keystone may listen on port 5000 under httpd
  stackmend.openstack.selinux_settings:
    booleans:
      - name: httpd_use_openstack
        value: true
"""

RETURN = r"""
gone:
  description: Always empty; what is as wished already is no change.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _selinux
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring booleans and ports to what is wished; nothing is changed before all wishes are known to be possible."""
    if not journal.tree.is_live:
        raise ChangeFailed("SELinux of a directory that stands for a host cannot be changed; nothing was changed")
    switched: dict[str, tuple[bool, bool]] = {}
    for wish in params["booleans"]:
        now = _selinux.boolean(wish["name"])
        if now is None:
            raise ChangeFailed(f"the policy of this host has no boolean {wish['name']}; nothing was changed")
        if now != wish["value"]:
            switched[wish["name"]] = (now, wish["value"])
    typed: dict[int, str] = {}
    for wish in params["ports"]:
        if not 0 < wish["port"] < 65536:
            raise ChangeFailed(f"{wish['port']} is no port; nothing was changed")
        have = _selinux.port_types(wish["port"])
        if wish["type"] in have:
            continue
        special = [kind for kind in have if kind not in ("unreserved_port_t", "ephemeral_port_t", "port_t")]
        if special:
            raise ChangeFailed(
                f"port {wish['port']} has the type {special[0]}, which rules of other services rest on; nothing was changed"
            )
        typed[wish["port"]] = wish["type"]
    changed = bool(switched or typed)
    if changed and not check_mode:
        for unit in params["restarts"]:
            journal.restart(["systemctl", "restart", unit], [unit])
        for name, (before, after) in switched.items():
            journal.record("selinux_boolean", name=name, before=before, after=after)
            _selinux.set_boolean(name, after)
        for port, kind in typed.items():
            journal.record("selinux_port", name=f"tcp {port}", port=port, type=kind)
            _selinux.add_port(port, kind)
    words = {True: "on\n", False: "off\n"}
    diff = [difference(f"SELinux boolean {name}", words[old], words[new]) for name, (old, new) in switched.items()]
    diff += [difference(f"SELinux type of port {port}", "", f"{kind}\n") for port, kind in typed.items()]
    return {"changed": changed, "diff": diff, "gone": []}


def main() -> None:
    change_host(
        apply,
        {
            "booleans": wishes(
                {"name": {"type": "str", "required": True}, "value": {"type": "bool", "required": True}}, required=False
            ),
            "ports": wishes(
                {"port": {"type": "int", "required": True}, "type": {"type": "str", "required": True}}, required=False
            ),
            "restarts": {"type": "list", "elements": "str", "default": []},
        },
    )


if __name__ == "__main__":
    main()
