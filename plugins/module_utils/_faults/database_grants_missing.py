# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault database_grants_missing: the database server knows a service's account, and gives it no right on its schema.

The server says so itself, to the service's own login: 1044 is a missing right, 1045 a refused login, 1049 a schema that is
not there although the right to it is. Only the first is this fault; a refused login is never a reason to touch a password.
Which host's server it is, is told by the server's own name, so that a virtual address or a proxy between does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

from .._database_grants import NEEDED, parse, rights_on
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown

NO_RIGHT, UNKNOWN_SCHEMA = 1044, 1049
_REFUSED = (1045, 1698, 1130, 1227, 1524, 1862, 1820, 2059)
_ROLE = re.compile(r"GRANT [`'\"][^ ]+ TO ", re.IGNORECASE)

Connection = Mapping[str, Any]


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """What this host's services were told, and which server runs here; None where neither is.

    Shape: {"connections": [...], "server": {"name", "client"} or None}, as the reader `databases` has them.
    """
    reading = evidence["databases"]
    mysql = [entry for entry in reading["connections"] if entry["kind"] == "mysql"]
    if not mysql and reading["server"] is None:
        return None
    return {"connections": mysql, "server": reading["server"]}


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    """Judge each connection of each host."""
    servers = {
        observation["server"]["name"]: (name, observation["server"]["client"])
        for name, observation in evidence["hosts"].items()
        if observation["server"]
    }
    for name, observation in sorted(evidence["hosts"].items()):
        here = Target("host", name)
        for connection in observation["connections"]:
            if connection["code"] == NO_RIGHT and connection["login"]:
                yield _finding(here, connection, observation["connections"], servers)
            elif connection["code"] == UNKNOWN_SCHEMA:
                continue  # the right is there: without it the server would not have told that the schema is not
            elif connection["code"] or connection["failed"]:
                yield Unknown(FAULT.id, here, _why_not(connection))
            elif _lacks(connection):
                yield _finding(here, connection, observation["connections"], servers)


def _lacks(connection: Connection) -> list[str]:
    """The rights that the service needs and does not have; none where roles or single tables may give them."""
    if not connection["database"]:
        return []
    statements = connection["grants"]
    here = f"`{connection['database']}`.`".replace("_", r"\\?_")
    if any(_ROLE.match(statement) or re.search(here, statement) for statement in statements):
        return []
    return sorted(NEEDED - rights_on(parse(statements), connection["database"]))


def _where(connection: Connection) -> str:
    cell = f" of cell {connection['cell']}" if connection["cell"] else ""
    return f"{connection['path']} [{connection['section']}] {connection['option']}{cell}"


def _why_not(connection: Connection) -> str:
    what = f"the database {connection['database']} on {connection['server']} ({_where(connection)})"
    if connection["code"] in _REFUSED:
        return (
            f"{what} could not be tried: the server refuses the login of {connection['service']} (error {connection['code']}). "
            "Compare user and password with what the account was given; nothing is changed about either"
        )
    number = f" {connection['code']}" if connection["code"] else ""
    return f"{what} could not be tried: {connection['failed'] or 'error'}{number}"


def _finding(
    here: Target,
    connection: Connection,
    siblings: list[Connection],
    servers: Mapping[str, tuple[str, str]],
) -> Finding:
    login, schema = connection["login"], connection["database"]
    account = f"'{login['user']}'@'{login['host']}'"
    subject = f"{schema} for {account} on {connection['server']}"
    refused = connection["code"] == NO_RIGHT
    lacking = [] if refused else _lacks(connection)
    remedy, reason = _remedy(here, connection, siblings, servers, subject)
    return Finding(
        fault=FAULT.id,
        target=here,
        certainty=Certainty.CERTAIN if refused else Certainty.PROBABLE,
        summary=f"{connection['service']} has no right on the database {schema}: {account} was not granted "
        + ("it" if refused else ", ".join(lacking)),
        subject=subject,
        evidence={
            "option": _where(connection),
            "server": connection["server"],
            "server_name": connection["server_name"],
            "error": connection["code"],
            "grants": list(connection["grants"]),
        },
        expected=f"ALL PRIVILEGES on {schema} for {account}",
        actual=f"error {NO_RIGHT} (access denied to the database)" if refused else f"no {', '.join(lacking)}",
        remedy=remedy,
        reason=reason,
    )


def _remedy(
    here: Target,
    connection: Connection,
    siblings: list[Connection],
    servers: Mapping[str, tuple[str, str]],
    subject: str,
) -> tuple[Optional[Remedy], str]:
    login, schema = connection["login"], connection["database"]
    if not login["user"]:
        return None, (
            f"the server takes {connection['service']} for the anonymous account ''@'{login['host']}', which is more specific "
            "than the service's own: drop the anonymous account"
        )
    host, client = servers.get(connection["server_name"], ("", ""))
    pattern = schema.replace("_", r"\_")
    by_hand = f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO '{login['user']}'@'{login['host']}'"
    if not client:
        where = f"runs in a container of {host}" if host else "is on no host of the inventory that was looked at"
        return None, f"the database server {connection['server_name']} {where}; as its administrator: {by_hand}"
    owns = any(
        other["login"] == login and other["server_name"] == connection["server_name"] and not other["code"]
        for other in siblings
        if other is not connection
    )
    wish = {
        "schema": schema,
        "user": login["user"],
        "host": login["host"],
        "subject": f"{here.id} {subject}",
    }
    # An account that has its other schemas is the service's own; of one that has none, somebody should be sure first.
    risk = Risk.SAFE if owns else Risk.DISRUPTIVE
    return Remedy("database_grants", risk, {"database_grants_grants": [wish]}, host=host), ""


FAULT = Fault(
    id="database_grants_missing",
    reference="F16",
    title="A service has no right on its database",
    scope="host",
    severity="critical",
    symptom=(
        "The service does not start, or answers with 500, and `nova-manage api_db sync` fails: "
        "(1044, \"Access denied for user 'nova'@'%' to database 'nova_api'\")"
    ),
    cause=(
        "The account was granted some of the service's databases and not this one (nova needs nova, nova_api and nova_cell0), or "
        "a more specific account such as 'nova'@'controller1' shadows the one that was granted it."
    ),
    fix=(
        "Grant all privileges on exactly that schema to exactly the account that the server takes the service for, on one host "
        "of the database. No password, no other grant and no other account is touched, and nothing is created. Undoing takes "
        "the grant away again."
    ),
    detect=detect,
    host_evidence=("databases",),
    observe_host=observe_host,
)
