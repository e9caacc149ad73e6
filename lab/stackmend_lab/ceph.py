# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Ceph cluster in one directory: a monitor, a manager and three OSDs that keep their objects in memory.

It needs Debian's packages ceph-mon, ceph-mgr, ceph-osd and ceph-common, listens on loopback alone, and asks nobody for a key.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

NEEDED = ("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "monmaptool", "osdmaptool", "rados")
OSDS = 3
OSD_BYTES = 128 << 20
FSID = "5a7c2d9e-3b1f-4e68-9c04-7d2e8f6a1b35"
POOL = "vms"
SECONDS = 90
# The health checks that say that an OSD is filled beyond a ratio.
FULL = ("OSD_NEARFULL", "OSD_BACKFILLFULL", "OSD_FULL")

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{port}]
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
osd pool default size = 2
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = {osd_bytes}
osd max object name len = 256
osd max object namespace len = 64
osd mclock skip benchmark = true
osd mon report interval = 1
mgr stats period = 1
mon data avail warn = 1
mon warn on pool no redundancy = false
# A cluster this small would otherwise not be reweighted at all.
mon reweight min bytes per osd = 1048576
run dir = {directory}/run
log file = {directory}/log/$name.log
pid file = {directory}/run/$name.pid
[mon.a]
mon data = {directory}/mon
[mgr.a]
mgr data = {directory}/mgr
[osd]
osd data = {directory}/osd$id
"""


class CephError(RuntimeError):
    """The cluster cannot be had, or did not do what was asked; the sentence says why."""


class Ceph:
    """One cluster. `inventory` is an Ansible inventory file with the one host from which it is administered."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.configuration = directory / "ceph.conf"
        self.inventory = directory / "inventory.yml"
        self.command = ["ceph", "-c", str(self.configuration)]

    def __enter__(self) -> Ceph:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Start a new cluster with one pool, and wait until it is whole."""
        for name in ("mon", "mgr", "run", "log", "root/etc", *(f"osd{number}" for number in range(OSDS))):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "root/etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.configuration.write_text(
            _CONFIGURATION.format(fsid=FSID, port=port, directory=self.directory, osd_bytes=OSD_BYTES)
        )
        map_ = str(self.directory / "monmap")
        self._run("monmaptool", "--create", "--fsid", FSID, "--addv", "a", f"[v2:127.0.0.1:{port}]", map_)
        self._daemon("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_)
        self._daemon("ceph-mon", "-i", "a")
        self._daemon("ceph-mgr", "-i", "a")
        for number in range(OSDS):
            identity = str(uuid.uuid4())
            self.ask("osd", "new", identity)
            self._daemon("ceph-osd", "-i", str(number), "--mkfs", "--osd-uuid", identity)
            self._daemon("ceph-osd", "-i", str(number))
        self.ask("config", "set", "global", "osd_pool_default_pg_autoscale_mode", "off")
        # The manager's own pool comes first: the pools' numbers, and with them the places of objects, are always the same.
        self.wait("the manager's pool", lambda: len(self.ask("osd", "dump")["pools"]) == 1)
        self.ask("osd", "pool", "create", POOL, "64", "64")
        self.ask("osd", "pool", "application", "enable", POOL, "rbd")
        self.wait("the balancer", lambda: "active" in self.ask("balancer", "status"))
        self.ask("balancer", "off")
        self.settle()
        self.inventory.write_text(yaml.safe_dump(self._inventory(), sort_keys=False))

    def down(self) -> None:
        """End the daemons and remove what they kept."""
        for file in self.directory.glob("run/*.pid"):
            _end(int(file.read_text()))
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, *question: str) -> Any:
        """The answer of the cluster to a command, from its JSON; None where it says nothing."""
        said = self._run(*self.command, "--connect-timeout", "20", *question, "--format", "json")
        try:
            return json.loads(said) if said.strip() else None
        except ValueError:
            return None

    def checks(self) -> dict[str, Any]:
        """The health checks that the cluster fails, by name."""
        checks: dict[str, Any] = self.ask("health", "detail")["checks"]
        return checks

    def fullest(self) -> float:
        """How full the fullest OSD is, in percent."""
        return max(float(node["utilization"]) for node in self.ask("osd", "df")["nodes"])

    def fill(self, percent: float) -> None:
        """Write objects until the fullest OSD is a little over so many percent full."""
        size, written = 512 << 10, 0
        wanted = int(
            percent / 100 * OSD_BYTES / size
        )  # what a single OSD could hold: fewer than needed, for a beginning
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            self._write(written, wanted, size)
            written = wanted
            self.settle()
            now = self.fullest()
            if now > percent:
                return
            wanted = max(written + 2, int(written * (percent + 0.4) / now))
        raise CephError(f"no OSD was filled to {percent} % within {SECONDS} s")

    def empty(self) -> None:
        """Remove all objects of the pool."""
        names = self._run("rados", "-c", str(self.configuration), "-p", POOL, "ls").split()
        if names:
            self._run("rados", "-c", str(self.configuration), "-p", POOL, "rm", *names)

    def settle(self) -> None:
        """Wait until each placement group is clean where the newest map puts it, and usage and health tell of that."""
        self.wait("placement groups that are clean in their places", self._in_place)
        self.wait("OSDs that hold no placement group of others", self._held)
        self.wait("health that agrees with usage", self._agree)

    def wait(self, what: str, there: Callable[[], bool]) -> None:
        """Wait until something is there; CephError when it does not come."""
        until = time.monotonic() + SECONDS
        while not there():
            if time.monotonic() > until:
                raise CephError(f"{what} did not come within {SECONDS} s; the logs are in {self.directory}/log")
            time.sleep(0.5)

    def _in_place(self) -> bool:
        """Whether the OSDs that hold each placement group are those that the newest map names, and have told that they do."""
        map_ = str(self.directory / "osdmap")
        self._run(*self.command, "osd", "getmap", "-o", map_)
        placed = {}
        for pool in self.ask("osd", "dump")["pools"]:
            said = self._run("osdmaptool", map_, "--test-map-pgs-dump", "--pool", str(pool["pool"]))
            for line in said.splitlines():
                name, _tab, osds = line.partition("\t")
                if osds.startswith("["):
                    placed[name] = json.loads(osds.partition("]")[0] + "]")
        told = {row["pgid"]: row for row in self.ask("pg", "dump", "pgs_brief")["pg_stats"]}
        return placed.keys() == told.keys() and all(
            row["state"].startswith("active+clean") and row["up"] == row["acting"] == placed[name]
            for name, row in told.items()
        )

    def _held(self) -> bool:
        """Whether the OSDs hold as many placement groups as are theirs, by what each of them tells from now on."""
        asked = {
            number: int(self._run(*self.command, "tell", f"osd.{number}", "flush_pg_stats")) for number in range(OSDS)
        }
        told: list[dict[str, Any]] = []

        def all_told() -> bool:
            told[:] = self.ask("pg", "dump", "osds")["osd_stats"]
            return all(row["seq"] >= asked[row["osd"]] for row in told)

        self.wait("the OSDs' usage", all_told)
        groups = self.ask("pg", "dump", "pgs_brief")["pg_stats"]
        return sum(row["num_pgs"] for row in told) == sum(len(row["acting"]) for row in groups)

    def _agree(self) -> bool:
        """Whether health fails a check of OSDs' space just when one is filled beyond the lowest ratio."""
        nearfull = float(self.ask("osd", "dump")["nearfull_ratio"]) * 100
        return (self.fullest() > nearfull) == any(name in FULL for name in self.checks())

    def _write(self, first: int, last: int, size: int) -> None:
        content = self.directory / "content"
        content.write_bytes(os.urandom(size))
        where = ["rados", "-c", str(self.configuration), "-p", POOL]
        for start in range(first, last, 8):
            running = [
                subprocess.Popen([*where, "put", f"object{number}", str(content)], stderr=subprocess.DEVNULL)
                for number in range(start, min(start + 8, last))
            ]
            ended = [process.wait(SECONDS) for process in running]
            if any(ended):
                raise CephError("an object could not be written: is an OSD full?")

    def _daemon(self, program: str, *arguments: str) -> None:
        self._run(program, "-c", str(self.configuration), *arguments)

    def _inventory(self) -> dict[str, Any]:
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "stackmend_ceph_command": self.command,
            # Nothing of this machine is looked at but the cluster.
            "stackmend_root": str(self.directory / "root"),
        }
        return {"all": {"hosts": {"ceph1": host}}}

    def _run(self, *argv: str) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise CephError(f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout


def cannot_run() -> str:
    """Why no cluster can be had here; empty when one can."""
    missing = [program for program in NEEDED if not shutil.which(program)]
    return f"Ceph is not installed here ({', '.join(missing)})" if missing else ""


def _end(pid: int) -> None:
    for which in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, which)
        except ProcessLookupError:
            return
        until = time.monotonic() + 10
        while time.monotonic() < until and Path(f"/proc/{pid}").exists():
            time.sleep(0.1)
