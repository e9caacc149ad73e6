# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of servers are read as oslo.messaging reads them, and changed without a credential being shown or lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.backends import _meaning, _of_template
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.module_utils._transport_url import parse, shown, with_hosts
from ansible_collections.stackmend.openstack.plugins.modules.backend_lists import apply

SECRET = "p%40ss$$word"

SHOWN = {
    "rabbit://u:p@h1:5672,u:p@h2:5673/": ["h1:5672", "h2:5673"],
    "rabbit://u:p@h1,h2": ["h1:5672", "h2:5672 (without credentials)"],
    "rabbit://u:p%40@[fd00::1]:5672/nova": ["[fd00::1]:5672"],
    "rabbit://h1": ["h1:5672 (without credentials)"],
    "rabbit://u@h1": ["h1:5672 (without credentials)"],
}


@pytest.mark.parametrize("url", SHOWN)
def test_each_host_has_its_own_credentials_or_none(url: str) -> None:
    parsed = parse(url)
    assert parsed
    assert shown(parsed.nodes) == SHOWN[url]


def test_other_hosts_keep_the_credentials_as_they_are_written() -> None:
    url = f"rabbit://nova:{SECRET}@h1:5672,other:x@h2/v%2Fh?ssl=1"
    assert with_hosts(url, ["h2", "h3:5673"]) == f"rabbit://other:x@h2:5672,nova:{SECRET}@h3:5673/v%2Fh?ssl=1"
    assert with_hosts("rabbit://h1", ["h2"]) is None


def test_a_template_of_a_cell_mapping_means_what_nova_conf_says() -> None:
    own = "rabbit://u:p@h1:5672,u:p@h2:5672/v"
    template = (
        "{scheme}://{username2}:{password2}@{hostname2}:{port2},{username1}:{password1}@{hostname1}:{port1}/{path}"
    )
    assert _meaning(_of_template(template, own)) == _meaning(own)
    assert _meaning("rabbit://u:q@h1:5672,u:p@h2:5672/v") != _meaning(own)
    assert _of_template("rabbit://{nobody}@h", own) == "rabbit://{nobody}@h"


def _wish(**more: Any) -> dict[str, Any]:
    wish = {"path": "/etc/nova/nova.conf", "section": "DEFAULT", "option": "transport_url", "form": "transport_url"}
    return {**wish, "hosts": ["h1:5672", "h2:5672"], "expect": None, "subject": "it", **more}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc/nova").mkdir(parents=True)
    (tmp_path / "etc/nova/nova.conf").write_text(
        "[DEFAULT]\ntransport_url = rabbit://a:b@old\n# the one that counts\n"
        f"transport_url = rabbit://nova:{SECRET}@h1,h2/\n\n[keystone_authtoken]\nmemcached_servers=c1:11211\n"
    )
    return tmp_path


def test_the_line_that_counts_is_changed_once_and_shows_no_secret(root: Path) -> None:
    wishes = {
        "lists": [
            _wish(),
            _wish(
                section="keystone_authtoken",
                option="memcached_servers",
                form="memcached",
                hosts=["c1:11211", "c2:11211"],
            ),
        ],
        "restarts": [],
    }
    before = (root / "etc/nova/nova.conf").read_text()
    shown_first = apply(Journal("/journal", "one", str(root)), wishes, True)
    assert (root / "etc/nova/nova.conf").read_text() == before
    journal = Journal("/journal", "two", str(root))
    done = apply(journal, wishes, False)
    assert done == shown_first
    assert SECRET not in json.dumps(done)
    assert "h2:5672 (without credentials)" in done["diff"][0]["before"]
    after = (root / "etc/nova/nova.conf").read_text()
    assert after == before.replace(f"nova:{SECRET}@h1,h2/", f"nova:{SECRET}@h1:5672,nova:{SECRET}@h2:5672/").replace(
        "=c1:11211", "=c1:11211,c2:11211"
    )
    assert apply(Journal("/journal", "three", str(root)), wishes, False)["changed"] is False
    assert {entry["status"] for entry in journal.undo(check_mode=False)} == {"restored"}
    assert (root / "etc/nova/nova.conf").read_text() == before


def test_another_order_of_a_transport_url_is_no_change(root: Path) -> None:
    (root / "etc/nova/nova.conf").write_text("[DEFAULT]\ntransport_url = rabbit://u:p@h2,u:p@h1/\n")
    assert apply(Journal("/journal", "one", str(root)), {"lists": [_wish()], "restarts": []}, False)["changed"] is False


def test_a_value_that_has_changed_meanwhile_is_left_alone(root: Path) -> None:
    result = apply(Journal("/journal", "one", str(root)), {"lists": [_wish(expect="0" * 64)], "restarts": []}, False)
    assert (result["changed"], result["gone"]) == (False, ["it"])


def test_a_list_without_any_credentials_is_not_guessed(root: Path) -> None:
    (root / "etc/nova/nova.conf").write_text("[DEFAULT]\ntransport_url = rabbit://h1/\n")
    with pytest.raises(ChangeFailed, match="no server credentials"):
        apply(Journal("/journal", "one", str(root)), {"lists": [_wish()], "restarts": []}, False)
