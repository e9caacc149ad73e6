# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""New servers are kept away from a compute through the real API, and only what a run has stopped may come again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _compute_scheduling as scheduling
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._session import connect
from ansible_collections.stackmend.openstack.plugins.modules import compute_scheduling
from stackmend_lab import Lab

HOST = "HOST-340"


@pytest.fixture
def cloud(lab: Lab) -> Any:
    return connect("stackmend-lab", str(lab.layout.clouds_file), writable=True)


def _params(status: str, reason: str = "") -> dict[str, Any]:
    return {"hosts": [HOST], "status": status, "reason": reason}


def test_what_a_run_has_stopped_comes_again_and_what_others_stopped_does_not(cloud: Any, tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), "run")
    before = scheduling.read(cloud, HOST)
    assert before is not None
    assert before["status"] == "enabled"
    try:
        assert compute_scheduling.apply(cloud, journal, _params("disabled", "its disk"), True)["hosts"] == [HOST]
        assert scheduling.read(cloud, HOST) == before
        assert compute_scheduling.apply(cloud, journal, _params("disabled", "its disk"), False)["hosts"] == [HOST]
        now = scheduling.read(cloud, HOST)
        assert now is not None
        assert (now["status"], now["reason"]) == ("disabled", "its disk")
        # a second run finds it stopped, changes nothing, and so has nothing to allow again
        assert compute_scheduling.apply(cloud, journal, _params("disabled", "other"), False)["changed"] is False

        (entry,) = journal.entries()
        assert scheduling.undo(cloud, entry, True) == ("would_restore", "")
        assert scheduling.undo(cloud, entry, False) == ("restored", "")
        assert scheduling.read(cloud, HOST) == before
        assert scheduling.undo(cloud, entry, False) == ("unchanged", "")

        scheduling.write(cloud, HOST, before["id"], "disabled", "somebody else's reason")
        assert scheduling.undo(cloud, entry, False)[0] == "conflict"
    finally:
        scheduling.write(cloud, HOST, before["id"], "enabled", "")
    assert scheduling.read(cloud, HOST) == before


def test_a_compute_that_nova_does_not_know(cloud: Any, tmp_path: Path) -> None:
    with pytest.raises(compute_scheduling.ChangeFailed, match="no nova-compute of 'HOST-9'"):
        compute_scheduling.apply(
            cloud, Journal(str(tmp_path), "run"), {**_params("enabled"), "hosts": ["HOST-9"]}, False
        )
