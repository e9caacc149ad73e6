# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""catalog_service_without_endpoints (F02): a service without endpoints stands in the catalogue beside the one that works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

Row = Mapping[str, Any]


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"catalog": what the reader catalog gives}."""
    catalog = evidence["catalog"]
    types: dict[str, list[Row]] = {}
    for service in catalog["services"]:
        if service["enabled"]:
            types.setdefault(service["type"], []).append(service)
    endpoints: dict[str, list[Row]] = {}
    for endpoint in catalog["endpoints"]:
        endpoints.setdefault(endpoint["service"], []).append(endpoint)
    for twins in types.values():
        working = [twin for twin in twins if _usable(endpoints.get(twin["id"], ()), catalog)]
        empty = [twin for twin in twins if not endpoints.get(twin["id"])]
        # A type of which nothing works may lack the endpoints, not have a service too many.
        if working and empty:
            for service in empty:
                yield _finding(service, twins, working, empty, endpoints)


def _usable(endpoints: Any, catalog: Mapping[str, Any]) -> bool:
    """Whether one of the endpoints is in use: enabled, in the region and at the interface that clouds.yaml asks for."""
    return any(
        endpoint["enabled"]
        and catalog["region"] in ("", endpoint["region"])
        and catalog["interface"] in ("", endpoint["interface"])
        for endpoint in endpoints
    )


def _finding(
    service: Row, twins: list[Row], working: list[Row], empty: list[Row], endpoints: Mapping[str, list[Row]]
) -> Finding:
    # keystone orders neither this list nor the catalogue (30, catalog/backends/sql.py), so that both have the order of
    # its database: by id with InnoDB, as they were written with others.
    first = service is twins[0]
    certain = len(working) == 1 and len(working) + len(empty) == len(twins)
    kind = service["type"]
    effect = (
        f"Horizon takes it for the {kind} service and shows none of its pages"
        if first
        else "it comes after the one that works today, and clients that take another order fail"
    )
    reason = ""
    if not certain:
        reason = (
            f"several services of type {kind} have endpoints, perhaps for other regions: find out whether this one shall "
            "have some too, else disable it"
        )
    wish = {
        "id": service["id"],
        "state": "disabled",
        "without_endpoints": True,
        "twin": working[0]["id"],
        "subject": f"{service['id']} {kind}",
    }
    return Finding(
        fault=FAULT.id,
        target=Target("service", service["id"], service["name"]),
        certainty=Certainty.CERTAIN if certain else Certainty.POSSIBLE,
        severity=FAULT.severity if first else "medium",
        subject=kind,
        summary=f"The service {service['name']!r} of type {kind} has no endpoint, and {_named(working)} has: {effect}",
        evidence={
            "source": "keystone: services and endpoints as stored",
            "type": kind,
            "endpoints": {twin["id"]: len(endpoints.get(twin["id"], ())) for twin in twins},
            "comes_first": first,
        },
        expected=f"one enabled service of type {kind}, or endpoints for each",
        actual=f"{len(twins)} enabled services of type {kind}, {len(empty)} of them without endpoints",
        remedy=Remedy("catalog_service", Risk.SAFE, {"catalog_service_wishes": [wish]}) if certain else None,
        reason=reason,
    )


def _named(services: list[Row]) -> str:
    return " and ".join(f"{service['name']!r} ({service['id']})" for service in services)


FAULT = Fault(
    id="catalog_service_without_endpoints",
    reference="F02",
    title="Service without endpoints beside the one that works",
    scope="cloud",
    severity="high",
    symptom="Pages of the dashboard fail with 'Invalid service catalog: network' (or compute, volumev3, ...), while the "
    "command line works.",
    cause="Two enabled services have the same type and one has no endpoint. keystone puts both into every token's "
    "catalogue; Horizon takes the first of that type and gives up, other clients look at all of them.",
    fix="Disable the empty service: keystone leaves it out of the catalogue from then on, and enabling it again undoes "
    "that. Users must log in to the dashboard again, which keeps the catalogue in their session. Deleting the service "
    "later is for the operator to ask of the role catalog_service (state: absent); it cannot be undone.",
    cloud_evidence=("catalog",),
    detect=detect,
)
