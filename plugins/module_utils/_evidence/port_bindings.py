# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which API servers of a host do not run because they cannot have their port, and what keeps it from them.

Units that run are not looked at further: a denial in a log is history. The firewall is not asked, because it decides what
reaches a port and never who may open it.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from .._numbers import whole
from . import _commands, _systemd, services
from ._tree import Tree

SECONDS = 20.0
WINDOW_SECONDS = 86400
_TAIL = 512 << 10
AUDIT_LOG = "/var/log/audit/audit.log"
BOOLEAN = "httpd_use_openstack"
_WEB_LOGS = ("/var/log/httpd/error_log", "/var/log/apache2/error.log")
_DOWN = ("failed", "activating", "restarting")
# How long a service that was started once more may need until it listens.
RESTART_SECONDS = 30.0
PERMISSION_DENIED, ADDRESS_IN_USE = 13, 98

# ss(8): users:(("name",pid=1,fd=3),("name",pid=2,fd=3)); the kernel keeps 15 bytes of a name, whatever they are
_HOLDER = re.compile(r'\("(.{0,60}?)",pid=([0-9]{1,9}),fd=', re.DOTALL)
# Apache (httpd 2.4, server/listen.c): (13)Permission denied: AH00072: make_sock: could not bind to address [::]:5000
# What stands between two parts of a line is bounded: a line can be as long as a log.
_APACHE = re.compile(r"\((13|98)\)[^\n(]{0,200}AH00072: make_sock: could not bind to address (\S{1,100}):([0-9]{1,9})")
# oslo.service, eventlet and Python's own servers; the address is not always told
_PYTHON = re.compile(
    r"(?:[Cc]ould not bind to (\S{1,100}?):([0-9]{1,9})\b[^\n]{0,200}?)?"
    r"\[Errno (13|98)\] (?:Permission denied(?!:)|Address already in use)"
)
# uWSGI (core/socket.c): bind(): Address already in use [core/socket.c line 769]
_UWSGI = re.compile(r"bind\(\): (Permission denied|Address already in use) \[core/socket\.c")
_AUDITED = re.compile(r"msg=audit\(([0-9]{1,12})\.")
_CONTEXT = re.compile(r"[^:]*:[^:]*:(\w+_t)(?::|$)")
_PORT_ARGUMENT = re.compile(r"^(?:--port|--bind|-b|--http-socket|--http|--https|--https-socket|--socket)$")


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """{"failures", "selinux", "booleans", "denials", "listeners", "configured"}.

    failures: [{"unit", "program", "address", "port", "errno"}] of API servers whose unit has failed or is being started
    again and again, and whose last complaint of a day was about its port; port 0 where nothing tells it.
    selinux: "Enforcing", "Permissive", "Disabled", or "" where the host has none. booleans: {name: bool}.
    denials: [{"command", "port", "domain", "type"}] of the audit log of a day.
    listeners: {port as text: [{"process", "pid", "unit"}]} of the ports that failed.
    configured: units of API servers that a directory names, of which nothing can be asked.
    """
    units = _units(tree)
    empty: dict[str, Any] = {
        "failures": [],
        "selinux": "",
        "booleans": {},
        "denials": [],
        "listeners": {},
        "configured": [],
    }
    if not tree.is_live:
        # Only where SELinux is to be in force is there something that the files leave open.
        enforced = re.search(
            r"^[ \t]*SELINUX[ \t]*=[ \t]*enforcing\b", _text(tree, "/etc/selinux/config"), re.MULTILINE
        )
        return {**empty, "configured": sorted(units) if enforced else []}
    states = _states(units)
    down = [unit for unit, state in states.items() if state in _DOWN]
    complained = [failure for unit in down for failure in _failures(unit, units[unit])]
    listeners = {port: _listeners(port) for port in sorted({failure["port"] for failure in complained} - {0})}
    failures = [
        failure
        for failure in complained
        if states[failure["unit"]] != "restarting"
        # a unit that listens after all has got over its complaint
        or (failure["port"] and all(entry["unit"] != failure["unit"] for entry in listeners[failure["port"]]))
    ]
    if not failures:
        return empty
    selinux = said(["getenforce"]).strip()
    return {
        **empty,
        "failures": failures,
        "selinux": selinux,
        "booleans": booleans([BOOLEAN]) if selinux in ("Enforcing", "Permissive") else {},
        "denials": list(denials(_tail(AUDIT_LOG), time.time() - WINDOW_SECONDS)) if selinux else [],
        "listeners": {str(f["port"]): listeners[f["port"]] for f in failures if f["port"]},
    }


def booleans(names: Iterable[str]) -> dict[str, bool]:
    """SELinux booleans by name, only those that the policy of this host has: `getsebool` says "name --> off"."""
    found = {}
    for name in names:
        match = re.match(rf"{re.escape(name)} --> (on|off)", said(["getsebool", name]))
        if match:
            found[name] = match.group(1) == "on"
    return found


def said(command: list[str]) -> str:
    """The output of a command; "" where it is not there or fails."""
    try:
        run = _commands.run(command, SECONDS, _commands.LOCAL_PATH)
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout if run.returncode == 0 else ""


