# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stop and start servers through nova, and wait until it is done; and undo a stop that was left half-way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

from ._model import ChangeFailed
from ._session import Cloud

# nova's [DEFAULT] shutdown_timeout is 60 s, and an image may ask for more.
SECONDS = 300.0
INTERVAL = 1.0
ACTIONS = {"ACTIVE": "os-start", "SHUTOFF": "os-stop"}


def read(cloud: Cloud, server: str) -> Optional[dict[str, Any]]:
    """The server as nova has it now, None when there is none."""
    document = cloud.find("compute", f"/servers/{server}")
    return document and document["server"]


def bring(cloud: Cloud, server: str, status: str) -> None:
    """Stop (SHUTOFF) or start (ACTIVE) a server and wait for it. Raises ChangeFailed."""
    action = ACTIONS[status]
    failure = f"server {server} was not changed ({action})"
    cloud.change("POST", "compute", f"/servers/{server}/action", failure, json={action: None})
    deadline = time.monotonic() + SECONDS
    while True:
        now = read(cloud, server)
        if now is not None and now["status"] == status and not now.get("OS-EXT-STS:task_state"):
            return
        if now is None or now["status"] == "ERROR" or time.monotonic() > deadline:
            found = now["status"] if now else "gone"
            raise ChangeFailed(f"server {server} did not become {status} after {action}: it is {found}")
        time.sleep(INTERVAL)


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one journal entry of kind server_power: {"id", "before": status}, where the run did not come to that itself."""
    now = read(cloud, entry["id"])
    if now is None:
        return "conflict", f"server {entry['id']} is gone"
    if now["status"] == entry["before"]:
        return "unchanged", ""
    if now["status"] not in ACTIONS:
        return "conflict", f"server {entry['id']} is {now['status']} and was left alone"
    if not check_mode:
        bring(cloud, entry["id"], entry["before"])
    return ("would_restore" if check_mode else "restored"), ""
