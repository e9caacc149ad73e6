# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F16: a MariaDB in which nova's account was granted all of nova's databases but nova_api."""

from __future__ import annotations

from ..hosts import Hosts
from . import _nova_conf
from ._breaker import Breaker

HOST = "controller1"
PASSWORD = "lab-database-secret"
SCHEMAS = ("nova", "nova_api", "nova_cell0")
NOVA = ("nova-conductor", "nova-scheduler")

# How nova comes to its API database: oslo.config, oslo.db.
_CONNECT = r"""
import sys, warnings
warnings.simplefilter("ignore")
from oslo_config import cfg
from oslo_db.sqlalchemy import engines
conf = cfg.ConfigOpts()
conf.register_opt(cfg.StrOpt("connection"), "api_database")
conf(["--config-file=/etc/nova/nova.conf"], project="nova")
try:
    engines.create_engine(conf.api_database.connection, max_retries=0).connect().close()
except Exception as error:
    print(str(error).splitlines()[0])
"""


def break_(hosts: Hosts) -> None:
    """nova's account has nova and nova_cell0, and was not granted nova_api."""
    _serve(
        hosts,
        [*_account("%"), *(f"GRANT ALL PRIVILEGES ON {schema}.* TO 'nova'@'%'" for schema in ("nova", "nova_cell0"))],
    )


def mend(hosts: Hosts) -> None:
    """No schema and no account of nova, no database server, and nova with its own files again."""
    if not _nova_conf.restore(hosts, HOST):
        return
    drop = [f"DROP DATABASE IF EXISTS {schema}" for schema in SCHEMAS]
    drop += [f"DROP USER IF EXISTS 'nova'@'{host}'" for host in ("%", "localhost")]
    _sql(hosts, [*drop, "DROP ROLE IF EXISTS nova_service"])
    hosts.must(HOST, ["systemctl", "stop", "mariadb"])
    hosts.must(HOST, ["systemctl", "start", *NOVA])


def symptom(hosts: Hosts) -> str | None:
    """What nova is told when it opens its API database."""
    return hosts.must(HOST, ["python3", "-I", "-c", _CONNECT], user="nova").strip() or None


def grants(hosts: Hosts) -> list[str]:
    """Every grant of the database server, with the passwords' hashes; nothing while it does not run."""
    if hosts.ssh(HOST, ["systemctl", "is-active", "--quiet", "mariadb"]).returncode:
        return []
    return sorted(_sql(hosts, ["SELECT * FROM mysql.global_priv", "SELECT * FROM mysql.db"]).splitlines())


def wildcard(hosts: Hosts) -> None:
    """One grant whose pattern stands for all of nova's schemas."""
    _serve(hosts, [*_account("%"), "GRANT ALL PRIVILEGES ON `nova%`.* TO 'nova'@'%'"])


def role(hosts: Hosts) -> None:
    """The right comes through a role."""
    _serve(
        hosts,
        [
            *_account("%"),
            "CREATE ROLE nova_service",
            *(f"GRANT ALL PRIVILEGES ON {schema}.* TO nova_service" for schema in SCHEMAS),
            "GRANT nova_service TO 'nova'@'%'",
            "SET DEFAULT ROLE nova_service FOR 'nova'@'%'",
        ],
    )


def other_account(hosts: Hosts) -> None:
    """'nova'@'%' has no right on nova_api; the account that the server takes nova for has, to its rows alone."""
    _serve(
        hosts,
        [
            *_account("%"),
            *_account("localhost"),
            *(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.* TO 'nova'@'localhost'" for schema in SCHEMAS),
        ],
    )


def _account(host: str) -> list[str]:
    return [f"CREATE USER 'nova'@'{host}' IDENTIFIED BY '{PASSWORD}'"]


def _serve(hosts: Hosts, statements: list[str]) -> None:
    url = f"mysql+pymysql://nova:{PASSWORD}@127.0.0.1"
    # What runs still has its old files: it is stopped, as a nova without its databases would.
    hosts.must(HOST, ["systemctl", "stop", *NOVA])
    _nova_conf.change(
        hosts, HOST, [("api_database", "connection", f"{url}/nova_api"), ("database", "connection", f"{url}/nova")]
    )
    hosts.must(HOST, ["systemctl", "start", "mariadb"])
    _sql(hosts, [*(f"CREATE DATABASE {schema}" for schema in SCHEMAS), *statements])


def _sql(hosts: Hosts, statements: list[str]) -> str:
    text = "".join(f"{statement};\n" for statement in statements)
    return hosts.must(HOST, ["mariadb", "--batch", "--skip-column-names"], input=text)


BREAKER = Breaker(
    fault="database_grants_missing",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a wildcard that stands for the schema too": wildcard,
        "the right through a role": role,
        "a more specific account that has the rights of a running service": other_account,
    },
    state=grants,
)
