# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the processes of OpenStack services: who started each, how old it is, and how old the files are that it read.

The result:
  {"processes": [{
     "pid", "parent", "start": clock ticks since boot (with the pid it identifies the process), "started": seconds of the epoch,
     "program", "project", "unit": name or "", "main": whether it is its unit's main process,
     "container": bool, "deleted": whether its executable was replaced, "newest": {"path", "changed": seconds} or None,
     "host": under which nova knows it ("" for other programs), "grace": seconds that it may take to end}],
   "consumers": {host: how many consume compute.<host> in RabbitMQ, or None where that could not be asked},
   "gaps": [...]}

Only processes that are not workers of another one of the same program are in it. A process in a container is looked at
through its own file system.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .. import _transport_url
from .._model import Unavailable
from .._numbers import whole
from . import _amqp, _systemd, backends, oslo_config, services
from ._tree import Tree

COMPUTE = "nova-compute"
# oslo.service, graceful_shutdown_timeout
_GRACE = 60


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The processes of this host; none for a directory that stands for one, in which nothing runs."""
    gaps: list[dict[str, str]] = []
    if not tree.is_live:
        return {"processes": [], "consumers": {}, "gaps": gaps}
    found = [process for pid in os.listdir("/proc") if pid.isdigit() and (process := _process(int(pid)))]
    programs = {process["pid"]: process["program"] for process in found}
    found = [process for process in found if programs.get(process["parent"]) != process["program"]]
    mains = _main_pids({process["unit"] for process in found if process["unit"]})
    consumers: dict[str, Optional[int]] = {}
    for process in found:
        process["main"] = mains.get(process["unit"]) == process["pid"]
        own = process.pop("itself")
        inside = Tree(f"/proc/{process['pid']}/root") if process["container"] else tree
        try:
            paths = services.config_files(inside, own)
            process["newest"] = _newest(inside, paths)
            if process["program"] == COMPUTE:
                files = {path: oslo_config.read_file(inside, path) for path in paths}
                effective = oslo_config.effective({"files": files}, {"files": paths, "environment": own.environment})
                process["host"] = effective.text("DEFAULT", "host") or _host_name(process["pid"])
                process["grace"] = whole(effective.text("DEFAULT", "graceful_shutdown_timeout")) or _GRACE
                if process["host"] not in consumers:
                    consumers[process["host"]] = _consumers(effective, process["host"])
        except (Unavailable, OSError) as error:
            gaps.append({"reason": f"what {process['program']} (pid {process['pid']}) read could not be told: {error}"})
    return {"processes": sorted(found, key=lambda process: process["pid"]), "consumers": consumers, "gaps": gaps}


def _process(pid: int) -> Optional[dict[str, Any]]:
    """One process of a service; None for any other, and for one that ended."""
    directory = f"/proc/{pid}"
    try:
        with open(f"{directory}/cmdline", "rb") as file:
            words = [word for word in file.read(65536).decode(errors="replace").split("\0") if word]
        named = services.program_of(words)
        if named is None:
            return None
        parent, start = identity(pid)
        unit = _systemd.unit_of(pid)
        container = services.in_container(pid)
        environment, executable = _private(directory)
    except OSError:
        return None
    project, program, wsgi = named
    return {
        "pid": pid,
        "parent": parent,
        "start": start,
        "started": _boot() + start / os.sysconf("SC_CLK_TCK"),
        "program": program,
        "project": project,
        "unit": unit or "",
        "container": container,
        "deleted": executable.endswith(" (deleted)"),
        "newest": None,
        "host": "",
        "grace": _GRACE,
        "itself": services.Program(project, program, tuple(words), environment, wsgi=wsgi),
    }


def _private(directory: str) -> tuple[dict[str, str], str]:
    """The environment by which oslo.config is overridden, and the executable; nothing of them where we may not look, as in a
    container without CAP_SYS_PTRACE."""
    try:
        with open(f"{directory}/environ", "rb") as file:
            pairs = (part.partition("=") for part in file.read(1 << 20).decode(errors="replace").split("\0"))
            environment = {key: value for key, _equals, value in pairs if key.startswith("OS_")}
        return environment, os.readlink(f"{directory}/exe")
    except PermissionError:
        return {}, ""


def identity(pid: int) -> tuple[int, int]:
    """(parent, start) of a process: a pid is used again, but not with the same start. Raises OSError when it has ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        text = file.read()
    return parent_and_start(text)


def parent_and_start(text: str) -> tuple[int, int]:
    """The same of the text of /proc/PID/stat. Raises OSError for one that is cut off."""
    fields = [whole(field) for field in text.rpartition(")")[2].split()]  # the name before it may hold anything
    parent, start = fields[1:2], fields[19:20]
    if not parent or not start or parent[0] is None or start[0] is None:
        raise OSError("the kernel's line about a process is not whole")
    return parent[0], start[0]


def _boot() -> float:
    with open("/proc/stat", encoding="utf-8") as file:
        return float(next(line.split()[1] for line in file if line.startswith("btime ")))


def _host_name(pid: int) -> str:
    try:
        same = os.readlink(f"/proc/{pid}/ns/uts") == os.readlink("/proc/self/ns/uts")
    except PermissionError:
        same = True
    if same:
        return os.uname().nodename
    return Tree(f"/proc/{pid}/root").read_text("/etc/hostname").strip()


def _newest(tree: Tree, paths: Iterable[str]) -> Optional[dict[str, Any]]:
    changed = [(tree.stat(path).st_mtime, path) for path in paths]
    return {"path": max(changed)[1], "changed": max(changed)[0]} if changed else None


def _main_pids(units: Iterable[str]) -> dict[str, int]:
    """{unit: pid of its main process}, as systemd knows it."""
    try:
        told = _systemd.show(units, "MainPID")
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"systemd could not be asked which processes are its units' own: {error}") from error
    pids = {unit: whole(properties["MainPID"]) for unit, properties in told.items()}
    return {unit: pid for unit, pid in pids.items() if pid is not None}


def _consumers(effective: Any, host: str) -> Optional[int]:
    """How many consume the queue of a compute, asked with the compute's own login; None where it has no RabbitMQ."""
    url = _transport_url.parse(effective.text("DEFAULT", "transport_url"))
    if url is None or url.transport not in ("rabbit", "kombu"):
        return None
    tls = backends.tls_of(url, effective)
    for node in url.nodes:
        place = (node.host, node.port)
        user, password = node.user or "guest", node.password if node.password is not None else "guest"
        login = _amqp.log_in(place, user, password, url.virtual_host, tls, queue=f"compute.{host}")
        if login.consumers is not None:
            return login.consumers
    return None
