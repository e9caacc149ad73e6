# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""kolla-ansible's layout with a real container: nova-conductor in podman, its configuration below /etc/kolla.

All of it happens in a mount namespace of the test's own, in which this file is run as a program: /etc is a copy there, with an
/etc/kolla of its own. The image is the test hosts', which has Debian's nova; what kolla's images do when they start (copy the
configuration from where it is mounted, then run a command) is the container's command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import allocation_records, logs, nova_cells
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._cells_program import PROGRAM
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._interpreter import ProgramFailed
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from stackmend_lab import hosts

import stackmend

from .conftest import hosts_cannot_run

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = "nova_conductor"
SECRET = "never-told"
GONE = "6f8f57c5-64c3-4b8f-a3b5-1f2d4c0a9e34"
NOVA_CONF = f"""[DEFAULT]
transport_url = rabbit://nova:{SECRET}@127.0.0.1:5672/
[database]
connection = mysql+pymysql://nova:{SECRET}@127.0.0.1/nova
max_retries = -1
[api_database]
connection = mysql+pymysql://nova:{SECRET}@127.0.0.1/nova_api
max_retries = -1
[placement]
auth_type = password
auth_url = http://127.0.0.1:5000/v3
username = placement
password = {SECRET}
[vnc]
server_lissten = 192.0.2.7
"""
START = "cp /var/lib/kolla/config_files/nova.conf /etc/nova/nova.conf && exec nova-conductor"
# The schemas as the services make them, and one allocation that nothing explains.
SYNC = f"""
placement-manage db sync
nova-manage api_db sync
nova-manage cell_v2 map_cell0 --database_connection sqlite:////var/lib/nova_cell0.sqlite
nova-manage db sync
nova-manage cell_v2 create_cell --name cell1 --transport-url fake:/
python3 - <<'END'
import sqlite3
with sqlite3.connect("/var/lib/placement.sqlite") as database:
    add = "INSERT INTO %s VALUES %s"
    database.execute(add % ("resource_providers (id, uuid, name, generation, root_provider_id)", (1, "u", "c1", 1, 1)))
    database.execute(add % ("allocations (resource_provider_id, consumer_id, resource_class_id, used)", (1, "{GONE}", 0, 1)))
END
"""
ASK = "import nova.conf as n; n.CONF(['--config-file=/etc/nova/nova.conf'], project='nova'); print(n.CONF.vnc.server_listen)"


@pytest.mark.skipif(bool(hosts_cannot_run()), reason=f"a container: {hosts_cannot_run()}")
def test_a_container_is_told_mended_restarted_and_put_back(state_home: Path, tmp_path: Path) -> None:
    hosts.build()
    alone = ["unshare", "--mount", "--propagation", "slave"]  # podman has to see what it mounts outside meanwhile
    command = [*alone, sys.executable, "-m", "tests.integration.test_containers", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert SECRET not in done.stdout
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])

    assert told["found"] == [
        ["config_option_unknown", "/etc/kolla/nova-conductor/nova.conf [vnc] server_lissten", "found"]
    ]
    assert told["checked"] == ["would_change"]
    assert told["fixed"] == ["fixed"]
    assert told["again"] == []
    assert told["undone"] == ["restored", "restored"]  # the file, and the restart
    assert told["listens"] == {
        "broken": "127.0.0.1",
        "checked": "127.0.0.1",
        "fixed": "192.0.2.7",
        "undone": "127.0.0.1",
    }
    assert told["starts"] == {"broken": 1, "checked": 1, "fixed": 2, "undone": 3}
    assert told["file_as_before"]
    # nova-manage's part is asked of the container's own interpreter, which finds no database here
    command, said = told["cells"]
    assert command == "/usr/bin/podman exec --interactive nova_conductor python3"
    assert "DBConnectionError" in said
    assert told["records"] == [[GONE], {"consumer": 1, "server": 0, "resource provider": 1}]
    assert told["log"] == [
        ["image_not_authorized", f"podman logs {CONTAINER}", "req-0f7a1f52-6f5a-4b8e-9a55-1d8d6a0a7e10"]
    ]


def main(work: Path) -> None:
    """Inside the namespace: make the host, go the whole way, print what was seen as a line of JSON."""
    etc, kolla = work / "etc", work / "kolla" / "nova-conductor"
    etc.mkdir()
    kolla.mkdir(parents=True)
    file = kolla / "nova.conf"
    file.write_text(NOVA_CONF)
    (kolla / "config.json").write_text(json.dumps({"command": "nova-conductor"}))
    hosts._run("mount", "-t", "tmpfs", "none", str(etc))
    hosts._run("cp", "-a", "/etc/.", str(etc))
    (etc / "kolla").mkdir(exist_ok=True)
    hosts._run("mount", "--bind", str(etc), "/etc")
    hosts._run("mount", "--bind", str(kolla.parent), "/etc/kolla")
    inventory = work / "hosts.yml"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(
        json.dumps({"all": {"hosts": {"kolla1": {**local, "stackmend_journal_dir": f"{work}/journal"}}}})
    )
    mount = f"{kolla}:/var/lib/kolla/config_files:ro"
    hosts._podman(
        "run",
        "--detach",
        f"--name={CONTAINER}",
        "--network=none",
        "--stop-signal=TERM",
        "--stop-timeout=1",
        f"--volume={mount}",
        hosts.image_name(),
        "sh",
        "-c",
        START,
    )
    try:
        told = _go_the_whole_way(inventory)
        told["cells"] = _cells()
        told["log"] = _log()
        told["file_as_before"] = file.read_text() == NOVA_CONF
        told["records"] = _records(kolla.parent)
    finally:
        hosts._remove(CONTAINER)
    print(json.dumps(told))


