# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of ten hosts, as one module call each, against the same checks as stock Ansible tasks, in one run.

    host_checks.py [ROUNDS]

The hosts are the lab's, over ssh: three controllers with nova's conductor and scheduler, placement, memcached, MariaDB,
and one RabbitMQ and console proxy; seven computes, of which two run a guest. It needs root, as the lab's hosts do.
A mistake of each of ten kinds is made on them, and both sides have to find exactly those before a time is told.

The stock tasks (host_checks.yml) look at all that our readers look at, with modules of ansible-core and the host's own
commands. They are simpler: they know no sections, no files that override others, no deprecated names, no rules in front
of a firewall's last one, and log in to no RabbitMQ. What the service's own interpreter has to say, which takes seconds of
processor time whoever asks, is asked on both sides: oslo-config-validator and nova-manage stand for our questions.
Ours is the very tasks file of a diagnosis, the filter that compares hosts included.

Both are whole commands with as many forks as hosts, pipelining and kept connections, taken in turn; of ROUNDS (three) the
best counts. Only ratios within one run mean something. They are told of the time that passes, of that beyond an empty play,
and of the processor time of ansible-playbook and all that it starts: real hosts have processors of their own, whereas these
ten share those of the control node. The last comparison leaves out what asks a service's interpreter, on both sides.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _options
from stackmend_lab.breakers import _nova_conf, _rabbitmq, console_ports_blocked
from stackmend_lab.hosts import Hosts, HostsError, Member

ROUNDS = 3
STOCK = Path(__file__).with_suffix(".yml")
LOOK = Path(__file__).parents[1] / "playbooks/parts/tasks/look_at_host.yml"
CONTROLLERS = tuple(Member(f"controller{number}", "controllers", 10 + number) for number in range(1, 4))
COMPUTES = tuple(Member(f"compute{number}", "computes", 20 + number) for number in range(1, 8))
# What the hosts' Debian has (Zed).
RELEASES = {"nova": 26, "placement": 8}
CACHES = [f"{member.name}:11211" for member in CONTROLLERS]
PASSWORD = "benchmark-database-secret"
INSTANCES = "/var/lib/nova/instances"

ON_HOSTS = [fault.id for fault in FAULTS.values() if fault.host_evidence]
# Of these nothing is known before the service's own interpreter has answered; the stock tasks of them have this tag.
INTERPRETER = "interpreter"
ASKING = {
    "config_option_unknown",
    "config_value_invalid",
    "auth_strategy_invalid",
    "cell_host_unmapped",
    "instance_mapping_missing",
}

# What no way to look at ten hosts by Ansible takes less than: a module that does nothing, and one question to nova.
FLOORS = {
    "a module that does nothing": {"ansible.builtin.ping": {}},
    "a list of nova's options by its own interpreter": {
        "ansible.builtin.command": {
            "argv": ["python3", "-c", "from oslo_config import generator; generator._list_opts(['nova.conf'])"]
        },
        "changed_when": False,
    },
}

_DATABASE = f"""
systemctl start mariadb
mariadb -e "CREATE DATABASE placement; CREATE USER placement@'%' IDENTIFIED BY '{PASSWORD}'"
mariadb -e "GRANT ALL PRIVILEGES ON placement.* TO placement@'%'"
sed -i 's#^connection = .*#connection = mysql+pymysql://placement:{PASSWORD}@127.0.0.1/placement#' /etc/placement/placement.conf
systemctl restart placement-api
"""
_CACHE = "sed -i -e '/^-l ::1/d' -e 's/^-l .*/-l 0.0.0.0/' /etc/memcached.conf; systemctl start memcached"
_MAP = """
import sqlite3, sys
with sqlite3.connect("/var/lib/nova/nova-api.sqlite") as database:
    database.execute("update cell_mappings set transport_url = ? where name = 'cell1'", (sys.argv[1],))
"""
_MODULE = "/usr/lib/python3/dist-packages/nova/virt/hyperv/driver.py"
# {(host, what is wrong there then): the command that makes it so}
MISTAKES = {
    ("compute3", "config_option_unknown config_value_invalid"): (
        "printf '[vnc]\\nserver_lissten = 0.0.0.0\\nenabled = perhaps\\n' >>/etc/nova/nova.conf"
    ),
    ("compute4", "migration_ssh_broken"): ": >/var/lib/nova/.ssh/known_hosts",
    ("compute5", "locale_not_utf8"): "echo PYTHONIOENCODING=ascii >>/etc/environment",
    ("compute6", "package_file_unreadable"): f"chmod 0600 {_MODULE}",
    ("compute7", "instances_disk_full"): f"head -c 64M /dev/zero >{INSTANCES}/disk || true",
    (
        "controller2",
        "database_grants_missing",
    ): "mariadb -e \"REVOKE ALL PRIVILEGES ON placement.* FROM placement@'%'\"",
    # both by the options that it was given: one server too few, and after its services had been started
    ("controller3", "controller_backends_differ service_process_stale"): (
        "sleep 2; sed -i 's/^memcached_servers = .*/memcached_servers = controller1:11211/' /etc/nova/nova.conf"
    ),
    # by the lab: a REJECT of iptables, and a reset of nft
    ("compute1", "console_ports_blocked"): "",
    ("compute2", "console_ports_blocked"): "",
}


