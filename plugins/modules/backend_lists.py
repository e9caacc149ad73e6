#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module backend_lists: which RabbitMQ or memcached servers a configuration file names."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_lists
short_description: Set the RabbitMQ or memcached servers in the configuration of OpenStack services
version_added: 0.1.0
description:
  - Puts a list of servers in place of the one that a configuration file names, in the line that counts for C(oslo.config).
  - Of a C(transport_url) the user, password, virtual host and query stay as they are; each server gets the credentials that the
    URL has for it, or those of its first server that has any. They are in no argument, result, difference or log.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.journal
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the servers of a C(transport_url) and whether they have credentials, not the URL.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
options:
  lists:
    description: Which servers each option should name.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The configuration file.
        type: path
        required: true
      section:
        description: The section.
        type: str
        default: DEFAULT
      option:
        description: The option. It must be set in the file.
        type: str
        required: true
      form:
        description: Whether the option is a C(transport_url) or a list of memcached servers.
        type: str
        choices: [transport_url, memcached]
        required: true
      hosts:
        description: The servers, each as C(host:port), in their order.
        type: list
        elements: str
        required: true
      expect:
        description:
          - Fingerprint of the value that was judged, as a finding gives it. With it a value that has become another one is left
            alone, and returned in RV(gone).
        type: str
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
  restarts:
    description:
      - Commands that make the change take effect. They are not run but kept in the journal, when something is changed, so that
        undoing the run makes them too.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: What is restarted.
        type: str
        required: true
      command:
        description: The command and its arguments.
        type: list
        elements: str
        required: true
      unit:
        description: The systemd unit that is restarted, if it is one.
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Give nova both members of the RabbitMQ cluster
  stackmend.openstack.backend_lists:
    lists:
      - path: /etc/nova/nova.conf
        option: transport_url
        form: transport_url
        hosts: ['rabbit1:5672', 'rabbit2:5672']
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose value had changed meanwhile; they were left alone.
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

from ansible_collections.stackmend.openstack.plugins.module_utils import _transport_url
from ansible_collections.stackmend.openstack.plugins.module_utils._change import (
    RESTARTS,
    change_host,
    difference,
    lines,
    wishes,
    write,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._oslo_files import (
    ParseError,
    fingerprint,
    normal,
    parse,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.oslo_config import host_key
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.module_utils._oslo_edits import apply as edit


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Carry the wishes out, or only tell what they would do; nothing is written before all are known to be possible."""
    tree, key = journal.tree, host_key(journal.tree)
    texts: dict[str, str] = {}
    before: dict[str, str] = {}
    gone: list[str] = []
    diff: list[dict[str, str]] = []
    for wish in params["lists"]:
        path, name = wish["path"], f"{wish['path']} [{wish['section']}] {wish['option']}"
        try:
            if path not in texts:
                texts[path] = before[path] = tree.read_text(path)
            found = [
                entry
                for entry in parse(texts[path])
                if normal(entry.section) == normal(wish["section"]) and entry.key == wish["option"]
            ]
        except FileNotFoundError:
            raise ChangeFailed(f"{path} does not exist; nothing was changed. Correct the path") from None
        except ParseError as error:
            raise ChangeFailed(
                f"{path} line {error.line} cannot be parsed; nothing was changed. Correct that line first"
            ) from None
        now = found[-1].value if found else ""
        wanted = _value(now, wish)
        if wanted == now and found:
            continue
        if not found or (wish["expect"] and fingerprint(now, key) != wish["expect"]):
            gone.append(wish["subject"] or name)
            continue
        if wanted is None:
            raise ChangeFailed(f"{name} gives no server credentials that another could be given; nothing was changed")
        outcome = edit(
            texts[path], [{**wish, "state": "present", "value": wanted, "expect": None, "secret": True}], key
        )
        texts[path] = outcome.text
        diff.append(difference(name, lines(_shown(now, wish)), lines(_shown(wanted, wish))))
    changed = [path for path, text in texts.items() if text != before[path]]
    if changed and not check_mode:
        write(journal, {path: texts[path] for path in changed}, params["restarts"])
    return {"changed": bool(changed), "diff": diff, "gone": gone}


def _value(now: str, wish: Mapping[str, Any]) -> Any:
    """The value with the wished servers; the present one where it means that already."""
    hosts = wish["hosts"]
    if wish["form"] == "memcached":
        same = [_transport_url.host_port(part, 11211) for part in now.split(",")]
        return now if same == [_transport_url.host_port(part, 11211) for part in hosts] else ",".join(hosts)
    url = _transport_url.parse(now)
    if url and all(node.password is not None for node in url.nodes):
        wanted = [_transport_url.host_port(part, _transport_url.PORT) for part in hosts]
        if {(node.host, node.port) for node in url.nodes} == set(wanted):
            return now  # the order of a transport_url decides nothing
    return _transport_url.with_hosts(now, hosts)


def _shown(value: str, wish: Mapping[str, Any]) -> list[str]:
    if wish["form"] == "memcached":
        return value.split(",")
    url = _transport_url.parse(value)
    return _transport_url.shown(url.nodes) if url else []


def main() -> None:
    change_host(
        apply,
        {
            "lists": wishes(
                {
                    "path": {"type": "path", "required": True},
                    "section": {"type": "str", "default": "DEFAULT"},
                    "option": {"type": "str", "required": True},
                    "form": {"type": "str", "required": True, "choices": ["transport_url", "memcached"]},
                    "hosts": {"type": "list", "elements": "str", "required": True},
                    "expect": {"type": "str"},
                }
            ),
            "restarts": RESTARTS,
        },
    )


if __name__ == "__main__":
    main()