def _units(tree: Tree) -> dict[str, list[services.Program]]:
    """The units that serve an API, with their programs."""
    found: dict[str, list[services.Program]] = {}
    for program in (*services.installed(tree), *services._apache(tree)):
        serves = (
            program.wsgi
            or program.name.endswith(("-api", "-server", "-wsgi", "-novncproxy"))
            or program.name == "keystone"
        )
        if program.unit and serves:
            found.setdefault(program.unit, []).append(program)
    return found


def _states(units: Iterable[str]) -> dict[str, str]:
    """systemd's state of each unit; "restarting" where it says "active" of one that has just been started once more."""
    try:
        told = _systemd.show(units, "ActiveState", "NRestarts", "ActiveEnterTimestampMonotonic")
    except (OSError, subprocess.SubprocessError):
        return {}
    return {unit: state_of(properties, time.monotonic()) for unit, properties in told.items()}


def state_of(properties: Mapping[str, str], now: float) -> str:
    """The state that a unit's properties tell; now: seconds of the clock that counts from the boot.

    A program that takes seconds to come to its port is "active" for most of the time in which it fails again and again.
    """
    since = whole(properties.get("ActiveEnterTimestampMonotonic", "")) or 0
    restarts = whole(properties.get("NRestarts", "")) or 0
    state = properties.get("ActiveState", "")
    return "restarting" if state == "active" and restarts and now - since / 1e6 < RESTART_SECONDS else state


def _failures(unit: str, programs: list[services.Program]) -> Iterator[dict[str, Any]]:
    text = said(["journalctl", "-u", unit, "--since=-24h", "-n", "400", "-o", "cat", "--no-pager", "-q"])
    names = {program.project for program in programs}
    logs = [path for name in names for path in Tree().glob(f"/var/log/{name}/*.log")]
    if unit in ("httpd.service", "apache2.service"):
        logs += [path for path in _WEB_LOGS if os.path.exists(path)]
    for path in logs:
        if time.time() - os.stat(path).st_mtime < WINDOW_SECONDS:
            text += "\n" + _tail(path)
    seen = set()
    for address, port, errno in complaints(text, programs):
        if (port, errno) not in seen:
            seen.add((port, errno))
            yield {"unit": unit, "program": programs[0].name, "address": address, "port": port, "errno": errno}


def complaints(text: str, programs: Iterable[services.Program]) -> Iterator[tuple[str, int, int]]:
    """(address, port, errno) of what servers said about their port; the port of the command line where they did not."""
    own = next((port for program in programs if (port := _port_of(program.arguments))), 0)
    for match in _APACHE.finditer(text):
        yield match.group(2), int(match.group(3)), int(match.group(1))
    for match in _PYTHON.finditer(text):
        yield match.group(1) or "", int(match.group(2) or own), int(match.group(3))
    for match in _UWSGI.finditer(text):
        yield "", own, PERMISSION_DENIED if match.group(1).startswith("P") else ADDRESS_IN_USE


def _port_of(arguments: Iterable[str]) -> int:
    waiting = False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if waiting or (equals and _PORT_ARGUMENT.match(option)):
            port = re.search(r"(?:^|:)([0-9]{2,5})$", value if equals and not waiting else argument)
            if port:
                return int(port.group(1))
        waiting = not equals and bool(_PORT_ARGUMENT.match(argument))
    return 0


def denials(text: str, oldest: float) -> Iterator[dict[str, Any]]:
    """What an audit log tells of ports that were denied since a time, each once. Blanks part its fields, never their values."""
    seen = set()
    for line in text.split("\n"):
        if "{ name_bind }" not in line:
            continue
        fields = dict(reversed([word.partition("=")[::2] for word in line.split()]))
        when = _AUDITED.search(line)
        port = whole(fields.get("src", ""))
        domain, kind = _CONTEXT.match(fields.get("scontext", "")), _CONTEXT.match(fields.get("tcontext", ""))
        if when is None or port is None or domain is None or kind is None or int(when[1]) < oldest:
            continue
        found = {"command": fields.get("comm", "").strip('"'), "port": port, "domain": domain[1], "type": kind[1]}
        if tuple(found.values()) not in seen:
            seen.add(tuple(found.values()))
            yield found


def _listeners(port: int) -> list[dict[str, Any]]:
    there = holders(said(["ss", "-H", "-l", "-t", "-n", "-p", f"sport = :{port}"]))
    return [{"process": name, "pid": pid, "unit": _unit_of(pid) or ""} for name, pid in there]


def holders(text: str) -> list[tuple[str, int]]:
    """The processes (name, pid) that `ss -p` names, each once. A name can hold anything, quotes and parentheses too."""
    return list(dict.fromkeys((name, int(pid)) for name, pid in _HOLDER.findall(text)))


def _unit_of(pid: int) -> Optional[str]:
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            units = re.findall(r"/([^/\n]+\.(?:service|scope))(?=/|$)", file.read(), re.MULTILINE)
    except OSError:
        return None
    return units[-1] if units else None


def _tail(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _text(tree: Tree, path: str) -> str:
    try:
        return tree.read_text(path)
    except FileNotFoundError:
        return ""
