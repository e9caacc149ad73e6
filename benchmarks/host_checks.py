# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of ten hosts, as one module call each, against the same checks as stock Ansible tasks, in one run.

    host_checks.py [HOSTS]

A host is a directory with what a controller and compute in one has, reached by the connection `local`: that spares the stock
tasks, of which there are many, a round trip by ssh each. What needs a running host (ssh between computes, consoles, processes) is
left out on both sides, and so is what both would spend on a service's own interpreter. The stock tasks (host_checks.yml) are
simpler than the checks: they do not know sections, files that override others, or deprecated names.

Both are whole commands with as many forks as hosts, taken in turn; the best of three counts, and what an empty play takes is told
beside it. Only ratios within one run mean something.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _options

ROUNDS = 3
STOCK = Path(__file__).with_suffix(".yml")
RELEASES = {"nova": 31, "neutron": 26, "keystone": 27, "glance": 30, "placement": 13}
CONFIGURATION = {
    "nova": "/etc/nova/nova.conf",
    "neutron": "/etc/neutron/neutron.conf",
    "keystone": "/etc/keystone/keystone.conf",
    "glance": "/etc/glance/glance-api.conf",
    "placement": "/etc/placement/placement.conf",
}
# The host on which two mistakes are made, and what has to be found there.
BROKEN = "host03"
MISTAKES = {"config_option_unknown", "config_value_invalid"}


def main(number: int) -> None:
    with tempfile.TemporaryDirectory(prefix="stackmend-benchmark-") as directory:
        work = Path(directory)
        names = [f"host{each:02}" for each in range(1, number + 1)]
        for name in names:
            make_host(work / name, broken=name == BROKEN)
        inventory = make_inventory(work, names)
        (work / "known.json").write_text(json.dumps({"known": known()}))
        play(work / "empty.yml", [])
        play(work / "ours.yml", [_our_task()])
        times: dict[str, list[float]] = {"empty": [], "ours": [], "stock": []}
        for _round in range(ROUNDS):
            for kind, playbook in (
                ("empty", work / "empty.yml"),
                ("ours", work / "ours.yml"),
                ("stock", STOCK),
            ):
                seconds, said = run(playbook, inventory, work, number)
                times[kind].append(seconds)
                if kind != "empty":
                    found = {"ours": ours, "stock": stock}[kind](said)
                    if found != {BROKEN: MISTAKES}:
                        sys.exit(
                            f"The checks are wrong ({kind}), and their speed means nothing: {found}\n{said[-3000:]}"
                        )
        best = {kind: min(seconds) for kind, seconds in times.items()}
        tasks = len(yaml.safe_load(STOCK.read_text())[0]["tasks"])
        print(
            f"{number} hosts: ours {best['ours']:.1f} s, {tasks} stock tasks {best['stock']:.1f} s, "
            f"ratio {best['stock'] / best['ours']:.1f}; beyond an empty play ({best['empty']:.1f} s) "
            f"{(best['stock'] - best['empty']) / (best['ours'] - best['empty']):.1f}"
        )


def make_host(root: Path, *, broken: bool) -> None:
    """What a deployment leaves, as files: some forty options for each service, all of them right but two on one host."""
    for service, path in CONFIGURATION.items():
        file = Path(root, path.lstrip("/"))
        file.parent.mkdir(parents=True)
        file.write_text(configuration(service, broken=broken and service == "nova"))
    for directory in ("etc/ceph", "usr/local/bin", "root", "run/libvirt/qemu", "usr/bin", "etc/cron.d", "tmp"):
        Path(root, directory).mkdir(parents=True)
    home = Path(root, "var/lib/nova/.ssh")
    home.mkdir(parents=True, mode=0o700)
    for name in ("id_ed25519", "authorized_keys", "known_hosts"):
        Path(home, name).touch(mode=0o600)
    Path(root, "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nnova:x:0:0::/var/lib/nova:/bin/sh\n")
    Path(root, "usr/local/bin/evacuate").write_text("#!/bin/sh\nnova host-evacuate --strict compute7\n")


