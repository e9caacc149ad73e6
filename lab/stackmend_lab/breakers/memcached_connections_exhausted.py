# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F14: a memcached with 128 connections, some of which it keeps for itself, and clients that want two hundred."""

from __future__ import annotations

import time

from ..hosts import Hosts, HostsError
from ._breaker import Breaker

HOST = "controller1"
FILE = "/etc/memcached.conf"
KEPT = "/root/lab-memcached"
DROP_INS = "/etc/systemd/system/memcached.service.d"
SYSCONFIG = "/etc/sysconfig/memcached"
PORT = 11211

# Clients as a pool has them: each holds its connection, and takes a new one when it loses it.
_CLIENTS = r"""
import socket, sys, threading, time
def client():
    while True:
        try:
            with socket.create_connection(("127.0.0.1", 11211), 5) as connection:
                connection.settimeout(None)
                connection.sendall(b"version\r\n")
                while connection.recv(4096):
                    pass
        except OSError:
            pass
        time.sleep(0.5)
for _ in range(int(sys.argv[1])):
    threading.Thread(target=client, daemon=True).start()
time.sleep(3600)
"""
# What one more client is told, as soon as there is an answer.
_ONE_MORE = r"""
import socket
try:
    with socket.create_connection(("127.0.0.1", 11211), 3) as connection:
        connection.sendall(b"version\r\n")
        print(connection.recv(4096).decode().strip() or "connection closed")
except TimeoutError:
    print("timed out")
except ConnectionRefusedError:
    print("")
"""


def break_(hosts: Hosts) -> None:
    """128 connections, no more open files than systemd's old default, and 200 clients."""
    _keep(hosts)
    hosts.must(HOST, ["sh", "-ec", f"sed -i '/^-c/d' {FILE}; printf '%s\\n' '-c 128' '-l ::1' '-U 0' >>{FILE}"])
    _drop_in(hosts, "[Service]\nLimitNOFILE=1024\n")
    _start(hosts, clients=200)


def mend(hosts: Hosts) -> None:
    """No memcached, no clients, and the files as they were."""
    if hosts.ssh(HOST, ["test", "-d", KEPT]).returncode:
        return
    hosts.must(
        HOST,
        [
            "sh",
            "-ec",
            "systemctl stop lab-clients.service 2>/dev/null || true; systemctl stop memcached;"
            f" cp -a {KEPT}/memcached.conf {FILE}; rm -rf {DROP_INS} {SYSCONFIG}; rmdir /etc/sysconfig 2>/dev/null || true;"
            f" rm -rf {KEPT}; systemctl daemon-reload; systemctl reset-failed memcached || true",
        ],
    )


def symptom(hosts: Hosts) -> str | None:
    """What memcached answers to one more client; a service waits out its timeout then, for each token."""
    for _ in range(3):
        said = hosts.must(HOST, ["python3", "-c", _ONE_MORE]).strip()
        if not said or said.startswith("VERSION"):
            return None
        time.sleep(0.3)
    return said


def long_ago(hosts: Hosts) -> None:
    """It turned clients away once, and has had room since: the counter stands still."""
    _keep(hosts)
    hosts.must(HOST, ["sh", "-ec", f"printf '%s\\n' '-c 128' >>{FILE}"])
    _start(hosts, clients=200)
    hosts.must(HOST, ["systemctl", "stop", "lab-clients.service"])
    _clients(hosts, 20)


def many_but_enough(hosts: Hosts) -> None:
    """Many connections, as of a large cloud, to a memcached that was given room for them."""
    _keep(hosts)
    hosts.must(HOST, ["sh", "-ec", f"printf '%s\\n' '-c 4096' >>{FILE}"])
    _start(hosts, clients=300)


def later_argument(hosts: Hosts) -> None:
    """As RHEL sets it: MAXCONN is too small, and OPTIONS, which comes later, is not."""
    _keep(hosts)
    settings = 'PORT="11211"\nUSER="memcache"\nMAXCONN="128"\nCACHESIZE="64"\nOPTIONS="-l 127.0.0.1,::1 -c 4096"\n'
    hosts.must(HOST, ["sh", "-ec", f"mkdir -p /etc/sysconfig && cat >{SYSCONFIG}"], input=settings)
    _drop_in(
        hosts,
        f"[Service]\nEnvironmentFile=-{SYSCONFIG}\nExecStart=\n"
        "ExecStart=/usr/bin/memcached -p ${PORT} -u ${USER} -m ${CACHESIZE} -c ${MAXCONN} $OPTIONS\n",
    )
    _start(hosts, clients=200)


def _keep(hosts: Hosts) -> None:
    hosts.must(HOST, ["sh", "-ec", f"[ -d {KEPT} ] || {{ install -d -m 0700 {KEPT}; cp -a {FILE} {KEPT}/; }}"])


def _drop_in(hosts: Hosts, text: str) -> None:
    hosts.must(HOST, ["sh", "-ec", f"mkdir -p {DROP_INS} && cat >{DROP_INS}/limits.conf"], input=text)


def _start(hosts: Hosts, clients: int) -> None:
    hosts.must(HOST, ["sh", "-ec", "systemctl daemon-reload && systemctl start memcached"])
    _clients(hosts, clients)


def _clients(hosts: Hosts, count: int) -> None:
    """Let so many clients come, and wait until memcached has heard of all that it admits."""
    hosts.must(HOST, ["sh", "-ec", f"cat >{KEPT}/clients.py"], input=_CLIENTS)
    run = ["systemd-run", "--quiet", "--collect", "--unit=lab-clients", "python3", f"{KEPT}/clients.py", str(count)]
    hosts.must(HOST, run)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        time.sleep(0.5)
        there = hosts.must(HOST, ["sh", "-c", f"ss -Htn state established '( dport = :{PORT} )' | wc -l"])
        if int(there) >= min(count, 100):
            return
    raise HostsError(f"the clients of memcached on {HOST} did not get their connections")


BREAKER = Breaker(
    fault="memcached_connections_exhausted",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "refused connections long ago, and room since": long_ago,
        "many connections, and room for more": many_but_enough,
        "a small MAXCONN that OPTIONS overrides": later_argument,
    },
    approve="disruptive",
)
