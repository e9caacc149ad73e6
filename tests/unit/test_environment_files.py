# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A variable is changed in its file, and everything else in the file stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._environment_files import value_in, with_value
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import locale_settings
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.modules import environment_variables


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("", "C.UTF-8", "LANG=C.UTF-8\n"),
        ("LC_TIME=C", "C.UTF-8", "LC_TIME=C\nLANG=C.UTF-8\n"),
        ('LANG="zh_CN.GBK"\n', "C.UTF-8", "LANG=C.UTF-8\n"),
        ("export OS_A=1 LANG=C OS_B=2 # mine\n", None, "export OS_A=1 OS_B=2 # mine\n"),
        ("export LANG=C\nexport OS_A=1\n", None, "export OS_A=1\n"),
        ("LANG=C; export LANG\n", None, "export LANG\n"),
        ("LANG=C\nLANG=POSIX\n", "C.UTF-8", "LANG=C.UTF-8\n"),
        ("MY_LANG=C\nLANG=C\n", None, "MY_LANG=C\n"),
    ],
)
def test_one_variable_is_changed_and_nothing_else(before: str, value: str | None, after: str) -> None:
    assert with_value(before, "LANG", value) == after


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("LANG=C\n", "C"),
        ("if true; then\n  LANG=C\nfi\n", None),
        ("LANG=C\nunset LANG\n", None),
        ("# LANG=C\n", None),
        ("LANG=$OTHER\n", None),
        ("export LANG='C' LC_ALL=\"POSIX\"\n", "C"),
    ],
)
def test_what_is_set_whatever_happens(text: str, value: str | None) -> None:
    assert value_in(text, "LANG") == value


def test_a_directory_is_read_and_nothing_is_run(tmp_path: Path) -> None:
    for path, text in {
        "usr/bin/openstack": "#!/usr/bin/python3\n",
        "etc/locale.conf": "LANG=zh_CN.GBK\n",
        "etc/profile.d/a.sh": "export LC_ALL=C OS_PASSWORD=secret\n",
        "root/admin-openrc": "export OS_PASSWORD=secret\nexport PYTHONIOENCODING=ascii\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    reading = locale_settings.read(Tree(str(tmp_path)), {})
    found = {e["name"]: {v["name"]: v["value"] for v in e["variables"]} for e in reading["environments"]}
    assert found == {
        "every session": {"LANG": "zh_CN.GBK"},
        "a login shell": {"LANG": "zh_CN.GBK", "LC_ALL": "C"},
        "/root/admin-openrc": {"LANG": "zh_CN.GBK", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    }
    assert all(environment["probes"] == [] for environment in reading["environments"])
    assert reading["default_file"] == "/etc/locale.conf"


def test_a_host_without_openstack_has_nothing_to_check(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/locale.conf").write_text("LANG=zh_CN.GBK\n")
    assert locale_settings.read(Tree(str(tmp_path)), {})["environments"] == []


def test_the_module_changes_what_is_as_expected_and_says_no_secret(tmp_path: Path) -> None:
    rc = tmp_path / "root/admin-openrc"
    rc.parent.mkdir()
    rc.write_text("export OS_PASSWORD=secret LC_ALL=C\n")
    wish = {
        "path": "/root/admin-openrc",
        "variable": "LC_ALL",
        "state": "absent",
        "value": None,
        "expect": "C",
        "subject": "rc",
    }
    journal = Journal("/journal", "run", str(tmp_path))
    shown = environment_variables.apply(journal, {"variables": [wish]}, True)
    assert "secret" not in str(shown)
    assert shown["changed"]
    assert rc.read_text().endswith("LC_ALL=C\n")
    assert environment_variables.apply(journal, {"variables": [wish]}, False)["changed"]
    assert not environment_variables.apply(journal, {"variables": [wish]}, False)["changed"]
    other = {**wish, "variable": "OS_PASSWORD", "expect": "another"}
    assert environment_variables.apply(journal, {"variables": [other]}, False)["gone"] == ["rc"]
    assert [outcome["status"] for outcome in journal.undo(check_mode=False)] == ["restored"]
    assert rc.read_text() == "export OS_PASSWORD=secret LC_ALL=C\n"
