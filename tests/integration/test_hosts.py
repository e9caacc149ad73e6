# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only systemd hosts can show: nova's own units that do not start, and a real libvirt that refuses a domain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.stackmend.openstack.plugins.module_utils import _allocations
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.ssh import choose_peers
from stackmend_lab.breakers import _nova_conf
from stackmend_lab.hosts import Hosts, Member

import stackmend

from .conftest import HostsPlace, hosts_cannot_run

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(bool(hosts_cannot_run()), reason=hosts_cannot_run() or "can run")

DOMAIN = """<domain type="qemu"><name>NAME</name><memory unit="MiB">64</memory><vcpu>1</vcpu>
<os><type arch="x86_64" machine="{machine}">hvm</type></os>
<devices><disk type="file" device="{device}"><source file="/dev/null"/><target dev="{name}" bus="{bus}"/></disk></devices>
</domain>"""


@pytest.mark.parametrize(
    ("machine", "bus", "device", "is_refused"),
    [
        ("q35", "ide", "cdrom", True),
        ("q35", "ide", "disk", True),
        ("q35", "sata", "cdrom", False),
        ("q35", "virtio", "disk", False),
        ("pc", "ide", "disk", False),
    ],
)
def test_libvirt_refuses_ide_where_image_ide_bus_says_so(
    hosts_place: HostsPlace, machine: str, bus: str, device: str, is_refused: bool
) -> None:
    name = {"ide": "hda", "sata": "sda", "virtio": "vda"}[bus]
    said = hosts_place.subject.libvirt_refusal(DOMAIN.format(machine=machine, bus=bus, device=device, name=name))
    recorded = (ROOT / "tests/unit/recordings/libvirt_ide_refusal.txt").read_text(encoding="utf-8")
    if is_refused:
        assert said
        assert "IDE controllers are unsupported for this QEMU binary or machine type" in said
        assert said.split("error: ")[-1] in recorded, "what the unit tests rest on is what libvirt says"
    else:
        assert said is None


def test_healthy_hosts_raise_nothing(hosts_place: HostsPlace) -> None:
    report = stackmend.diagnose(hosts_place.inventory, faults=hosts_place.faults, variables=hosts_place.variables)
    assert [(finding.fault, finding.summary) for finding in report.findings] == []
    assert [entry.reason for entry in report.unknown] == []
    assert report.exit_status == 0


SECOND = Member("controller2", "controllers", 12)

# More computes than every pair of is tried: one host, with a real sshd on an address for each of them.
RING = {f"ring{number:02}": f"127.0.1.{number}" for number in range(1, 23)}
RING_PORT = 2222
REINSTALLED = "ring07"


@pytest.fixture
def ring(hosts_place: HostsPlace, tmp_path: Path) -> Iterator[Path]:
    """The inventory of a ring of computes that trust each other; one of them has come back with another host key."""
    hosts = hosts_place.subject
    addresses = " ".join(RING.values())
    begin = f"""
        cp -a /var/lib/nova/.ssh /root/ring-ssh
        mkdir -p /run/sshd && install -d -m 0700 /root/ring && cd /root/ring
        ssh-keygen -q -t ed25519 -N '' -f old && ssh-keygen -q -t ed25519 -N '' -f new
        serve() {{  # name key address...; an sshd listens on 16 addresses at most
          name=$1 key=$2; shift 2
          {{ printf 'Port {RING_PORT}\\nHostKey /root/ring/%s\\nPidFile /root/ring/%s.pid\\nMaxStartups 500\\n' $key $name
             printf 'UsePAM yes\\n'
             printf 'ListenAddress %s\\n' "$@"; }} >$name.conf
          /usr/sbin/sshd -f /root/ring/$name.conf
        }}
        others=$(echo {addresses} | tr ' ' '\\n' | grep -vx {RING[REINSTALLED]})
        serve first old $(echo "$others" | head -n 11)
        serve second old $(echo "$others" | tail -n +12)
        serve third new {RING[REINSTALLED]}
        for address in {addresses}; do
          echo "[$address]:{RING_PORT} $(cut -d ' ' -f 1-2 old.pub)" >>/var/lib/nova/.ssh/known_hosts
        done
        cat /var/lib/nova/.ssh/id_ed25519.pub >>/var/lib/nova/.ssh/authorized_keys
    """
    end = "kill $(cat /root/ring/*.pid); rm -rf /root/ring /var/lib/nova/.ssh; mv /root/ring-ssh /var/lib/nova/.ssh"
    inventory: dict[str, Any] = yaml.safe_load(hosts.inventory.read_text())
    where = hosts.addresses()["compute1"]
    inventory["all"]["children"] = {
        "computes": {
            "hosts": {
                name: {
                    "ansible_host": where,
                    "stackmend_migration_address": address,
                    "stackmend_migration_port": RING_PORT,
                }
                for name, address in RING.items()
            }
        }
    }
    file = tmp_path / "ring.yml"
    file.write_text(yaml.safe_dump(inventory))
    hosts.must("compute1", ["bash", "-ec", begin])
    try:
        yield file
    finally:
        hosts.must("compute1", ["sh", "-c", end])


