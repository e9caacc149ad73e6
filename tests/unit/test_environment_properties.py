# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever files of assignments hold, they are read as the shell reads them, and a variable that is set has its value."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _environment_files
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import locale_settings
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.texts import FEW, LONG_SETTINGS, SETTINGS, long, near

WORDS = (
    *(
        "LANG=C",
        "LANG",
        "LC_ALL=zh_CN.GBK",
        "export",
        "unset",
        "LANG='C'",
        'LANG="a b"',
        "A=1",
        ";",
        "; ",
        "&&",
        "||",
        "#",
        "$X",
    ),
    *("`x`", "if true; then", "fi", "locale", "LANG=", "MY_LANG=C", 'A="LANG=C"', "'LANG'", "export LANG=C LC_ALL=C"),
)


@SETTINGS
@given(near(*WORDS), st.sampled_from(["C.UTF-8", "a b", None]))
def test_a_variable_that_is_set_has_its_value(text: str, value: str | None) -> None:
    after = _environment_files.with_value(text, "LANG", value)
    if value is None and _environment_files.value_in(after, "LANG") is not None:
        return  # more than once in a line: the module leaves such a file alone
    assert _environment_files.value_in(after, "LANG") == value


@LONG_SETTINGS
@given(long(*WORDS, "\n"))
def test_long_files_are_read_in_one_go(text: str) -> None:
    _environment_files.with_value(text, "LANG", "C.UTF-8")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("LANG=C sort x\n", None),
        ("LANG=C && true\n", "C"),
        ("A=1;LANG=C\n", "C"),
        ("export A LANG=C\n", "C"),
        ("A='x;' LANG=C\n", "C"),
        ("A=x\x0cLANG=C\n", None),
        ("A=x\u2028LANG=C\n", None),
        ("LANG=a#b\n", "a#b"),
    ],
)
def test_an_assignment_that_was_once_misread(text: str, value: str | None) -> None:
    assert _environment_files.value_in(text, "LANG") == value


NAMES = ("LANG", "LC_ALL", "A")
VALUE = st.sampled_from(
    ["C", "C.UTF-8", "'a b'", '"a b"', '"x;y"', "'#'", "a#b", "", '"it\'s"', "a\\ b", "zh_CN.GBK@x", "x=y", "ä"]
)
PAIR = st.builds("{}={}".format, st.sampled_from(NAMES), VALUE)
COMMAND = st.one_of(
    st.lists(PAIR, min_size=1, max_size=3).map(" ".join),
    st.lists(st.one_of(PAIR, st.sampled_from(NAMES)), min_size=1, max_size=3).map(
        lambda words: "export " + " ".join(words)
    ),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2).map(lambda names: "unset " + " ".join(names)),
    st.lists(PAIR, min_size=1, max_size=2).map(lambda pairs: " ".join([*pairs, "true x"])),
    st.just("true"),
)
SCRIPT = st.lists(
    st.one_of(
        st.builds("{}{}".format, COMMAND, st.sampled_from(["", "", " ", ";", " ; ", " # LANG=x", "\t#"])),
        st.builds("{}{}{}".format, COMMAND, st.sampled_from([";", "; ", " ;"]), COMMAND),
        st.sampled_from(["", "# LANG=x", "#"]),
    ),
    max_size=6,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


def _of_sh(text: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "file")
        path.write_text(text, encoding="utf-8")
        show = "; ".join(f'printf "%s\\0%s\\0" "${{{name}+set}}" "${name}"' for name in NAMES)
        run = subprocess.run(
            ["sh", "-c", f". {path}; {show}"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
        )
    said = run.stdout.decode().split("\0")
    return {name: said[2 * at + 1] for at, name in enumerate(NAMES) if said[2 * at]}


@FEW
@given(SCRIPT)
def test_a_file_is_read_as_the_shell_reads_it(text: str) -> None:
    found: dict[str, str] = {}
    for _number, name, value in locale_settings.assignments(text):
        found.pop(name, None)
        if value is not None:
            found[name] = value
    # A line is left out from the first command on that is more than assignments.
    expected = _of_sh("".join(line + "\n" for line in text.split("\n") if "true" not in line))
    if "true" in text:
        assert set(found) >= {name for name in expected if name in found}
    else:
        assert found == expected


@FEW
@given(SCRIPT, st.sampled_from(["C.UTF-8", None]))
def test_the_shell_has_the_value_that_was_set_and_all_others(text: str, value: str | None) -> None:
    after = _environment_files.with_value(text, "LANG", value)
    if _environment_files.value_in(after, "LANG") != value:
        return  # the module leaves such a file alone
    before, now = _of_sh(text), _of_sh(after)
    if "true" not in text:
        assert now.pop("LANG", None) == value
        before.pop("LANG", None)
        assert now == before
