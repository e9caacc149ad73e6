# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The places in which faults are produced: the embedded lab, and systemd hosts where the machine can run them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import ansible
import ansible_runner
import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _settings
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS, select
from ansible_collections.stackmend.openstack.plugins.module_utils._fleet import correlate, migration_peers
from ansible_collections.stackmend.openstack.plugins.modules import cloud_fault_info, host_fault_info
from stackmend_lab import Lab, breakers
from stackmend_lab.ceph import Ceph
from stackmend_lab.hosts import Hosts
from stackmend_lab.layout import SERVICES
from xdist.scheduler import LoadScopeScheduling

import stackmend

# What running services write by themselves; everything else in a host's tree is state that only a remedy may change.
_OWN_WRITINGS = ("/var/log/", "/var/lib/nova/", "/var/lib/glance/", "/var/lib/stackmend/")


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
    """One test at a time for each worker, for some take minutes; but one worker for all on systemd hosts and Ceph.

    Those take longest to start, and wait more than they compute.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        fault = test.rpartition("[")[2].removesuffix("]")
        contract = file.endswith("test_contract.py") and fault in breakers.all_breakers()
        on_hosts = breakers.load(fault).needs in ("hosts", "ceph") if contract else file.endswith("test_hosts.py")
        return "hosts" if on_hosts else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling:
    # xdist_group marks would say the same, if xdist 3.8 could name a test anew in pytest 9.
    return _Scheduling(config, log)


class Seen(NamedTuple):
    """What was found, as (fault, type and name of the target, certainty, summary), and the reasons of what is unknown."""

    found: list[tuple[str, str, str, str, str]]
    unknown: list[str]


@dataclass
class Place:
    """Somewhere that can be broken: what a breaker is given, how it is diagnosed, and what its state is."""

    subject: Any
    inventory: Path
    faults: tuple[str, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """Everything that may not change without being asked: files with mode and owner, and images."""
        raise NotImplementedError

    def look(self, faults: list[str], variables: dict[str, Any], hosts: Sequence[str] = ()) -> Seen:
        """What a diagnosis of these faults, on these hosts or on all, finds and does not know."""
        report = stackmend.diagnose(self.inventory, faults=faults, limit=",".join(hosts) or None, variables=variables)
        found = [(f.fault, f.target.type, f.target.name, f.certainty, f.summary) for f in report.findings]
        return Seen(found, [entry.reason for entry in report.unknown])


@dataclass
class CloudPlace(Place):
    """The embedded lab."""

    _looked: dict[str, str] = field(default_factory=dict, repr=False)

    def look(self, faults: list[str], variables: dict[str, Any], hosts: Sequence[str] = ()) -> Seen:
        """The same by the modules and the filter of a diagnosis, called right here: a run of Ansible takes five seconds."""
        given = {name: {**own, **variables} for name, own in self._hosts.items()}
        everywhere = next(iter(given.values()))
        run = _settings.settings({name.removeprefix("stackmend_"): value for name, value in everywhere.items()})
        cloud = cloud_fault_info.look({**_options(cloud_fault_info.OPTIONS, everywhere), **run, "faults": faults})
        of_hosts = {
            name: self._look_at(
                {
                    **_options(host_fault_info.ARGUMENTS, own),
                    "host": name,
                    "groups": own["group_names"],
                    "faults": faults,
                }
            )
            for name, own in given.items()
            if not hosts or name in hosts
        }
        return _seen(correlate(select(faults), of_hosts, cloud))

    def _look_at(self, options: dict[str, Any]) -> dict[str, Any]:
        """What the module says of a host: for faults that rest on its files, or on rows of nova too, once for each state."""
        wanted = set(options["faults"])
        files = {
            path: (*_file(path), path.stat().st_mtime_ns) for path in _files(Path(options["root"]), ("/var/log/",))
        }
        parts = [_look(options, sorted(wanted.difference(*_ON_FILES, _ON_CELLS)))]
        rows = _rows(self.subject.layout.data, _CELLS, deleted=True) if wanted & _ON_CELLS else {}
        for group, state in (*((group, files) for group in _ON_FILES), (_ON_CELLS, (files, rows))):
            if wanted & group:
                key = repr(({**options, "faults": sorted(group)}, state))
                if key not in self._looked:
                    self._looked[key] = json.dumps(_look(options, sorted(group)))
                parts.append(json.loads(self._looked[key]))
        return {
            "findings": [finding for part in parts for finding in part["findings"]],
            "unknown": [entry for part in parts for entry in part["unknown"]],
            "observations": {name: seen for part in parts for name, seen in part["observations"].items()},
            "logs": None,
        }

    @cached_property
    def _hosts(self) -> dict[str, dict[str, Any]]:
        """The variables of each host of the inventory, as a playbook has them."""
        names = "query('ansible.builtin.varnames', '^stackmend_')"
        variables = f"dict({names} | zip(query('ansible.builtin.vars', *{names})))"
        with tempfile.TemporaryDirectory() as private:
            run = ansible_runner.run(
                private_data_dir=private,
                inventory=str(self.inventory),
                host_pattern="all",
                module="ansible.builtin.debug",
                module_args=f"msg={{{{ {variables} | combine({{'group_names': group_names}}) }}}}",
                quiet=True,
            )
            told = [event["event_data"] for event in run.events if event["event"] == "runner_on_ok"]
        return {data["host"]: data["res"]["msg"] for data in told}

    def state(self) -> dict[str, Any]:
        root = self.subject.host_root("labctl").parent
        files = {
            str(path.relative_to(root)): _file(path)
            for host in sorted(root.iterdir())
            for path in _files(host, _OWN_WRITINGS)
        }
        with self.subject.cloud() as cloud:
            images = {image["id"]: _image(image) for image in cloud.image.get("/images?limit=500").json()["images"]}
        return {"files": files, "images": images, **_rows(self.subject.layout.data)}


def _seen(judged: dict[str, Any]) -> Seen:
    """What `correlate` says."""
    found = [
        (entry["fault"], entry["target"]["type"], entry["target"]["name"], entry["certainty"], entry["summary"])
        for entry in judged["findings"]
    ]
    return Seen(found, [entry["reason"] for entry in judged["unknown"]])


# Readers that a directory gives all they ask for; the others ask the cloud's databases, processes, or other hosts.
_OF_FILES = frozenset(
    ["accounts", "compute", "config_files", "nova_manage", "openstack_client", "oslo_config", "scheduler", "scripts"]
)
# The faults that rest on those alone; apart from them those for which every service is asked for its options.
_ON_FILES = [
    {
        fault.id
        for fault in FAULTS.values()
        if fault.host_evidence
        and set(fault.host_evidence) <= _OF_FILES
        and ("oslo_config" in fault.host_evidence) is asks_options
    }
    for asks_options in (True, False)
]
# Those for which nova's own interpreter is asked for its cells.
_ON_CELLS = {fault.id for fault in FAULTS.values() if "nova_cells" in fault.host_evidence}


def _look(options: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    """What host_fault_info says of these faults, of none where there are none."""
    nothing: dict[str, Any] = {"findings": [], "unknown": [], "observations": {}}
    return host_fault_info.look({**options, "faults": faults}) if faults else nothing


def _files(root: Path, but: tuple[str, ...]) -> Iterator[Path]:
    """The files below a directory that stands for a host, but those under some directories of it."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink() and not f"/{path.relative_to(root)}".startswith(but):
            yield path