def test_of_many_computes_a_ring_and_a_sample_are_tried_and_a_broken_one_is_found(
    hosts_place: HostsPlace, ring: Path
) -> None:
    report = stackmend.diagnose(
        ring,
        faults=["migration_ssh_broken"],
        # Hosts that are one share a key; that is told as possible, and not asked for here.
        min_certainty="probable",
        variables=hosts_place.variables,
    )
    assert report.unknown == ()
    peers = [{"name": name} for name in RING]
    tried = {name: {peer["name"] for peer in choose_peers(name, peers)} for name in RING}
    names = sorted(RING)
    assert all(names[(place + 1) % len(names)] in tried[name] for place, name in enumerate(names)), "a whole ring"
    assert {len(there) for there in tried.values()} == {5}
    assert {found.target.name for found in report.findings} == {name for name in RING if REINSTALLED in tried[name]}
    assert "ring06" in {found.target.name for found in report.findings}, "the one before it in the ring"
    for found in report.findings:
        assert [(pair["from"], pair["to"]) for pair in found.evidence["pairs"]] == [(found.target.name, REINSTALLED)]
        assert found.evidence["cause"] == "known_hosts"


@pytest.fixture
def second_scheduler(hosts_place: HostsPlace) -> Iterator[None]:
    """A second controller as the deployment tool leaves it, whose nova-scheduler does not weigh memory."""
    hosts = hosts_place.subject
    hosts.join(SECOND)
    try:
        hosts.deploy_controller(SECOND.name)
        _nova_conf.change(hosts, SECOND.name, [("filter_scheduler", "ram_weight_multiplier", "0.0")])
        hosts.must(SECOND.name, ["systemctl", "restart", "nova-scheduler"])
        yield
    finally:
        hosts.leave(SECOND.name)


@pytest.mark.usefixtures("second_scheduler")
def test_schedulers_that_are_set_up_differently_are_told(hosts_place: HostsPlace) -> None:
    seen = hosts_place.look(["scheduler_packs_hosts"], hosts_place.variables, ["controller1", SECOND.name])
    assert [found[:4] for found in seen.found] == [("scheduler_packs_hosts", "host", SECOND.name, "certain")]
    assert "ram_weight_multiplier = 0.0" in seen.found[0][4]
    # how the servers lie, which only the cloud tells
    assert seen.unknown == ["the cloud was not read"]


