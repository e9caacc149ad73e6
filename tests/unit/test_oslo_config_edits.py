# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An edit changes the line that counts, and nothing around it."""

from __future__ import annotations

import os

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._oslo_files import fingerprint
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._model import ChangeFailed
from ansible_collections.stackmend.openstack.plugins.module_utils._oslo_edits import apply
from ansible_collections.stackmend.openstack.plugins.modules import oslo_config as module


def present(option, value, section="DEFAULT", **more):
    return {"section": section, "option": option, "state": "present", "value": value, **more}


def absent(option, section="DEFAULT", **more):
    return {"section": section, "option": option, "state": "absent", **more}


def renamed(option, new, section="DEFAULT", **more):
    return {"section": section, "option": option, "state": "renamed", "new_option": new, **more}


CASES = {
    "the last of two lines counts": ("[a]\nx = 1\nx = 2\n", present("x", "3", "a"), "[a]\nx = 1\nx = 3\n"),
    "spacing and separator stay": ("[a]\nx:   1\ny=2\n", present("x", "3", "a"), "[a]\nx:   3\ny=2\n"),
    "windows line ends stay": ("[a]\r\nx = 1\r\n", present("x", "3", "a"), "[a]\r\nx = 3\r\n"),
    "a file without a last line end": ("[a]\nx = 1", present("x", "3", "a"), "[a]\nx = 3"),
    "the section is found in any case": ("[A]\nx = 1\n", present("x", "3", "a"), "[A]\nx = 3\n"),
    "[default] is not [DEFAULT]": ("[default]\nx = 1\n", present("x", "3"), "[default]\nx = 1\n\n[DEFAULT]\nx = 3\n"),
    "a new option follows the last of its section": (
        "[a]\nx = 1\n\n# about b\n[b]\ny = 1\n",
        present("z", "3", "a"),
        "[a]\nx = 1\nz = 3\n\n# about b\n[b]\ny = 1\n",
    ),
    "a new option follows continuation lines": (
        "[a]\nx = 1,\n    2\n",
        present("z", "3", "a"),
        "[a]\nx = 1,\n    2\nz = 3\n",
    ),
    "an empty file": ("", present("x", "1"), "[DEFAULT]\nx = 1\n"),
    "continuation lines are part of the value": (
        "[a]\nx = 1,\n    2\ny = 1\n",
        present("x", "3", "a"),
        "[a]\nx = 3\ny = 1\n",
    ),
    "what is right already stays": ("[a]\nx = 'keystone'\n", present("x", "keystone", "a"), "[a]\nx = 'keystone'\n"),
    "spaces around a value are kept by quotes": ("[a]\nx = 1\n", present("x", " y ", "a"), '[a]\nx = " y "\n'),
    "every line of a removed option goes": ("[a]\nx=1\ny=2\nx=3\n  4\n", absent("x", "a"), "[a]\ny=2\n"),
    "what is absent already stays": ("[a]\ny=2\n", absent("x", "a"), "[a]\ny=2\n"),
    "a renamed option keeps its place and comment": (
        "[a]\n# why\nfoo-bar = 1\ny=2\n",
        renamed("foo-bar", "foo_bar", "a"),
        "[a]\n# why\nfoo_bar = 1\ny=2\n",
    ),
    "a moved option goes to its section": (
        "[DEFAULT]\nvirt_type = qemu\n[libvirt]\ncpu_mode = none\n[x]\n",
        renamed("virt_type", "virt_type", new_section="libvirt"),
        "[DEFAULT]\n[libvirt]\ncpu_mode = none\nvirt_type = qemu\n[x]\n",
    ),
    "a byte that is not UTF-8 stays": ("[a]\n# \udcff\nx = 1\n", present("x", "2", "a"), "[a]\n# \udcff\nx = 2\n"),
}


@pytest.mark.parametrize(("text", "edit", "expected"), CASES.values(), ids=CASES)
def test_an_edit(text, edit, expected):
    first = apply(text, [edit])
    assert first.text == expected
    assert first.gone == []
    second = apply(first.text, [edit])
    assert (second.text, second.changes, second.gone) == (expected, [], [])


GONE = {
    "the value has changed": ("[a]\nx = 2\n", present("x", "3", "a", expect=fingerprint("1", "k"))),
    "the option has gone": ("[a]\n", present("x", "3", "a", expect=fingerprint("1", "k"))),
    "somebody added a line that counts now": (
        "[a]\nx = 1\nx = 2\n",
        present("x", "3", "a", expect=fingerprint("1", "k")),
    ),
    "the line to remove has another value": ("[a]\nx = 2\n", absent("x", "a", expect=fingerprint("1", "k"))),
    "the right name has been set meanwhile": (
        "[a]\nxx = 1\nx = 2\n",
        renamed("xx", "x", "a", expect=fingerprint("1", "k")),
    ),
}


