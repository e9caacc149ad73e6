# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The RabbitMQ of the test hosts: on controller1, on two ports that stand for two members of a cluster.

It stays up until the hosts go, because starting it takes longer than everything that is tried with it.
"""

from __future__ import annotations

from ..hosts import Hosts

HOST = "controller1"
LOGIN = "nova:lab-queue-secret"
MEMBERS = (f"{HOST}:5672", f"{HOST}:5673")

# The user is made at the first start; afterwards nothing needs the file, and /etc is as it was.
_SETTINGS = f"""
listeners.tcp.1 = 0.0.0.0:5672
listeners.tcp.2 = 0.0.0.0:5673
loopback_users = none
default_user = {LOGIN.partition(":")[0]}
default_pass = {LOGIN.partition(":")[2]}
"""
_START = (
    "systemctl is-active --quiet rabbitmq-server || {"
    " cat >/etc/rabbitmq/rabbitmq.conf; systemctl start rabbitmq-server; rm /etc/rabbitmq/rabbitmq.conf; }"
)

_MAP = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("update cell_mappings set transport_url = ? where name = 'cell1'", (sys.stdin.read(),))
database.commit()
"""
# What deploy-controller.sh gives it.
OF_THE_LAB = "fake:/"


def start(hosts: Hosts) -> None:
    hosts.must(HOST, ["sh", "-ec", _START], input=_SETTINGS)


def is_up(hosts: Hosts) -> bool:
    return hosts.ssh(HOST, ["systemctl", "is-active", "--quiet", "rabbitmq-server"]).returncode == 0


def map_cell(hosts: Hosts, url: str) -> None:
    """Let nova's cell mapping name this message queue, as nova-manage cell_v2 update_cell does in four seconds."""
    hosts.must(HOST, ["python3", "-c", _MAP, "/var/lib/nova/nova-api.sqlite"], user="nova", input=url)