def configuration(service: str, *, broken: bool) -> str:
    """A file of options that the release registers, each at a value that it takes."""
    lines = []
    table = _options.bundled(service, RELEASES[service]).options
    for group in sorted(table):
        chosen = [
            (n, o) for n, o in sorted(table[group].items()) if o["type"] in ("bool", "int", "str") and "default" in o
        ]
        lines.append(f"[{group}]")
        lines += [f"{name} = {option['default']}" for name, option in chosen[:8] if option["default"] not in (None, "")]
    text = "\n".join(lines[:120]) + "\n"
    if broken:
        text += "[vnc]\nserver_lissten = 0.0.0.0\nenabled = perhaps\n"
    return text


def known() -> dict[str, Any]:
    """What the stock tasks know of each service: its options' names, and those that are numbers or truths."""
    told = {}
    for service, release in RELEASES.items():
        options = [
            (name, option)
            for names in _options.bundled(service, release).options.values()
            for name, option in names.items()
        ]
        of = {kind: sorted({name for name, option in options if option["type"] == kind}) for kind in ("bool", "int")}
        others = {name for name, option in options if option["type"] not in ("bool", "int")}
        told[service] = {
            "names": sorted({name for name, _option in options}),
            "bool": [name for name in of["bool"] if name not in others and name not in of["int"]],
            "int": [name for name in of["int"] if name not in others and name not in of["bool"]],
        }
    return told


def make_inventory(work: Path, names: list[str]) -> Path:
    shared = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {name: {"stackmend_root": str(work / name)} for name in names}
    file = work / "inventory.yml"
    file.write_text(yaml.safe_dump({"computes": {"hosts": hosts, "vars": shared}}))
    return file


def _our_task() -> dict[str, Any]:
    on_hosts = [fault.id for fault in FAULTS.values() if fault.host_evidence]
    return {
        "name": "Look for all known faults of the host",
        "stackmend.openstack.host_fault_info": {
            "host": "{{ inventory_hostname }}",
            "groups": "{{ group_names }}",
            "root": "{{ stackmend_root }}",
            "releases": {service: f"{release}.0.0" for service, release in RELEASES.items()},
            "faults": on_hosts,
        },
        "register": "found",
        "failed_when": "found.findings | length > 0",
        "ignore_errors": True,
    }


def play(file: Path, tasks: list[dict[str, Any]]) -> None:
    file.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))


def run(playbook: Path, inventory: Path, work: Path, forks: int) -> tuple[float, str]:
    environment = {
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }
    command = ["ansible-playbook", "-i", str(inventory), "-f", str(forks), "-e", f"@{work}/known.json", str(playbook)]
    command[0] = str(Path(sys.executable).with_name(command[0]))
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False, env=environment)
    seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-2000:])
    return seconds, done.stdout


def ours(said: str) -> dict[str, set[str]]:
    """The faults by host, from what ansible-playbook prints."""
    results = re.findall(r"^fatal: \[(\w+)\]: FAILED! => *\n((?:    .*\n)+)", said, re.M)
    return {host: {finding["fault"] for finding in yaml.safe_load(result)["findings"]} for host, result in results}


def stock(said: str) -> dict[str, set[str]]:
    """The same of the stock tasks, whose names begin with the fault's id."""
    found: dict[str, set[str]] = {}
    fault = ""
    for line in said.splitlines():
        task = re.match(r"TASK \[(\w+):", line)
        fault = task.group(1) if task else fault
        failed = re.match(r"fatal: \[(\w+)\]", line)
        if failed:
            found.setdefault(failed.group(1), set()).add(fault)
    return found


if __name__ == "__main__":
    main(int((sys.argv[1:2] or ["10"])[0]))
