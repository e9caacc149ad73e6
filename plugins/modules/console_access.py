#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module console_access: let the console proxies, and only them, through this host's packet filter."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_access
short_description: Let the console proxies reach the console ports of this compute
version_added: 0.1.0
description:
  - Puts an ACCEPT for each source and range of TCP ports before the first rule that drops or rejects such a connection, with
    iptables or nft, whichever has that rule. Where nothing is in the way nothing is changed.
  - Puts the same rule into the file from which the host loads its rules, if there is one and it holds such a rule too
    (F(/etc/iptables/rules.v4), F(/etc/sysconfig/iptables), their IPv6 counterparts, F(/etc/nftables.conf)).
  - Other rules and chains are not touched, and nothing is reloaded or restarted.
  - Refuses where firewalld or ufw makes the rules, and where a rule cannot be judged.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  wishes:
    description: Who may connect to which ports.
    type: list
    elements: dict
    required: true
    suboptions:
      source:
        description: Address of a console proxy.
        type: str
        required: true
      first:
        description: First TCP port of its range.
        type: int
        default: 5900
      last:
        description: Last TCP port of its range.
        type: int
        default: 6100
      address:
        description: The address of this host that the proxy connects to, for hosts whose rules name addresses of their own.
        type: str
        default: ''
      interface:
        description: The interface by which the proxy's packets come in, for hosts whose rules name interfaces.
        type: str
        default: ''
      subject:
        description: What to call the wish in RV(left).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Let a console proxy reach the consoles
  stackmend.openstack.console_access:
    wishes:
      - source: 192.0.2.11
"""

RETURN = r"""
left:
  description: Wishes that were left alone, each with C(subject) and C(reason).
  returned: success
  type: list
  elements: dict
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _console_access as access
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Admit each source that something keeps out."""
    return access.admit(journal, params["wishes"], check_mode)


def main() -> None:
    change_host(
        apply,
        {
            "wishes": wishes(
                {
                    "source": {"type": "str", "required": True},
                    "first": {"type": "int", "default": 5900},
                    "last": {"type": "int", "default": 6100},
                    "address": {"type": "str", "default": ""},
                    "interface": {"type": "str", "default": ""},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
