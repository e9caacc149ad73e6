# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an evacuation is over: nova writes the new host down after the server's task has ended."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.modules.host_evacuate import outcome


class Migrations:
    """The part of a cloud that `outcome` asks: the records of a server's evacuations."""

    def __init__(self, *statuses: str) -> None:
        self.rows = [{"id": number, "status": status} for number, status in enumerate(statuses)]

    def get(self, _service: str, _path: str, **_options: Any) -> dict[str, Any]:
        return {"migrations": self.rows}


def _server(status: str, host: str, task: str | None = None, fault: str = "") -> dict[str, Any]:
    row = {
        "id": "2c4f8fc7",
        "name": "web",
        "status": status,
        "OS-EXT-SRV-ATTR:host": host,
        "OS-EXT-STS:task_state": task,
    }
    return {**row, "fault": {"message": fault}} if fault else row


@pytest.mark.parametrize(
    ("server", "statuses", "ended"),
    [
        pytest.param(_server("REBUILD", "HOST-34", "rebuilding"), ["accepted"], None, id="under way"),
        pytest.param(_server("ACTIVE", "HOST-34"), ["pre-migrating"], None, id="rebuilt, its host not yet written"),
        pytest.param(_server("ACTIVE", "HOST-34"), ["failed", "done"], None, id="an earlier one failed"),
        pytest.param(_server("ACTIVE", "HOST-340"), ["done"], "", id="settled"),
        pytest.param(
            _server("ACTIVE", "HOST-34", fault="Insufficient compute resources"),
            ["done", "failed"],
            "server 2c4f8fc7 (web) is ACTIVE on HOST-34: Insufficient compute resources",
            id="the destination refused",
        ),
        pytest.param(
            _server("ERROR", "HOST-34", fault="No valid host was found. "),
            ["error"],
            "server 2c4f8fc7 (web) is ERROR on HOST-34: No valid host was found.",
            id="no destination",
        ),
        pytest.param(
            _server("ERROR", "HOST-340"), ["failed"], "server 2c4f8fc7 (web) is ERROR on HOST-340", id="error"
        ),
    ],
)
def test_outcome(server: dict[str, Any], statuses: list[str], ended: str | None) -> None:
    assert outcome(Migrations(*statuses), server, "HOST-34") == ended  # type: ignore[arg-type]
