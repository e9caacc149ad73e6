#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module cell_mapping: map computes and servers to their cell."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cell_mapping
short_description: Map computes and servers to the cell whose database has them
version_added: 0.1.0
description:
  - Runs C(nova-manage cell_v2 discover_hosts) for computes, with C(--by-service) where the plain run does not find them, and
    never twice at the same time on this host.
  - Gives servers the mapping that C(nova-manage cell_v2 map_instances) would give them, and no other server of the cell.
  - Nothing is changed while the database of any cell does not answer.
  - Run it on one host that has nova-manage and nova's API database.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.discovery
  - stackmend.openstack.journal
options:
  hosts:
    description: The computes to map.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: The host as nova-compute names it.
        type: str
        required: true
      cell:
        description: Uuid of the cell whose database has it.
        type: str
        required: true
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
  servers:
    description: The servers to map.
    type: list
    elements: dict
    default: []
    suboptions:
      server:
        description: Uuid of the server.
        type: str
        required: true
      cell:
        description: Uuid of the cell whose database has it.
        type: str
        required: true
      subject:
        description: What to call the wish in RV(gone).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Map a new compute
  stackmend.openstack.cell_mapping:
    hosts:
      - host: compute7
        cell: 5f0a3b3e-8e0c-4c1b-9d5e-0d7f0b1b2c3d
"""

RETURN = r"""
gone:
  description: The subjects of wishes whose cell no longer has the compute or server; they were left alone.
  returned: success
  type: list
  elements: str
mapped:
  description: The computes and servers that were mapped.
  returned: success
  type: list
  elements: str
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils import _cell_mappings as cells
from ansible_collections.stackmend.openstack.plugins.module_utils import _discovery, _nova_programs
from ansible_collections.stackmend.openstack.plugins.module_utils._change import change_host, difference, lines, wishes
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Map what is not mapped yet."""
    through = _nova_programs.find(params)
    diff: list[dict[str, str]] = []
    gone: list[str] = []
    mapped: list[str] = []
    for cell, mine in _by_cell(params["hosts"]):
        before = cells.state(through)
        there = {entry["host"]: entry for entry in before["computes"] if entry["cell"] == cell}
        gone += [wish["subject"] or wish["host"] for wish in mine if wish["host"] not in there]
        wanted = [w["host"] for w in mine if w["host"] in there and w["host"] not in before["hosts"]]
        if not wanted:
            continue
        # A discovery maps every compute of the cell that it finds, not only those that were asked for.
        all_new = sorted({*wanted, *(host for host in there if host not in before["hosts"])})
        if check_mode:
            diff.append(_difference(cell, before["hosts"], {**before["hosts"], **dict.fromkeys(wanted, cell)}))
            continue
        for host in all_new:
            journal.record(
                "host_mapping", host=host, name=host, cell=cell, mapped=there[host]["mapped"], through=through
            )
        with _alone(journal):
            after = cells.discover(through, cell, wanted)
        diff.append(_difference(cell, before["hosts"], after))
        mapped += sorted(set(after) - set(before["hosts"]))
        missing = [host for host in wanted if host not in after]
        if missing:
            raise ChangeFailed(
                f"nova-manage cell_v2 discover_hosts, also with --by-service, did not map {', '.join(missing)}"
            )
    for cell, mine in _by_cell(params["servers"]):
        before = cells.state(through)
        missing_here = {entry["server"] for entry in before["unmapped"] if entry["cell"] == cell}
        elsewhere = {entry["server"] for entry in before["unmapped"] if entry["cell"] != cell}
        wanted = [w["server"] for w in mine if w["server"] in missing_here and w["server"] not in elsewhere]
        gone += [w["subject"] or w["server"] for w in mine if w["server"] in elsewhere]
        if not wanted:
            continue
        diff.append(_difference(cell, {}, dict.fromkeys(wanted, cell)))
        if not check_mode:
            for server in wanted:
                journal.record("server_mapping", server=server, name=server, cell=cell, through=through)
            mapped += cells.map_servers(through, cell, wanted)
    return {
        "changed": any(entry["before"] != entry["after"] for entry in diff),
        "diff": diff,
        "gone": gone,
        "mapped": mapped,
    }


def _by_cell(asked: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for cell in dict.fromkeys(wish["cell"] for wish in asked):
        yield cell, [wish for wish in asked if wish["cell"] == cell]


def _difference(cell: str, before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    of_cell = [lines(sorted(name for name in mapped if mapped[name] == cell)) for mapped in (before, after)]
    return difference(f"mappings to cell {cell}", *of_cell)


@contextmanager
def _alone(journal: Journal) -> Iterator[None]:
    """Two discoveries at once collide; those of nova's own scheduler are met by trying again."""
    with open(os.path.join(os.path.dirname(journal.directory), "discover_hosts.lock"), "w", encoding="utf-8") as lock:
        os.fchmod(lock.fileno(), 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    cell = {"cell": {"type": "str", "required": True}}
    change_host(
        apply,
        {
            "hosts": wishes({"host": {"type": "str", "required": True}, **cell}, required=False),
            "servers": wishes({"server": {"type": "str", "required": True}, **cell}, required=False),
            **_discovery.ARGUMENTS,
        },
    )


if __name__ == "__main__":
    main()
