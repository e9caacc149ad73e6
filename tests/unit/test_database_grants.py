# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a grant allows is read as the server reads it, and what is granted is a name and no pattern."""

from __future__ import annotations

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._database_grants import (
    Account,
    Grant,
    exact,
    grant_statement,
    matches,
    parse,
    quoted,
    rights_on,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed

PATTERNS = {
    ("nova_api", "nova_api"): True,
    ("nova_api", "novaXapi"): True,
    (r"nova\_api", "nova_api"): True,
    (r"nova\_api", "novaXapi"): False,
    ("nova%", "nova_api"): True,
    ("nova%", "placement"): False,
    (r"nova\%", "nova_api"): False,
    ("nova", "nova_api"): False,
    ("no.a", "nova"): False,
}


@pytest.mark.parametrize("case", PATTERNS, ids=" on ".join)
def test_underscore_and_percent_are_wildcards_unless_escaped(case: tuple[str, str]) -> None:
    assert matches(*case) is PATTERNS[case]


def test_show_grants_of_mariadb_and_of_mysql() -> None:
    assert parse(
        [
            "GRANT USAGE ON *.* TO `nova`@`%`",
            r"GRANT ALL PRIVILEGES ON `nova\_api`.* TO `nova`@`%` WITH GRANT OPTION",
            "GRANT SELECT, INSERT (`id`, `uuid`) ON `nova`.`instances` TO `nova`@`%`",
            "GRANT `nova_service` TO `nova`@`%`",
            "GRANT PROXY ON ''@'%' TO 'root'@'localhost'",
            "GRANT SELECT, CREATE TEMPORARY TABLES ON `odd``name`.* TO `nova`@`%`",
        ]
    ) == [
        Grant("*", frozenset(["USAGE"])),
        Grant(r"nova\_api", frozenset(["ALL PRIVILEGES"])),
        Grant("odd`name", frozenset(["SELECT", "CREATE TEMPORARY TABLES"])),
    ]


def test_rights_add_up() -> None:
    grants = parse(
        [
            "GRANT SELECT ON *.* TO `n`@`%`",
            "GRANT INSERT ON `nova%`.* TO `n`@`%`",
            "GRANT DELETE ON `glance`.* TO `n`@`%`",
        ]
    )
    assert rights_on(grants, "nova_api") == {"SELECT", "INSERT"}


def test_a_grant_names_one_schema_and_one_account() -> None:
    statement = grant_statement("nova_api", Account("nova", "10.0.%"))
    assert statement == r"GRANT ALL PRIVILEGES ON `nova\_api`.* TO 'nova'@'10.0.%'"
    assert exact([statement + " IDENTIFIED BY PASSWORD '*x'"], "nova_api") == {"ALL PRIVILEGES"}
    assert exact([statement], "nova") == frozenset()


def test_a_name_cannot_end_the_statement() -> None:
    assert quoted("o'brien") == "'o''brien'"
    assert "``" in grant_statement("a`b", Account("nova", "%"))
    with pytest.raises(ChangeFailed):
        quoted("nova\\")