def main(rounds: int) -> None:
    hosts = Hosts(f"stackmend-bench-{os.getpid()}", COMPUTES)
    try:
        prepare(hosts)
        measure(hosts, rounds)
    except HostsError as error:
        sys.exit(f"host_checks: {error}")
    finally:
        if os.geteuid() == 0:
            hosts.down()


def measure(hosts: Hosts, rounds: int) -> None:
    """Take all of it in turn, and tell the ratios."""
    work = hosts.directory
    empty, all_ours, few_ours = work / "empty.yml", work / "ours.yml", work / "few.yml"
    floors = {name: work / f"floor{number}.yml" for number, name in enumerate(FLOORS)}
    for name, module in FLOORS.items():
        play(floors[name], [{"name": name, **module}])
    play(empty, [])
    play(all_ours, our_tasks(ON_HOSTS))
    play(few_ours, our_tasks([fault for fault in ON_HOSTS if fault not in ASKING]))
    known_file = work / "known.json"
    known_file.write_text(json.dumps({"known": known(), "expected_caches": ",".join(CACHES)}))
    wrong: dict[str, set[str]] = {}
    for host, faults in MISTAKES:
        wrong.setdefault(host, set()).update(faults.split())
    fewer = {host: rest for host, faults in wrong.items() if (rest := faults - ASKING)}
    runs = {
        "empty": ([str(empty)], {}),
        **{name: ([str(file)], {}) for name, file in floors.items()},
        "ours": ([str(all_ours)], wrong),
        "stock": ([str(STOCK)], wrong),
        "ours, few": ([str(few_ours)], fewer),
        "stock, few": ([str(STOCK), f"--skip-tags={INTERPRETER}"], fewer),
    }
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in runs}
    for _round in range(rounds):
        for kind, (arguments, expected) in runs.items():
            seconds, processor, said = run([*arguments, f"--extra-vars=@{known_file}"], hosts)
            times[kind].append((seconds, processor))
            found = {} if kind in ("empty", *floors) else stock(said) if kind.startswith("stock") else ours(said)
            if found != expected:
                sys.exit(f"The checks are wrong ({kind}), and their speed means nothing: {found}\n{said[-3000:]}")
    wall = {kind: min(seconds for seconds, _processor in each) for kind, each in times.items()}
    spent = {kind: min(processor for _seconds, processor in each) for kind, each in times.items()}
    for name in floors:
        print(f"{len(hosts.members)} hosts, {name}: {wall[name]:.1f} s, whoever does it")
    for name, suffix in (("all checks", ""), ("without asking the services' own interpreters", ", few")):
        one, other = "ours" + suffix, "stock" + suffix
        print(
            f"{len(hosts.members)} hosts, {name}: ours {wall[one]:.1f} s, stock tasks {wall[other]:.1f} s, "
            f"ratio {wall[other] / wall[one]:.1f}; beyond an empty play ({wall['empty']:.1f} s) "
            f"{(wall[other] - wall['empty']) / (wall[one] - wall['empty']):.1f}; processor time of the control node "
            f"{spent[one]:.1f} s and {spent[other]:.1f} s, ratio {spent[other] / spent[one]:.1f}"
        )


# -- the hosts -------------------------------------------------------------------------------------------------------