@pytest.mark.parametrize(("text", "edit"), GONE.values(), ids=GONE)
def test_what_has_changed_meanwhile_is_left_alone(text, edit):
    outcome = apply(text, [{**edit, "subject": "it"}], "k")
    assert (outcome.text, outcome.changes, outcome.gone) == (text, [], ["it"])


def test_of_a_multi_valued_option_the_judged_line_is_changed():
    edit = present("m", "3", "a", expect=fingerprint("1", ""), multi=True)
    assert apply("[a]\nm = 1\nm = 2\n", [edit]).text == "[a]\nm = 3\nm = 2\n"


def test_a_value_of_two_lines_is_refused():
    with pytest.raises(ChangeFailed, match="more than one line"):
        apply("", [present("x", "1\n[b]\ny=2")])


def test_the_diff_holds_changed_lines_only_and_no_secret():
    text = "[a]\npassword = hunter2\n  more\nold_password = x\nconnection: mysql://u:p@h/d\nz = 1\n"
    outcome = apply(
        text,
        [present("password", "new", "a"), renamed("old_password", "admin_password", "a"), absent("connection", "a")],
    )
    shown = [line for change in outcome.changes for line in change.before + change.after]
    assert shown == [
        "[a]",
        "password = ********",
        "[a]",
        "password = ********",
        "[a]",
        "old_password = ********",
        "[a]",
        "admin_password = ********",
        "[a]",
        "connection: ********",
        "[a]",
    ]


def test_a_secret_under_a_misspelt_name_is_masked():
    edits = [renamed("pasword", "password", "a"), absent("adminpwd", "a", secret=True)]
    shown = str(apply("[a]\npasword = hunter2\nadminpwd = hunter3\n", edits).changes)
    assert "hunter" not in shown
    assert "pasword = ********" in shown


class TestModule:
    """The module over a directory that stands for a host."""

    def params(self, *edits, **more):
        full = {
            "section": "DEFAULT",
            "state": "present",
            "value": None,
            "expect": None,
            "multi": False,
            "subject": "",
            "new_section": None,
            "new_option": None,
        }
        return {"edits": [{**full, **edit} for edit in edits], "restarts": [], **more}

    def run(self, root, params, check_mode=False):
        return module.apply(Journal("/journal", "run-1", str(root)), params, check_mode)

    def test_several_files_are_one_call_and_can_be_undone(self, tmp_path):
        for name in ("a.conf", "b.conf"):
            (tmp_path / name).write_text("[DEFAULT]\nx = 1\n")
            (tmp_path / name).chmod(0o640)
        params = self.params(
            {"path": "/a.conf", "option": "x", "value": "2"}, {"path": "/b.conf", "option": "x", "state": "absent"}
        )
        dry = self.run(tmp_path, params, check_mode=True)
        assert dry["changed"]
        assert (tmp_path / "a.conf").read_text() == "[DEFAULT]\nx = 1\n"
        assert not (tmp_path / "journal").exists()
        done = self.run(tmp_path, params)
        assert {**done} == {**dry}
        assert (tmp_path / "a.conf").read_text() == "[DEFAULT]\nx = 2\n"
        assert (tmp_path / "b.conf").read_text() == "[DEFAULT]\n"
        assert os.stat(tmp_path / "a.conf").st_mode & 0o777 == 0o640
        assert not self.run(tmp_path, params)["changed"]
        Journal("/journal", "run-1", str(tmp_path)).undo(check_mode=False)
        assert [(tmp_path / name).read_text() for name in ("a.conf", "b.conf")] == ["[DEFAULT]\nx = 1\n"] * 2

    def test_nothing_is_written_when_one_wish_is_impossible(self, tmp_path):
        (tmp_path / "a.conf").write_text("[DEFAULT]\nx = 1\n")
        (tmp_path / "b.conf").write_text("x = 1\n")
        params = self.params(
            {"path": "/a.conf", "option": "x", "value": "2"}, {"path": "/b.conf", "option": "x", "value": "2"}
        )
        with pytest.raises(ChangeFailed, match=r"/b.conf line 1 cannot be parsed .* nothing was changed"):
            self.run(tmp_path, params)
        assert (tmp_path / "a.conf").read_text() == "[DEFAULT]\nx = 1\n"

    def test_a_missing_file_is_gone_for_a_finding_and_a_mistake_for_a_wish(self, tmp_path):
        wish = {"path": "/a.conf", "option": "x", "value": "2"}
        with pytest.raises(ChangeFailed, match=r"/a\.conf does not exist"):
            self.run(tmp_path, self.params(wish))
        assert self.run(tmp_path, self.params({**wish, "expect": "0", "subject": "it"}))["gone"] == ["it"]
