# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the read permission from a module that only nova's scheduler imports, and start the scheduler again."""

from __future__ import annotations

import time

from ..hosts import Hosts
from ._breaker import Breaker

HOST = "controller1"
UNIT = "nova-scheduler.service"
PACKAGES = "/usr/lib/python3/dist-packages"
MODULE = f"{PACKAGES}/nova/scheduler/manager.py"
DIRECTORY = f"{PACKAGES}/nova/scheduler/weights"
KEPT = "/root/lab-package-modes"
# Modes do not move with a restart: the unit is only touched where it was.
_RESTARTED = f"{KEPT}.restarted"


def break_(hosts: Hosts) -> None:
    """A file loses its read bits and a directory its search bits; the scheduler fails when it is next started."""
    hosts.must(HOST, ["sh", "-ec", f"chmod 0600 {MODULE}; chmod 0700 {DIRECTORY}; touch {_RESTARTED}"])
    hosts.must(HOST, ["sh", "-c", f"systemctl restart {UNIT}; true"])
    until = time.monotonic() + 60
    while _state(hosts) == "active" and time.monotonic() < until and not _journal(hosts):
        time.sleep(0.5)


def mend(hosts: Hosts) -> None:
    """Put the modes back, and the scheduler."""
    statoverride = f"dpkg-statoverride --remove {PACKAGES}/lab_secret.py >/dev/null 2>&1 || true"
    pyc = f"find {PACKAGES}/nova/scheduler/__pycache__ -name 'manager.*' -exec chmod 0644 {{}} +"
    hosts.must(
        HOST,
        [
            "sh",
            "-ec",
            f"chmod 0644 {MODULE}; chmod 0755 {DIRECTORY}; {pyc}; {statoverride}; rm -f {PACKAGES}/lab_secret.py",
        ],
    )
    if hosts.ssh(HOST, ["test", "-e", _RESTARTED]).returncode == 0:
        hosts.must(HOST, ["sh", "-ec", f"systemctl reset-failed {UNIT}; systemctl restart {UNIT}; rm {_RESTARTED}"])


def symptom(hosts: Hosts) -> str | None:
    """What the scheduler says when its user starts it; whether its unit is up."""
    program = "import nova.scheduler.manager, nova.scheduler.weights.ram"
    done = hosts.ssh(HOST, ["python3", "-B", "-W", "ignore", "-c", program], user="nova")
    if done.returncode:
        return f"{UNIT} {_state(hosts)}: {done.stderr.strip().splitlines()[-1]}"
    return None


def bytecode_only(hosts: Hosts) -> None:
    """A cached bytecode file is not readable: Python compiles the module again and does not mind."""
    hosts.must(
        HOST, ["sh", "-ec", f"find {PACKAGES}/nova/scheduler/__pycache__ -name 'manager.*' -exec chmod 0600 {{}} +"]
    )


def closed_on_purpose(hosts: Hosts) -> None:
    """A file whose mode an administrator set for good, with dpkg-statoverride."""
    hosts.must(
        HOST,
        [
            "sh",
            "-ec",
            f"touch {PACKAGES}/lab_secret.py; dpkg-statoverride --update --add root root 0600 {PACKAGES}/lab_secret.py",
        ],
    )


def _state(hosts: Hosts) -> str:
    return hosts.must(HOST, ["systemctl", "show", "--property=ActiveState", "--value", UNIT]).strip()


def _journal(hosts: Hosts) -> bool:
    return "Errno 13" in hosts.must(HOST, ["journalctl", "-u", UNIT, "--since=-60s", "-o", "cat", "--no-pager", "-q"])


BREAKER = Breaker(
    fault="package_file_unreadable",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "an unreadable bytecode cache": bytecode_only,
        "a mode that dpkg-statoverride keeps": closed_on_purpose,
    },
    approve="restart",
    variables={"service_start_healthy_seconds": 5},
)
