# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the APIs about the few consumers that the databases of nova and placement do not explain (`allocation_records`).

What the databases say is not believed for itself: it has to be the same cloud's, and whatever is doubted is read through the
APIs before it is judged, in the form in which everything else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .. import _allocations
from .._session import Cloud
from . import _nova, consumers, hypervisors, migrations, placement, resource_providers


class RecordedReader:
    """Gives the evidence of _allocations.READERS by the reader's name, of the doubted consumers alone.

    records: what `allocation_records` read.
    """

    def __init__(self, cloud: Cloud, records: Mapping[str, Any]) -> None:
        self._cloud = cloud
        self._records = records
        self._evidence: Optional[dict[str, Any]] = None

    def __call__(self, name: str) -> Any:
        if self._evidence is None:
            self._evidence = _read(self._cloud, self._records)
        return self._evidence[name]


def of_this_cloud(cloud: Cloud, records: Mapping[str, Any]) -> bool:
    """Whether the databases are those of the cloud whose APIs are asked, and as new: not another's, nor an old copy.

    The same resource providers, and the server that was asked for last.
    """
    providers = [row["uuid"] for row in resource_providers.read(cloud)["providers"]]
    version = cloud.newest_microversion("compute", "2.69")
    newest = cloud.get("compute", "/servers?all_tenants=1&limit=1", microversion=version)["servers"]
    return records["providers"] == _allocations.fingerprint(providers) and all(
        row["id"] in records["newest"] for row in newest
    )


def _read(cloud: Cloud, records: Mapping[str, Any]) -> dict[str, Any]:
    doubted = records["doubted"]
    rows, sharing = placement.providers(cloud)
    holds = {consumer: consumers.allocations(cloud, consumer)["holds"] for consumer in doubted}
    moves = migrations.read(cloud)
    asked = {*doubted, *(move["server"] for move in moves["migrations"] if move["uuid"] in holds)}
    shown, gaps = consumers.details(cloud, sorted(asked))
    gaps += _nova.of_other_projects(cloud, "servers")
    restorable = {server for server, row in shown.items() if row["status"] == "SOFT_DELETED"}
    names = {server: row["name"] for server, row in shown.items()}
    # Of one that cannot be shown, such as one without its instance mapping, nova's own record is enough.
    names = {**dict.fromkeys(records["servers"], ""), **names}
    roots = {rows[provider]["root"] for held in holds.values() for provider in held}
    evidence = {
        "placement": {
            "providers": rows,
            "sharing": sharing,
            "consumers": {consumer: held for consumer, held in holds.items() if held},
            "gaps": [],
            "read": "the databases of nova and placement, then GET /allocations/{consumer}, /servers/{uuid}, /os-migrations",
        },
        "server_names": {
            "names": {server: name for server, name in names.items() if server not in restorable},
            "gaps": gaps,
        },
        "migrations": moves,
        "hypervisors": hypervisors.some(cloud, sorted(roots)),
    }
    assert {*evidence, "consumers"} == {*_allocations.READERS}
    return {**evidence, "consumers": consumers.read(cloud, evidence.__getitem__)}