def _file(path: Path) -> tuple[str, str, int, int]:
    """What may not change of a file without being asked: content, mode and owner."""
    status = path.stat()
    return hashlib.sha256(path.read_bytes()).hexdigest(), oct(status.st_mode), status.st_uid, status.st_gid


def _options(arguments: dict[str, dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
    """A module's options, each from the variable of its name, as the playbooks give them."""
    return {name: variables.get(f"stackmend_{name}", spec.get("default")) for name, spec in arguments.items()}


# What each service keeps of a cloud, by database and table; a fault that lies in another table adds it here.
_TABLES = {
    "keystone": ("service", "endpoint", "assignment"),
    "nova_api": (
        "aggregate_hosts",
        "aggregate_metadata",
        "cell_mappings",
        "flavor_extra_specs",
        "flavors",
        "host_mappings",
        "instance_mappings",
    ),
    "nova_cell1": ("compute_nodes", "instance_system_metadata", "instances", "migrations", "services"),
    "nova_cell0": ("instances",),
    "placement": (
        "allocations",
        "consumers",
        "inventories",
        "resource_provider_aggregates",
        "resource_provider_traits",
    ),
}
# Times, counters and row numbers, which change without anybody changing anything; what computes report of themselves.
_MOVING = re.compile(
    r"(created|updated|launched|deleted|last_seen|scheduled)_|generation|report_count|^id$|^version$|stats|workload|^free_|^running_|_used$|^disk_available"
    r"|^cpu_info$|^metrics$|^extra_resources$|^supported_instances$|^numa_topology$|^host_ip$|^service_id$|^power_state$|^progress$"
)


# What nova's cells are read from.
_CELLS = {name: tables for name, tables in _TABLES.items() if name.startswith("nova")}


def _rows(data: Path, of: dict[str, tuple[str, ...]] = _TABLES, deleted: bool = False) -> dict[str, list[str]]:
    """The rows of the cloud's databases, read beside the services; those that nova calls deleted too where it is asked for."""
    found = {}
    for database, tables in of.items():
        with contextlib.closing(
            sqlite3.connect(f"file:{data}/{database}.sqlite?mode=ro", uri=True, timeout=60)
        ) as connection:
            connection.row_factory = sqlite3.Row
            for table in tables:
                rows = [dict(row) for row in connection.execute(f"select * from {table}")]
                living = [row for row in rows if deleted or not (row.get("deleted") or row.get("queued_for_delete"))]
                # nova-compute counts every five minutes how often it has cleaned up after a deleted server
                living = [row for row in living if row.get("key") != "clean_attempts"]
                found[f"{database}.{table}"] = sorted(
                    repr({name: value for name, value in row.items() if not _MOVING.search(name)}) for row in living
                )
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What two states of a place do not share: {part: (only before, only after)}."""
    found: dict[str, Any] = {}
    for part in {*before, *after}:
        old, new = before.get(part), after.get(part)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed = [key for key in {*old, *new} if old.get(key) != new.get(key)]
            found[part] = ({key: old.get(key) for key in changed}, {key: new.get(key) for key in changed})
        elif isinstance(old, list) and isinstance(new, list):
            found[part] = ([row for row in old if row not in new], [row for row in new if row not in old])
        else:
            found[part] = (old, new)
    return found


def _image(image: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in image.items() if name not in ("updated_at", "self", "file", "schema")}


def free_ports() -> int:
    """The first of as many free ports as a lab needs; workers that test side by side look in ranges of their own.

    Where they begin to look is their process id's: two sessions that start at once do not meet at the same ports.
    """
    first = 20100 + 2000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    bases = range(first, first + 2000, 50)
    start = os.getpid() % len(bases)
    for base in (*bases[start:], *bases[:start]):
        try:
            for port in range(base, base + len(SERVICES)):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    pytest.fail("no free range of ports for a lab")


@pytest.fixture(scope="session")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Journals and reports of these tests, apart from the user's own."""
    home = tmp_path_factory.mktemp("state")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(home)
    # ansible-playbook of the environment that runs the tests, also where that is not activated
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    yield home
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(scope="session")
def lab(state_home: Path) -> Iterator[Lab]:
    """The embedded lab in a directory of its own, up."""
    os.environ["STACKMEND_LAB_DIR"] = str(state_home / "lab")
    os.environ["STACKMEND_LAB_PORT_BASE"] = str(free_ports())
    lab = Lab()
    lab.up(lambda line: print(line, file=sys.stderr))
    try:
        yield lab
    finally:
        lab.down(wipe=True)
        del os.environ["STACKMEND_LAB_DIR"], os.environ["STACKMEND_LAB_PORT_BASE"]


@pytest.fixture(scope="session")
def cloud_place(lab: Lab) -> CloudPlace:
    return CloudPlace(lab, lab.inventory)


_LOOK = """
import json, sys
from ansible_collections.stackmend.openstack.plugins.modules import host_fault_info
json.dump(host_fault_info.look(json.load(sys.stdin)), sys.stdout)
"""
_MODULES = "/var/cache/stackmend-tests"


class HostsPlace(Place):
    """A controller and three computes with systemd, over ssh."""

    def look(self, faults: list[str], variables: dict[str, Any], hosts: Sequence[str] = ()) -> Seen:
        """The same by the module, run on all hosts at once, and the filter of a diagnosis: without Ansible's own start."""
        chosen = {name: member for name, member in self.subject.members.items() if not hosts or name in hosts}
        addresses = self.subject.addresses()
        computes = {
            name: addresses[name] for name, member in self.subject.members.items() if member.group == "computes"
        }
        peers = migration_peers({name: {"ansible_host": address} for name, address in computes.items()}, {})
        shared = {**_options(host_fault_info.ARGUMENTS, variables), "faults": faults, "migration_peers": peers}
        asked = {name: {**shared, "groups": [member.group]} for name, member in chosen.items()}
        seen = self.ask(asked)
        listeners, proxies = [], []
        for name, result in seen.items():
            told = result["observations"].get("console_ports_blocked") or {}
            listeners += [told["listener"]] if told.get("listener") is not None else []
            proxies += [name] if told.get("proxy") is not None else []
        if listeners and proxies:
            only = {"faults": ["console_ports_blocked"], "console_listeners": listeners}
            for name, result in self.ask({name: {**asked[name], **only} for name in proxies}).items():
                seen[name]["observations"]["console_ports_blocked"].update(
                    result["observations"]["console_ports_blocked"]
                )
        return _seen(correlate(select(faults), seen, None))

    def ask(self, asked: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """What the module says on each host to the options that are given for it; the others are at their defaults."""
        archive, defaults = self._archive, _options(host_fault_info.ARGUMENTS, {})

        def one(name: str) -> dict[str, Any]:
            if self.subject.ssh(name, ["test", "-e", _MODULES]).returncode:
                # as files, of which Python keeps what it compiled
                self.subject.copy(name, archive, f"{_MODULES}.zip")
                self.subject.must(name, ["python3", "-m", "zipfile", "-e", f"{_MODULES}.zip", _MODULES])
            command = ["env", f"PYTHONPATH={_MODULES}", "python3", "-c", _LOOK]
            options = json.dumps({**defaults, **asked[name], "host": name})
            answer: dict[str, Any] = json.loads(self.subject.must(name, command, input=options))
            return answer

        with ThreadPoolExecutor(max_workers=len(asked)) as pool:
            return dict(zip(asked, pool.map(one, asked), strict=True))

    @cached_property
    def _archive(self) -> Path:
        """The module and all it imports, as one file that Python imports from."""
        file = self.subject.directory / "look.zip"
        plugins, core = Path(host_fault_info.__file__).parents[1], Path(ansible.__file__).parent
        roots = {
            core.parent: [core / "release.py", *core.glob("module_utils/**/*.py")],
            plugins.parents[3]: [Path(host_fault_info.__file__), *plugins.glob("module_utils/**/*.py")],
        }
        files = {path.relative_to(root): path for root, paths in roots.items() for path in paths}
        with zipfile.ZipFile(file, "w") as archive:
            for name, path in files.items():
                archive.write(path, name)
            packages = {package / "__init__.py" for name in files for package in name.parents[:-1]}
            for name in sorted(packages - files.keys()):
                archive.writestr(str(name), "")
        return file

    def state(self) -> dict[str, Any]:
        paths = ["/etc", "/usr/local", "/var/lib/nova/.ssh"]
        # usermod keeps the accounts as they were before its last change in files of its own.
        backups = ("/etc/passwd-", "/etc/shadow-")
        state: dict[str, Any] = {
            host: {path: now for path, now in self.subject.snapshot(host, paths).items() if path not in backups}
            for host in self.subject.members
        }
        return state


@pytest.fixture(scope="session")
def hosts_place(state_home: Path) -> Iterator[HostsPlace]:
    """Systemd hosts as a deployment tool leaves them; without a cloud, so the faults that need one are left out."""
    faults = tuple(fault.id for fault in FAULTS.values() if not fault.cloud_evidence)
    with Hosts(f"stackmend-test-{os.getpid()}") as hosts:
        hosts.deploy()
        variables = {"ansible_pipelining": True, "stackmend_max_changes": "100%"}
        yield HostsPlace(hosts, hosts.inventory, faults, variables)


class CephPlace(Place):
    """A Ceph cluster; all that can be changed there is what a breaker compares itself."""

    def state(self) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="session")
def ceph_place(state_home: Path) -> Iterator[CephPlace]:
    """A Ceph cluster, up; beside it nothing that needs a cloud is looked for."""
    faults = tuple(fault.id for fault in FAULTS.values() if not fault.cloud_evidence)
    with Ceph(state_home / "ceph") as ceph:
        yield CephPlace(ceph, ceph.inventory, faults, {})


def hosts_cannot_run() -> str:
    """Why systemd hosts cannot be had here; empty when they can."""
    if os.geteuid() != 0:
        return "systemd hosts need root (podman)"
    if not shutil.which("apt-get"):
        return "systemd hosts are built from Debian's packages, and there is no apt-get here"
    return ""
