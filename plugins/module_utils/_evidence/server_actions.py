# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what nova's API keeps of the requests about one server: its actions with their events, its fault, its migrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from .._model import Unavailable
from .._session import Cloud
from . import _nova, servers
from ._log_lines import shown

# The newest actions; each is asked for by itself.
MOST = 10


def read(cloud: Cloud, uuid: str) -> Optional[dict[str, Any]]:
    """What nova keeps of one server; None where it knows nothing of it.

    {"id", "server": as `servers` gives it, with "fault" {message, code, created} or None; None for a deleted server,
    "actions": [{action, request_id, started, updated, message, events: [{event, host, started, finished, result, details}]}],
    newest first, "migrations": [{kind, status, source_host, dest_host, created, updated}],
    "waits_on": the hosts that placement gave a server without a host, "gaps": [{reason}]}. Times are RFC 3339 in UTC or None.
    """
    gaps: list[dict[str, str]] = []
    row = (cloud.find("compute", f"/servers/{uuid}", microversion=_version(cloud, "2.98")) or {}).get("server")
    actions = _actions(cloud, uuid)
    if row is None and actions is None:
        return None
    server = None
    if row is not None:
        fault = row.get("fault")
        server = {
            **servers.of(row),
            "fault": fault
            and {
                "message": shown(fault.get("message", "")),
                "code": fault.get("code"),
                "created": fault.get("created"),
            },
        }
    found: dict[str, Any] = {"id": uuid, "server": server, "actions": list(actions or ())}
    for name, reader in (("migrations", _migrations), ("waits_on", _waits_on)):
        try:
            found[name] = reader(cloud, uuid) if server is not None else []
        except Unavailable as error:
            found[name] = []
            gaps.append({"reason": str(error)})
    return {**found, "gaps": gaps}


def _version(cloud: Cloud, newest: str) -> str:
    return cloud.newest_microversion("compute", newest)


def _actions(cloud: Cloud, uuid: str) -> Optional[list[dict[str, Any]]]:
    """Those of a deleted server too (2.21). Hosts and details of events: 2.62 and 2.84."""
    version = _version(cloud, "2.84")
    path = f"/servers/{uuid}/os-instance-actions"
    listed = cloud.find("compute", path, microversion=version)
    if listed is None:
        return None
    newest = sorted(listed["instanceActions"], key=lambda row: str(row["start_time"]), reverse=True)[:MOST]
    return [_action(cloud.get("compute", f"{path}/{row['request_id']}", microversion=version)) for row in newest]


def _action(document: dict[str, Any]) -> dict[str, Any]:
    row = document["instanceAction"]
    return {
        "action": row["action"],
        "request_id": row["request_id"],
        "started": _utc(row["start_time"]),
        "updated": _utc(row.get("updated_at")),
        "message": row.get("message") or "",
        "events": [
            {
                "event": event["event"],
                "host": event.get("host") or "",
                "started": _utc(event["start_time"]),
                "finished": _utc(event.get("finish_time")),
                "result": event.get("result") or "",
                "details": shown(event.get("details") or _last_line(event.get("traceback"))),
            }
            for event in sorted(row.get("events") or (), key=lambda event: str(event["start_time"]))
        ],
    }


def _last_line(traceback: Optional[str]) -> str:
    return ((traceback or "").strip().splitlines() or [""])[-1]


def _migrations(cloud: Cloud, uuid: str) -> list[dict[str, Any]]:
    version = _version(cloud, "2.80")
    return [
        {
            "kind": row.get("migration_type", ""),
            "status": row.get("status", ""),
            "source_host": row.get("source_compute") or "",
            "dest_host": row.get("dest_compute") or "",
            "created": _utc(row.get("created_at")),
            "updated": _utc(row.get("updated_at")),
        }
        for row in _some(_nova.pages(cloud, "/os-migrations", "migrations", version, instance_uuid=uuid))
    ]


def _some(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for _number, row in zip(range(MOST), rows):  # noqa: B905 - Python 3.9 has no strict
        yield row


def _waits_on(cloud: Cloud, uuid: str) -> list[str]:
    """The names of the resource providers that placement has for it."""
    allocations = cloud.get("placement", f"/allocations/{uuid}", microversion="1.12")["allocations"]
    found = []
    for provider in sorted(allocations)[:MOST]:
        row = cloud.get("placement", f"/resource_providers/{provider}", microversion="1.14")
        root = row.get("root_provider_uuid")
        if root and root != provider:
            row = cloud.get("placement", f"/resource_providers/{root}", microversion="1.14")
        found.append(row["name"])
    return sorted(set(found))


def _utc(text: Optional[str]) -> Optional[str]:
    """nova's times are UTC and do not say so."""
    return text.rstrip("Z") + "Z" if text else None
