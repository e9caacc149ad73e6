# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give users roles in projects; and undo it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._model import Unavailable
from ._session import Cloud


def path(grant: Mapping[str, Any]) -> str:
    return f"/projects/{grant['project']}/users/{grant['user']}/roles/{grant['role']}"


def exists(cloud: Cloud, grant: Mapping[str, Any]) -> bool:
    """Whether the user has the role in the project by an assignment of its own (groups apart)."""
    response = cloud.request("HEAD", "identity", path(grant))
    if response.status_code == 404:
        return False
    if not response.ok:
        raise Unavailable(f"keystone of cloud {cloud.name} answered HEAD {path(grant)} with {response.status_code}")
    return True


def missing(cloud: Cloud, grant: Mapping[str, Any]) -> list[str]:
    """Which of user, project and role are gone."""
    parts = (("user", "users"), ("project", "projects"), ("role", "roles"))
    return [name for name, kind in parts if cloud.find("identity", f"/{kind}/{grant[name]}") is None]


def change(cloud: Cloud, grant: Mapping[str, Any], given: bool) -> None:
    """Give the role, or take it. Raises ChangeFailed."""
    failure = f"the roles of user {grant['user']} could not be changed"
    cloud.change("PUT" if given else "DELETE", "identity", path(grant), failure)


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one journal entry of kind role_assignment: {"id" (of the user), "user", "project", "role"}; it was given."""
    if not exists(cloud, entry):
        return "unchanged", ""
    if not check_mode:
        change(cloud, entry, given=False)
    return ("would_restore" if check_mode else "restored"), ""
