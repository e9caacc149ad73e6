# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, in nova's and placement's own databases, which consumers hold resources that nothing explains.

What is found is a hint. It says about which few consumers the APIs are to be asked (`recorded_allocations`), where they would
otherwise list every server of the cloud and every allocation, which takes nova and placement a thousand times as long.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any, Optional

from .. import _allocations
from .._model import Unavailable
from . import _interpreter, nova_cells, services
from ._allocation_records_program import PROGRAM
from ._tree import Tree

# A handful of statements; what takes time is the import of SQLAlchemy.
SECONDS = 60.0
# Of more, the APIs are better asked for everything at once.
MOST = 25


def read(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """{"doubted": [consumer], "servers": [those that nova has a record of], "newest": [the servers asked for last],
    "providers": `_allocations.fingerprint` of placement's resource providers, "count": {"consumer", "server", "resource
    provider"}}.

    None for a host whose services are not given both databases. options: as for `nova_cells`. Raises Unavailable where one of
    them, or one cell, cannot be read, and where more than MOST consumers are doubted.
    """
    found = {service.name: service for service in services.find(tree, options)}
    if not {"nova", "placement"} <= found.keys():
        return None
    [placement] = _urls(tree, found["placement"], "placement_database")
    api, base = _urls(tree, found["nova"], "api_database", "database")
    way = nova_cells.through_nova(tree, options, found["nova"])
    if not placement or way is None:
        return None
    owner = found["placement"]
    own = {"python": [owner.python], "user": owner.user if tree.is_live else None} if owner.python else way
    try:
        waiting = _start(way)  # it imports while placement's database is read
        try:
            held = _interpreter.answer(_start(own), {"do": "allocations", "url": placement}, SECONDS)
            request = {"do": "servers", "url": api, "base": base, "finished": sorted(_allocations.FINISHED)}
            known = _interpreter.answer(waiting, {**request, "consumers": held["consumers"]}, SECONDS)
        finally:
            _interpreter.end(waiting)
    except _interpreter.NOT_STARTED as error:
        raise Unavailable(f"the databases of nova and placement were not read: {error}") from error
    except _interpreter.ProgramFailed as failure:
        raise Unavailable(
            f"the databases of nova and placement were not read: {way['python'][0]} {failure}"
        ) from failure
    if "failed" in known:
        raise Unavailable(f"the database of cell {known['failed']} did not answer ({known['exception']})")
    if len(known["doubted"]) > MOST:
        raise Unavailable(f"{len(known['doubted'])} consumers are doubted, and the APIs are asked about {MOST} at most")
    return {
        "doubted": known["doubted"],
        "servers": known["servers"],
        "newest": known["newest"],
        "providers": _allocations.fingerprint(held["providers"]),
        "count": {
            "consumer": len(held["consumers"]),
            "server": known["count"],
            "resource provider": len(held["providers"]),
        },
    }


def _urls(tree: Tree, service: services.Service, *sections: str) -> list[str]:
    """Those of the first of a service's programs that is given the first of them."""
    found = (nova_cells.database_urls(tree, view, *sections) for view in service.views)
    return next((urls for urls in found if urls[0]), [""] * len(sections))


def _start(way: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    return _interpreter.start(_interpreter.isolated(way["python"], PROGRAM), way["user"])