def _go_the_whole_way(inventory: Path) -> dict[str, Any]:
    fault: dict[str, Any] = {"faults": ["config_option_unknown"]}
    listens, starts = {"broken": _listens()}, {"broken": _starts()}
    found = stackmend.diagnose(inventory, **fault)
    checked = stackmend.remediate(inventory, **fault, approve="restart", check=True)
    listens["checked"], starts["checked"] = _listens(), _starts()
    fixed = stackmend.remediate(inventory, **fault, approve="restart")
    listens["fixed"], starts["fixed"] = _listens(), _starts()
    again = stackmend.remediate(inventory, **fault, approve="restart")
    undone = stackmend.rollback(fixed.run_id, inventory)
    listens["undone"], starts["undone"] = _listens(), _starts()
    return {
        "found": [(finding.fault, finding.evidence["subject"], finding.status) for finding in found.findings],
        "checked": [finding.status for finding in checked.findings],
        "fixed": [finding.status for finding in fixed.findings],
        "again": [finding.status for finding in again.findings],
        "undone": [entry.status for entry in undone.undone],
        "listens": listens,
        "starts": starts,
    }


def _cells() -> list[str]:
    """How nova's own programs are run here, and what is said of the cells: no database answers, and none is waited for."""
    through = nova_cells.find(Tree("/"), {})
    assert through is not None
    at_once = {"OS_DATABASE__MAX_RETRIES": "0", "OS_API_DATABASE__MAX_RETRIES": "0"}
    try:
        said = str(nova_cells.ask({**through, "environment": at_once}, PROGRAM, do="read"))
    except ProgramFailed as failure:
        said = str(failure)
    return [" ".join(through["python"]), said]


def _records(kolla: Path) -> Any:
    """What the databases of both services say, which only their containers reach: here they are files of one container."""
    placement = kolla / "placement-api"
    placement.mkdir()
    (placement / "config.json").write_text(json.dumps({"command": "apache2 -DFOREGROUND"}))
    (placement / "placement.conf").write_text(
        "[placement_database]\nconnection = sqlite:////var/lib/placement.sqlite\n"
    )
    nova = kolla / "nova-conductor/nova.conf"
    lines = NOVA_CONF.splitlines()
    for database in ("nova", "nova_api"):
        at = next(at for at, line in enumerate(lines) if line.endswith(f"/{database}"))
        lines[at] = f"connection = sqlite:////var/lib/{database}.sqlite"
    nova.write_text("\n".join(lines))
    hosts._podman("cp", str(nova), f"{CONTAINER}:/etc/nova/nova.conf")
    hosts._podman("cp", str(placement), f"{CONTAINER}:/etc/placement")
    hosts._podman("exec", "--user=root", CONTAINER, "sh", "-ec", SYNC)
    told = allocation_records.read(Tree("/"), {})
    assert told is not None
    return [told["doubted"], told["count"]]


def _log() -> Any:
    """What is found in the container's own output, to which one line is added: (signature, where it stands, its request)."""
    line = (
        "2026-11-22 01:02:03.446 1 ERROR nova.compute.manager [None req-0f7a1f52-6f5a-4b8e-9a55-1d8d6a0a7e10 - - - - - -] "
        "Not authorized for image 5a1e7c2d-3b4f-4c5d-8e6f-7a8b9c0d1e2f."
    )
    hosts._podman("exec", CONTAINER, "sh", "-c", f"echo '{line}' >/proc/1/fd/2")
    end = time.monotonic() + 30
    while "Not authorized" not in hosts._podman("logs", "--tail=20", CONTAINER).stderr and time.monotonic() < end:
        time.sleep(0.2)
    told = logs.read(Tree("/"), {"log_window": 600})
    lines = [
        (match["signature"], found["file"], found["request_id"])
        for match in told["matches"]
        for found in match["lines"]
        if found["file"].endswith(CONTAINER)
    ]
    return lines or told


def _listens() -> str:
    """What nova itself reads in the container."""
    return hosts._podman("exec", CONTAINER, "python3", "-c", ASK).stdout.strip()


_SEEN: list[str] = []


def _starts() -> int:
    """How often the container was started so far, as far as it was looked at."""
    when = hosts._podman("inspect", "--format", "{{.State.StartedAt}}", CONTAINER).stdout
    if when not in _SEEN:
        _SEEN.append(when)
    return len(_SEEN)


if __name__ == "__main__":
    os.environ["CONTAINERS_CONF"] = str(hosts.RECIPE / "containers.conf")
    main(Path(sys.argv[1]))
