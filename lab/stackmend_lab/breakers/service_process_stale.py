# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F24: a nova-compute that was started by hand, left over beside the one of the unit; both consume compute.compute1."""

from __future__ import annotations

import time

from ..hosts import Hosts, HostsError
from . import _nova_conf, _rabbitmq
from ._breaker import Breaker

HOST = "compute1"
CONTROLLER = _rabbitmq.HOST
STRAY = "/root/lab-stray.pid"
UNITS = "nova-compute lab-other-compute"
URL = f"rabbit://{_rabbitmq.LOGIN}@{_rabbitmq.MEMBERS[0]}/"

# nova-compute without its package, which brings firmware, compilers and an iSCSI daemon: its program, and a unit.
PROGRAM, UNIT = "/usr/bin/nova-compute", "/etc/systemd/system/nova-compute.service"
_PROGRAM = "#!/usr/bin/python3\nimport sys\nfrom nova.cmd.compute import main\nsys.exit(main())\n"
_UNIT = f"""[Unit]
Description=OpenStack Nova Compute

[Service]
User=nova
ExecStart={PROGRAM} --config-file=/etc/nova/nova.conf
Restart=on-failure
"""
# As somebody starts it in a terminal, and goes.
_BY_HAND = (
    "setsid -f setpriv --reuid nova --regid nova --init-groups sh -c "
    "'echo $$ >/tmp/lab-stray.pid; exec /usr/bin/nova-compute --config-file=/etc/nova/nova.conf' >/dev/null 2>&1 </dev/null;"
    f" for i in 1 2 3 4 5 6 7 8 9 10; do [ -s /tmp/lab-stray.pid ] && break; sleep 0.1; done; mv /tmp/lab-stray.pid {STRAY}"
)
# Passively: how many take the messages of this compute.
_CONSUMERS = r"""
import sys
import amqp
user, password = sys.argv[2].split(":")
with amqp.Connection(sys.argv[1], user, password, connect_timeout=3) as connection:
    try:
        print(connection.channel().queue_declare("compute." + sys.argv[3], passive=True).consumer_count)
    except amqp.NotFound:
        print(0)
"""


def break_(hosts: Hosts) -> None:
    """One nova-compute by hand, then the configuration is changed, then the unit is started."""
    _bus(hosts)
    _fake_compute(hosts, URL)
    hosts.must(HOST, ["sh", "-c", _BY_HAND])
    _wait_for(hosts, 1)
    _nova_conf.change(hosts, HOST, [("DEFAULT", "reserved_host_memory_mb", "1024")])
    hosts.must(HOST, ["systemctl", "start", "nova-compute"])
    _wait_for(hosts, 2)


def mend(hosts: Hosts) -> None:
    """No nova-compute, and nova's files and services as they were. RabbitMQ stays up until the hosts go."""
    hosts.must(
        HOST,
        [
            "sh",
            "-c",
            f"systemctl stop {UNITS} 2>/dev/null; systemctl reset-failed nova-compute 2>/dev/null;"
            f" [ ! -e {STRAY} ] || {{ kill -9 $(cat {STRAY}) 2>/dev/null; rm {STRAY}; }};"
            f" rm -f /etc/nova/lab-other.conf /etc/nova/nova.conf.bak {PROGRAM} {UNIT}; systemctl daemon-reload",
        ],
    )
    _nova_conf.restore(hosts, HOST)
    if _nova_conf.restore(hosts, CONTROLLER):
        _rabbitmq.map_cell(hosts, _rabbitmq.OF_THE_LAB)
        hosts.must(CONTROLLER, ["systemctl", "restart", "nova-conductor"])
        hosts.must(CONTROLLER, ["systemctl", "start", "nova-scheduler"])


def symptom(hosts: Hosts) -> str | None:
    """How many take turns with the messages of the host, as RabbitMQ says."""
    if not _rabbitmq.is_up(hosts):
        return None
    consumers = _consumers(hosts)
    return f"compute.{HOST} has {consumers} consumers" if consumers > 1 else None


def workers_of_one(hosts: Hosts) -> None:
    """One nova-compute, with a child of its own name, and a backup of its configuration that is newer than it."""
    _fake_compute(hosts, "fake:/")
    hosts.must(HOST, ["systemctl", "start", "nova-compute"])
    child = (
        "systemd-run --quiet --collect --unit=lab-other-compute --uid=nova bash -c"
        " 'exec -a /usr/bin/nova-rootwrap-daemon sleep 600'; sleep 3; touch /etc/nova/nova.conf.bak"
    )
    hosts.must(HOST, ["bash", "-c", child])


def other_host(hosts: Hosts) -> None:
    """Two nova-compute with a configuration and a host of its own each, as for ironic; one of them started by hand."""
    _fake_compute(hosts, "fake:/")
    hosts.must(HOST, ["systemctl", "start", "nova-compute"])
    hosts.must(HOST, ["sh", "-c", "printf '[DEFAULT]\\nhost = compute1-ironic\\n' >/etc/nova/lab-other.conf"])
    hosts.must(
        HOST,
        [
            "sh",
            "-c",
            _BY_HAND.replace("/etc/nova/nova.conf'", "/etc/nova/nova.conf --config-file=/etc/nova/lab-other.conf'"),
        ],
    )


def _bus(hosts: Hosts) -> None:
    """A RabbitMQ, and a conductor that is reached by it: a nova-compute has no queue before it found one."""
    _rabbitmq.start(hosts)
    _nova_conf.change(hosts, CONTROLLER, [("DEFAULT", "transport_url", URL)])
    _rabbitmq.map_cell(hosts, URL)
    hosts.must(CONTROLLER, ["sh", "-ec", "systemctl stop nova-scheduler; systemctl restart nova-conductor"])


def _fake_compute(hosts: Hosts, url: str) -> None:
    """nova's FakeDriver, and nobody to ask for a token."""
    hosts.must(HOST, ["sh", "-ec", f"cat >{PROGRAM}; chmod 0755 {PROGRAM}"], input=_PROGRAM)
    hosts.must(HOST, ["sh", "-ec", f"cat >{UNIT}; systemctl daemon-reload"], input=_UNIT)
    _nova_conf.change(
        hosts,
        HOST,
        [
            ("DEFAULT", "transport_url", url),
            ("DEFAULT", "compute_driver", "fake.FakeDriver"),
            ("DEFAULT", "graceful_shutdown_timeout", "5"),
            ("placement", "auth_type", "none"),
            ("placement", "endpoint_override", f"http://{hosts.addresses()[CONTROLLER]}:8778"),
        ],
    )


def _consumers(hosts: Hosts) -> int:
    return int(hosts.must(CONTROLLER, ["python3", "-c", _CONSUMERS, "127.0.0.1:5672", _rabbitmq.LOGIN, HOST]))


def _wait_for(hosts: Hosts, consumers: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if _consumers(hosts) >= consumers:
            return
        time.sleep(0.5)
    raise HostsError(f"nova-compute on {HOST} did not come to consume its queue: journalctl -u nova-compute")


BREAKER = Breaker(
    fault="service_process_stale",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a daemon of nova's beside its compute, and a newer backup of its file": workers_of_one,
        "two nova-compute, each for a host of its own": other_host,
    },
    approve="disruptive",
    irreversible="an ended process is not started again",
)