def prepare(hosts: Hosts) -> None:
    """Three controllers and seven computes with their daemons, and the mistakes."""
    hosts.up()
    hosts.deploy()
    hosts.join(*CONTROLLERS)
    names = [member.name for member in CONTROLLERS]
    with ThreadPoolExecutor() as pool:
        list(pool.map(hosts.deploy_controller, names))
        _rabbitmq.start(hosts)
        url = "rabbit://" + ",".join(f"{_rabbitmq.LOGIN}@{rabbit}" for rabbit in _rabbitmq.MEMBERS) + "/"
        list(pool.map(lambda name: furnish(hosts, name, url), names))
    console_ports_blocked.break_(hosts)
    hosts.mount_disk("compute7", INSTANCES, 64)
    for (host, _faults), command in MISTAKES.items():
        if command:
            hosts.must(host, ["sh", "-ec", command])


def furnish(hosts: Hosts, name: str, url: str) -> None:
    """A controller's database, memcached and message queue."""
    hosts.must(name, ["sh", "-ec", _DATABASE + _CACHE])
    hosts.must(name, ["python3", "-c", _MAP, url], user="nova")
    options = [("DEFAULT", "transport_url", url), ("keystone_authtoken", "memcached_servers", ",".join(CACHES))]
    _nova_conf.change(hosts, name, [(section, option, value) for section, option, value in options])
    hosts.must(name, ["systemctl", "restart", "nova-conductor", "nova-scheduler"])


# -- what is run -----------------------------------------------------------------------------------------------------


def known() -> dict[str, Any]:
    """What the stock tasks know of each service: those of its options that are numbers or truths wherever they stand."""
    told = {}
    for service, release in RELEASES.items():
        kinds: dict[str, set[str]] = {}
        for names in _options.bundled(service, release).options.values():
            for name, option in names.items():
                kinds.setdefault(name, set()).add(option["type"])
        told[service] = {kind: sorted(name for name, of in kinds.items() if of == {kind}) for kind in ("bool", "int")}
    return told


def our_tasks(faults: list[str]) -> list[dict[str, Any]]:
    """A diagnosis: its look at the hosts, and what it makes of that."""
    seen = "dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, '__stackmend_host')))"
    judged = f"{{{{ {seen} | stackmend.openstack.fleet_findings(faults=faults, no_cloud='there is none') | to_json }}}}"
    return [
        {
            "name": "Name the computes that must reach each other",
            "ansible.builtin.set_fact": {
                "__stackmend_peers": "{{ groups.computes | stackmend.openstack.migration_peers(hostvars, {}) }}"
            },
            "run_once": True,
        },
        {
            "name": "Look at the hosts",
            "ansible.builtin.import_tasks": str(LOOK),
            "vars": {
                "__stackmend_wanted": faults,
                "__stackmend_run": {"log_window": 86400},
                "stackmend_memcached_servers": CACHES,
            },
        },
        {
            "name": "Judge them",
            "ansible.builtin.debug": {"msg": f"FOUND {judged} FOUND"},
            "vars": {"faults": faults},
            "run_once": True,
        },
    ]


def play(file: Path, tasks: list[dict[str, Any]]) -> None:
    file.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))


def run(arguments: list[str], hosts: Hosts) -> tuple[float, float, str]:
    """(seconds, seconds of processor time, what it said) of ansible-playbook; ends the program where that fails."""
    environment = {
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", str(hosts.inventory), "-f", str(len(hosts.members)), *arguments]
    output = hosts.directory / "output"
    began = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment)
        _pid, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    said = output.read_text()
    if process.returncode:
        sys.exit(f"{shlex.join(command)} ended with {process.returncode}:\n{said[-5000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, said


def ours(said: str) -> dict[str, set[str]]:
    """The faults by host, from what the last task prints."""
    (text,) = re.findall(r'"FOUND (.*) FOUND"', said)
    found: dict[str, set[str]] = {}
    for finding in json.loads(json.loads(f'"{text}"'))["findings"]:
        found.setdefault(finding["target"]["name"], set()).add(finding["fault"])
    return found


def stock(said: str) -> dict[str, set[str]]:
    """The same of the stock tasks, whose names begin with the fault's id."""
    found: dict[str, set[str]] = {}
    fault = ""
    for line in said.splitlines():
        task = re.match(r"TASK \[([^:\]]+)", line)
        fault = task.group(1) if task else fault
        failed = re.match(r"(?:fatal|failed): \[(\w+)", line)
        if failed:
            found.setdefault(failed.group(1), set()).add(fault)
    return found


if __name__ == "__main__":
    main(int((sys.argv[1:2] or [str(ROUNDS)])[0]))
