# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which roles the users of the services have, and the id of the role service."""

from __future__ import annotations

from typing import Any

from .._session import Cloud
from . import catalog


def read(cloud: Cloud) -> dict[str, Any]:
    """{"role": id of the role service or "", "users": [{id, name, domain, project (id), project_name, roles: [name]}]}.

    Groups and implied roles are resolved. Only users of projects in which somebody is an admin or a service are told of:
    that is where the services' users are, and it keeps tenants out.
    """
    roles = catalog.collection(cloud, "/roles", "roles", name="service")
    params = {"effective": "true", "include_names": "true"}
    users: dict[tuple[str, str], dict[str, Any]] = {}
    for row in catalog.collection(cloud, "/role_assignments", "role_assignments", **params):
        user, project = row.get("user"), row.get("scope", {}).get("project")
        if not user or not project:
            continue
        known = users.setdefault(
            (user["id"], project["id"]),
            {
                "id": user["id"],
                "name": user.get("name", ""),
                "domain": user.get("domain", {}).get("name", ""),
                "project": project["id"],
                "project_name": project.get("name", ""),
                "roles": [],
            },
        )
        known["roles"] = sorted({*known["roles"], row["role"]["name"].lower()})
    privileged = {user["project"] for user in users.values() if {"admin", "service"} & set(user["roles"])}
    return {
        "role": roles[0]["id"] if roles else "",
        "users": [user for user in users.values() if user["project"] in privileged],
    }