def test_the_molecule_scenario() -> None:
    """Create, prepare, check, converge, idempotence, verify, destroy: nova's units and ssh, with the playbook itself."""
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_FORCE_COLOR": "0"}
    run = subprocess.run(
        [tools / "molecule", "test"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2400,
        check=False,
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-6000:]


def _wait_until_placement_says(hosts: Hosts, words: str) -> None:
    until = f"until journalctl -u placement-api --since=-1min -o cat | grep -q '{words}'; do sleep 0.2; done"
    hosts.must("controller1", ["timeout", "60", "sh", "-c", until])


def _start_placement_again(hosts: Hosts) -> None:
    hosts.must("controller1", ["sh", "-c", "systemctl reset-failed placement-api; systemctl restart placement-api"])


def test_a_port_that_another_process_has_is_told_apart_from_one_that_is_denied(hosts_place: HostsPlace) -> None:
    """placement cannot start, for real: the process that has its port is named, and nothing is changed."""
    hosts = hosts_place.subject
    squatter = ["systemd-run", "--unit=lab-squatter", "python3", "-m", "http.server", "--bind", "127.0.0.1", "8778"]
    hosts.must("controller1", ["systemctl", "stop", "placement-api"])
    try:
        hosts.must("controller1", squatter)
        hosts.must(
            "controller1",
            ["timeout", "30", "sh", "-c", "until ss -Hltn 'sport = :8778' | grep -q .; do sleep 0.2; done"],
        )
        hosts.ssh("controller1", ["systemctl", "start", "placement-api"])
        _wait_until_placement_says(hosts, "Errno 98")
        report = stackmend.diagnose(
            hosts_place.inventory, faults=["api_port_bind_denied"], limit="controller1", variables=hosts_place.variables
        )
    finally:
        hosts.must("controller1", ["systemctl", "stop", "lab-squatter"])
        _start_placement_again(hosts)
    (finding,) = report.findings
    assert (finding.certainty, finding.remedy) == ("certain", None)
    assert "lab-squatter.service" in finding.summary
    assert "8778" in finding.summary


def test_what_a_service_says_to_the_journal_alone_is_read(hosts_place: HostsPlace) -> None:
    """placement has no log file there, and ends for a value that it does not take."""
    hosts, file = hosts_place.subject, "/etc/placement/placement.conf"
    kept = hosts.must("controller1", ["cat", file])
    try:
        hosts.must("controller1", ["tee", "-a", file], input="[api]\nauth_strategy = keystoned\n")
        hosts.ssh("controller1", ["systemctl", "restart", "placement-api"])
        _wait_until_placement_says(hosts, "auth_strategy from")
        options = {"faults": ["api_port_bind_denied"], "logs": True, "log_window": 300}
        answer = hosts_place.ask({"controller1": options})["controller1"]
    finally:
        hosts.must("controller1", ["tee", file], input=kept)
        _start_placement_again(hosts)
    (match,) = [match for match in answer["logs"]["matches"] if match["signature"] == "authentication_unknown"]
    assert match["fault"] == "auth_strategy_invalid"
    assert {line["file"] for line in match["lines"]} == {"journal of placement-api.service"}


_URL = "mysql+pymysql://records:lab-database-secret@127.0.0.1"
_SCHEMAS = ("nova_api", "nova", "nova_cell0", "placement")
_CELL1 = "{scheme}://{username}:{password}@{hostname}/nova"
# nova's and placement's own schemas, of their own making, in a MariaDB; a cell's URL may be a pattern
_SYNC = f"""
systemctl stop placement-api
systemctl start mariadb
{"".join(f"mariadb -e 'CREATE DATABASE {schema}'{chr(10)}" for schema in _SCHEMAS)}
mariadb -e "CREATE USER records@'%' IDENTIFIED BY 'lab-database-secret'; GRANT ALL PRIVILEGES ON *.* TO records@'%'"
cp -a /etc/nova/nova.conf /root/records-nova.conf
cp -a /etc/placement/placement.conf /root/records-placement.conf
sed -i -e 's#^connection = sqlite:.*/nova-api.sqlite#connection = {_URL}/nova_api#' \
  -e 's#^connection = sqlite:.*/nova.sqlite#connection = {_URL}/nova#' /etc/nova/nova.conf
sed -i 's#^connection = .*#connection = {_URL}/placement#' /etc/placement/placement.conf
placement-manage db sync
as_nova() {{ runuser -u nova -- nova-manage "$@"; }}
as_nova api_db sync
as_nova cell_v2 map_cell0
as_nova db sync
as_nova cell_v2 create_cell --name cell1 --transport-url fake:/ --database_connection '{_CELL1}'
"""
_BACK = f"""
mv /root/records-nova.conf /etc/nova/nova.conf
mv /root/records-placement.conf /etc/placement/placement.conf
systemctl start mariadb
{"".join(f"mariadb -e 'DROP DATABASE {schema}'{chr(10)}" for schema in _SCHEMAS)}
mariadb -e "DROP USER records@'%'"
systemctl stop mariadb
systemctl start placement-api
"""


def _id(last: object) -> str:
    return f"22222222-0000-4000-8000-00000000000{last}"


def _rows(table: str, columns: str, rows: list[tuple[Any, ...]]) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join(str(row) for row in rows)};\n"


