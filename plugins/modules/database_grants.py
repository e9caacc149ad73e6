#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module database_grants: give an existing account all rights on an existing schema, and touch nothing else."""

from __future__ import annotations

DOCUMENTATION = r"""
module: database_grants
short_description: Give accounts of MariaDB or MySQL the rights on a schema
version_added: 0.1.0
description:
  - Grants an account that exists all privileges on a schema that exists. Its password, its other grants and every other
    account stay as they are; no account and no schema is created.
  - Runs on a host of the database server, and speaks to it with the server's own client as root does there, by its socket or
    by root's option file. In a Galera cluster one node is enough.
  - Passwords and their hashes are in no statement, result, difference or journal.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.changes
  - stackmend.openstack.journal
options:
  grants:
    description: What should be granted.
    type: list
    elements: dict
    required: true
    suboptions:
      schema:
        description: The name of the schema, as it is; C(_) and C(%) stand for themselves.
        type: str
        required: true
      user:
        description: The account's user.
        type: str
        required: true
      host:
        description: The account's host part, as the server shows it, such as C(%).
        type: str
        required: true
      subject:
        description: What to call the wish in RV(left).
        type: str
        default: ''
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Let nova use its API database
  stackmend.openstack.database_grants:
    grants:
      - schema: nova_api
        user: nova
        host: '%'
"""

RETURN = r"""
left:
  description: Wishes that were not carried out, each with C(subject) and C(reason).
  returned: success
  type: list
  elements: dict
run_id:
  description: The name under which the change can be undone.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._change import (
    change_host,
    difference,
    lines,
    wishes,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._database_grants import (
    NEEDED,
    Account,
    exact,
    grant_statement,
    grants_of,
    has_schema,
    parse,
    rights_on,
    run,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed


def apply(journal: Journal, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Carry the wishes out, or only tell what they would do."""
    tree = journal.tree
    if not tree.is_live:
        raise ChangeFailed(
            "rights are granted by a running database server; a directory that stands for a host has none"
        )
    diff: list[dict[str, str]] = []
    left: list[dict[str, str]] = []
    for schema, account, subject in dict.fromkeys(
        (wish["schema"], Account(wish["user"], wish["host"]), wish["subject"]) for wish in params["grants"]
    ):
        before = grants_of(tree, account)
        if before is None:
            left.append({"subject": subject, "reason": f"there is no account {account} on this server"})
        elif not has_schema(tree, schema):
            left.append({"subject": subject, "reason": f"there is no schema {schema} on this server; create it first"})
        elif not rights_on(parse(before), schema) >= NEEDED:
            rights = {"ALL PRIVILEGES"}
            title = f"grants of {account}"
            statement = grant_statement(schema, account, rights)
            if any(entry["before_header"] == title and statement in entry["after"] for entry in diff):
                continue  # in check mode another wish has said it
            diff.append(difference(title, lines(before), lines([*before, statement])))
            if not check_mode:
                journal.record(
                    "database_grant",
                    name=f"{schema} to {account}",
                    account=account._asdict(),
                    schema=schema,
                    before=sorted(exact(before, schema)),
                    after=sorted(rights),
                )
                run(tree, [statement])
    return {"changed": bool(diff), "diff": diff, "left": left}


def main() -> None:
    change_host(
        apply,
        {
            "grants": wishes(
                {
                    "schema": {"type": "str", "required": True},
                    "user": {"type": "str", "required": True},
                    "host": {"type": "str", "required": True},
                }
            ),
        },
    )


if __name__ == "__main__":
    main()
