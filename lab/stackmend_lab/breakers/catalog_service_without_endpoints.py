# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F02: a second service of a type, without endpoints, comes first in the catalogue."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any

from ..lab import Lab
from ._breaker import Breaker
from ._changes import Changes

FAULT = "catalog_service_without_endpoints"
NAME = "left-over"


def break_(lab: Lab) -> None:
    """A second network service, before the one that works.

    keystone asks for services in no order. InnoDB gives them by id, which is random; SQLite as they came, so that the
    new row has to be put first. The rename makes keystone forget the catalogue it remembers.
    """
    service = Changes(lab, FAULT).create_service(NAME, "network")
    with contextlib.closing(sqlite3.connect(lab.layout.data / "keystone.sqlite", timeout=60)) as database, database:
        database.execute("update service set rowid = -1 where id = ?", (service,))
    with lab.cloud() as cloud:
        cloud.identity.update_service(service, description="Left over from a migration")


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """What Horizon makes of a new token's catalogue: of each type the first service, which must have a URL."""
    with lab.cloud() as cloud:
        catalogue = cloud.session.auth.get_access(cloud.session).service_catalog.catalog
    first: dict[str, Any] = {}
    for service in catalogue:
        first.setdefault(service["type"], service)
    works = {service["type"] for service in catalogue if service["endpoints"]}
    broken = [kind for kind, service in first.items() if not service["endpoints"] and kind in works]
    return f"Invalid service catalog: {broken[0]}, of which another service has endpoints" if broken else None


def _service(kind: str, **fields: Any) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        Changes(lab, FAULT).create_service(NAME, kind, **fields)

    return near_miss


def _blue_and_green(lab: Lab) -> None:
    with lab.cloud() as cloud:
        (twin,) = cloud.identity.services(type="network")
        present = list(cloud.identity.endpoints(service_id=twin.id))
        green = Changes(lab, FAULT).create_service("green", "network")
        for endpoint in present:
            cloud.identity.create_endpoint(
                service_id=green, interface=endpoint.interface, url=endpoint.url, region_id=endpoint.region_id
            )


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "twins that both have endpoints": _blue_and_green,
        "a twin that is disabled": _service("network", is_enabled=False),
        "the only service of its type, which is an alias of one that works": _service("compute_legacy"),
    },
    recorded="Horizon: its message and its rule, to take the first service of a type, are those of "
    "openstack_dashboard/api/base.py; the catalogue that it is applied to is that of a real token.",
)