# Of the consumers 1 is a server with a disk on shared storage, 2 one on two hosts, 3 one that was deleted, 4 a migration under
# way, 5 one that is over.
_HOLDS = [(1, 1, 0), (1, 1, 1), (3, 1, 2), (1, 2, 0), (2, 2, 0), (2, 3, 0), (2, 4, 0), (2, 5, 0)]
_CLOUD = (
    _rows(
        "placement.resource_providers",
        "id, uuid, name, generation, root_provider_id",
        [(1, _id("a"), "c1", 1, 1), (2, _id("b"), "c2", 1, 2), (3, _id("c"), "nfs", 1, 3)],
    )
    + _rows("placement.traits", "id, name", [(9001, "MISC_SHARES_VIA_AGGREGATE")])
    + _rows("placement.resource_provider_traits", "trait_id, resource_provider_id", [(9001, 3)])
    + _rows(
        "placement.allocations",
        "resource_provider_id, consumer_id, resource_class_id, used",
        [(provider, _id(consumer), kind, 1) for provider, consumer, kind in _HOLDS],
    )
    + _rows(
        "nova.instances",
        "created_at, uuid, deleted",
        [(f"2026-11-22 0{number}:00:00", _id(number), deleted) for number, deleted in ((1, 0), (2, 0), (3, 3))],
    )
    + _rows(
        "nova.migrations",
        "uuid, instance_uuid, status, deleted",
        [(_id(4), _id(1), "running", 0), (_id(5), _id(1), "confirmed", 0)],
    )
)


def test_a_controllers_databases_tell_which_allocations_nothing_explains(hosts_place: HostsPlace) -> None:
    """nova's and placement's in a real MariaDB, read over ssh by the services' own interpreter and user."""
    hosts = hosts_place.subject

    def told() -> dict[str, Any]:
        command = ["ansible", "-i", str(hosts_place.inventory), "-m", "stackmend.openstack.allocation_records_info"]
        environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run([*command, "controller1"], capture_output=True, text=True, env=environment, check=False)
        assert "lab-database-secret" not in done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.partition("=>")[2])
        return answer

    try:
        hosts.must("controller1", ["sh", "-ec", _SYNC])
        hosts.must("controller1", ["mariadb"], input=_CLOUD)
        answer = told()
        hosts.must("controller1", ["systemctl", "stop", "mariadb"])
        unread = told()
    finally:
        hosts.must("controller1", ["sh", "-ec", _BACK])
    assert (answer["changed"], answer["reason"]) == (False, "")
    records = answer["records"]
    assert sorted(records["doubted"]) == [_id(2), _id(3), _id(5)]
    assert records["servers"] == [_id(1), _id(2)]
    assert records["newest"] == [_id(2), _id(1)]
    assert records["providers"] == _allocations.fingerprint(_id(letter) for letter in "cab")
    assert records["count"] == {"consumer": 5, "server": 2, "resource provider": 3}
    assert unread["records"] is None
    assert "were not read" in unread["reason"]
    assert "OperationalError" in unread["reason"]
