# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What GRANT statements allow on a schema, and how the missing right is given and taken back, by the server's own client.

A schema's name in a grant is a pattern: _ and % stand for one and for any characters unless a backslash precedes them.
What is granted here is the name itself, escaped. No password is ever part of a statement, and mysql.* is not written to:
that would not reach the other nodes of a Galera cluster.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ._evidence._tree import Tree
from ._model import ChangeFailed

CLIENTS = ("/usr/bin/mariadb", "/usr/bin/mysql")
SECONDS = 60
# What the services of OpenStack do to their tables while they run; their schema is made by others (`db sync`).
NEEDED = frozenset(["SELECT", "INSERT", "UPDATE", "DELETE"])
_GRANT = re.compile(
    r"GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<schema>\*|`(?:[^`]|``)+`|\"[^\"]+\")\.(?P<table>\*|`(?:[^`]|``)+`) TO ",
    re.IGNORECASE,
)
_IDENTITY = re.compile(r"\s+(IDENTIFIED|REQUIRE|WITH MAX|PASSWORD|ACCOUNT)\b.*", re.IGNORECASE)


class Grant(NamedTuple):
    """Rights on the tables of the schemas that match a pattern ("*" for all of the server)."""

    schema: str
    rights: frozenset[str]


class Account(NamedTuple):
    """An account as the server knows it: the host is part of its name."""

    user: str
    host: str

    def __str__(self) -> str:
        return f"{quoted(self.user)}@{quoted(self.host)}"


def parse(statements: Iterable[str]) -> list[Grant]:
    """What SHOW GRANTS says of whole schemas; rights on single tables and columns are left out."""
    found = []
    for statement in statements:
        match = _GRANT.match(statement)
        if match is None or match.group("table") != "*":
            continue
        name = match.group("schema")
        schema = "*" if name == "*" else name[1:-1].replace("``", "`")
        rights = frozenset(part.strip().upper() for part in re.sub(r"\([^)]*\)", "", match.group("rights")).split(","))
        found.append(Grant(schema, rights))
    return found


def rights_on(grants: Iterable[Grant], schema: str) -> frozenset[str]:
    """All rights that the grants give on a schema; ALL PRIVILEGES stands for all that are needed."""
    rights: set[str] = set()
    for grant in grants:
        if grant.schema == "*" or matches(grant.schema, schema):
            rights |= grant.rights
    if rights & {"ALL PRIVILEGES", "ALL"}:
        rights |= NEEDED
    return frozenset(rights - {"USAGE"})


def matches(pattern: str, schema: str) -> bool:
    """Whether a schema's name is one of those that a pattern of a grant stands for."""
    expression = ""
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            expression += re.escape(next(characters, "\\"))
        else:
            expression += {"%": ".*", "_": "."}.get(character, re.escape(character))
    return re.fullmatch(expression, schema, re.DOTALL) is not None


def quoted(text: str) -> str:
    """A string of SQL, whatever sql_mode says of backslashes."""
    if "\\" in text or "\0" in text or "\n" in text:
        raise ChangeFailed("a name of an account holds a character that is not passed on; grant by hand")
    return "'" + text.replace("'", "''") + "'"


def escaped(schema: str) -> str:
    """A schema's name as a grant takes it literally."""
    return schema.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%")


def _identifier(schema: str) -> str:
    return "`" + escaped(schema).replace("`", "``") + "`.*"


def grant_statement(schema: str, account: Account, rights: Iterable[str] = ("ALL PRIVILEGES",)) -> str:
    return f"GRANT {', '.join(sorted(rights))} ON {_identifier(schema)} TO {account}"


def run(tree: Tree, statements: Sequence[str]) -> list[str]:
    """Let the server's own client do this, as root of this host; the rows that it answers, columns apart by tabs.

    The client finds its way as it does for an administrator: by the socket, or by root's own option file. Statements go in
    by standard input. Raises ChangeFailed with what the server said, of which a user's identification is no part.
    """
    client = next((path for path in CLIENTS if tree.exists(path)), None)
    if client is None:
        raise ChangeFailed("there is no client of MariaDB or MySQL on this host; grant the right from another one")
    try:
        done = subprocess.run(
            [client, "--batch", "--raw", "--skip-column-names", "--connect-timeout=10"],
            input="".join(f"{statement};\n" for statement in statements),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "LC_ALL": "C.UTF-8",
                "MYSQL_HISTFILE": "/dev/null",
            },
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"{client} could not be run: {type(error).__name__}") from error
    if done.returncode:
        said = _IDENTITY.sub("", done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message")
        raise ChangeFailed(f"the database server refuses its administrator: {said}")
    return done.stdout.splitlines()


def grants_of(tree: Tree, account: Account) -> Optional[list[str]]:
    """SHOW GRANTS of an account, without what identifies its user; None where there is no such account."""
    try:
        rows = run(tree, [f"SHOW GRANTS FOR {account}"])
    except ChangeFailed as failure:
        if "ERROR 1141" in str(failure):  # there is no such grant defined
            return None
        raise
    return sorted(_IDENTITY.sub("", row) for row in rows)


def has_schema(tree: Tree, schema: str) -> bool:
    wanted = "0x" + schema.encode().hex()
    return bool(
        run(tree, [f"SELECT 1 FROM information_schema.schemata WHERE schema_name = CONVERT({wanted} USING utf8)"])
    )


def exact(statements: Iterable[str], schema: str) -> frozenset[str]:
    """The rights of the one grant that names exactly this schema; empty where there is none."""
    rights: set[str] = set()
    for grant in parse(statements):
        if grant.schema == escaped(schema):
            rights |= grant.rights
    return frozenset(rights)


def undo(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Give the account the rights on the schema that it had before the run; everything else it has stays."""
    account, schema = Account(**entry["account"]), entry["schema"]
    now = grants_of(tree, account)
    if now is None:
        return "conflict", f"the account {account} is gone"
    rights, before = exact(now, schema), frozenset(entry["before"])
    if rights == before:
        return "unchanged", ""
    if rights != frozenset(entry["after"]):
        return "conflict", f"the rights of {account} on {schema} were changed after the run and were left alone"
    if not check_mode:
        statements = [f"REVOKE ALL PRIVILEGES ON {_identifier(schema)} FROM {account}"]
        if before:
            statements.append(grant_statement(schema, account, before))
        run(tree, statements)
    return ("would_restore" if check_mode else "restored"), ""
