# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Map hosts and servers to the cell whose database has them, by nova's own programs; and undo it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ._evidence._cells_program import PROGRAM
from ._evidence._tree import Tree
from ._model import ChangeFailed
from ._nova_programs import ask, manage

# nova-manage's own status for "another discovery is at work" (doc/source/cli/nova-manage.rst).
_COLLISION = 2
ATTEMPTS = 4
RETRY_SECONDS = 30.0


def state(through: Mapping[str, Any]) -> Mapping[str, Any]:
    """The cells as they are now (nova_cells.read). Raises ChangeFailed when one of them did not answer."""
    seen: Mapping[str, Any] = ask(through, PROGRAM, do="read")
    silent = [cell["name"] or cell["uuid"] for cell in seen["cells"] if cell["error"]]
    if silent:
        raise ChangeFailed(f"the database of cell {', '.join(silent)} did not answer; nothing was changed")
    return seen


def discover(through: Mapping[str, Any], cell: str, hosts: Iterable[str]) -> dict[str, str]:
    """Map the hosts of one cell, the way that finds them; {host: cell} of all hosts, afterwards.

    A plain discovery looks at compute nodes that were never mapped; --by-service at every compute that has no mapping.
    """
    missing = set(hosts)
    mapped: dict[str, str] = {}
    for how in ([], ["--by-service"]):
        for attempt in range(ATTEMPTS):
            status, said = manage(through, "cell_v2", "discover_hosts", "--cell_uuid", cell, *how)
            if status != _COLLISION:
                break
            if attempt + 1 < ATTEMPTS:
                time.sleep(RETRY_SECONDS)
        if status:
            raise ChangeFailed(f"nova-manage cell_v2 discover_hosts ended with status {status}: {said}")
        mapped = dict(state(through)["hosts"])
        if missing <= set(mapped):
            return mapped
    return mapped


def map_servers(through: Mapping[str, Any], cell: str, servers: list[str]) -> list[str]:
    """Give servers the mapping that map_instances would give them; those that had none."""
    return list(ask(through, PROGRAM, do="map_servers", cell=cell, servers=servers)["done"])


def undo_host(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo a journal entry of kind host_mapping: {"host", "cell", "mapped": flag of its nodes, "through"}."""
    through, host = entry["through"], entry["host"]
    now = state(through)["hosts"]
    if host not in now:
        return "unchanged", ""
    if now[host] != entry["cell"]:
        return "conflict", f"{host} is mapped to another cell now and was left alone"
    if check_mode:
        return "would_restore", ""
    status, said = manage(through, "cell_v2", "delete_host", "--cell_uuid", entry["cell"], "--host", host)
    if status:
        return "conflict", f"nova-manage cell_v2 delete_host {host} ended with status {status}: {said}"
    # delete_host marks the nodes as never mapped, which they need not have been.
    ask(through, PROGRAM, do="set_mapped", cell=entry["cell"], hosts={host: entry["mapped"]})
    return "restored", ""


def undo_server(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo a journal entry of kind server_mapping: {"server", "cell", "through"}."""
    through, server = entry["through"], entry["server"]
    if any(missing["server"] == server for missing in state(through)["unmapped"]):
        return "unchanged", ""
    if check_mode:
        return "would_restore", ""
    done = ask(through, PROGRAM, do="unmap_servers", servers=[server])["done"]
    return ("restored", "") if done else ("unchanged", "")
