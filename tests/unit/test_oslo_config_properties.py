# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever files hold, our reader and oslo.config agree on it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _oslo_files as ours
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.oslo_config import read_file
from ansible_collections.stackmend.openstack.plugins.module_utils._faults import _config
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._oslo_edits import apply
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

cfg = pytest.importorskip("oslo_config.cfg")
types = pytest.importorskip("oslo_config.types")

EXAMPLES = int(os.environ.get("STACKMEND_EXAMPLES", "300"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEYS = ["opt", "other", "old_name", "multi", "auth-url", "Opt", "o p"]
SECTIONS = ["DEFAULT", "default", "api", "API", "Api", "old", "x y", " api", "]"]
SPACE = st.sampled_from(["", " ", "\t", "  ", "\x0b", "\xa0", "\x85", "\x1c"])
VALUE = st.one_of(
    st.sampled_from(
        [
            "",
            "keystone",
            '"quoted"',
            "'q'",
            '"',
            "'",
            "\"mixed'",
            "True # comment",
            "a=b:c",
            "$other",
            "$$x",
            r"\$x",
            "${api.opt}",
            "$api.other",
            "ä€",
            "[x]",
            "#",
            ";",
            "a,b",
        ]
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12),
)
LINE = st.one_of(
    st.builds(lambda s, e: f"[{s}]{e}", st.sampled_from(SECTIONS), SPACE),
    st.builds(
        lambda k, a, sep, b, v, e: f"{k}{a}{sep}{b}{v}{e}",
        st.sampled_from(KEYS),
        SPACE,
        st.sampled_from(["=", ":", "==", ":="]),
        SPACE,
        VALUE,
        SPACE,
    ),
    st.builds(lambda s, v: s + v, st.sampled_from([" ", "\t", "    "]), VALUE),
    st.builds(lambda c, v: c + v, st.sampled_from(["#", ";"]), VALUE),
    st.sampled_from(["", " ", "[", "[]", "[api", "novalue", "=x", ":", "[DEFAULT] # comment"]),
)
END = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])
# Most files begin with a section, so that most of them parse.
TEXT = st.builds(
    lambda first, lines, last: first + "".join(line + end for line, end in lines) + last,
    st.sampled_from(["[DEFAULT]\n", "[api]\n", ""]),
    st.lists(st.tuples(LINE, END), max_size=14),
    st.one_of(st.just(""), LINE),
)
NAMES = [("DEFAULT", "opt"), ("DEFAULT", "other"), ("api", "opt"), ("api", "other"), ("x y", "opt")]
FORMER = [("old", "opt"), ("api", "old_name")]


def oslo(files: list[Path], environment: dict[str, str]) -> cfg.ConfigOpts | None:
    """The real library's view of the files; None when it refuses them."""
    conf = cfg.ConfigOpts()
    for group, name in NAMES:
        former = [cfg.DeprecatedOpt(n, group=g) for g, n in FORMER] if (group, name) == ("api", "opt") else []
        conf.register_opt(cfg.StrOpt(name, deprecated_opts=former), None if group == "DEFAULT" else group)
    conf.register_opt(cfg.MultiStrOpt("multi"), "api")
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        conf(
            [f"--config-file={path}" for path in files], project="none", default_config_files=[], default_config_dirs=[]
        )
        return conf
    except cfg.ConfigFileParseError:
        return None
    finally:
        os.environ.clear()
        os.environ.update(before)


def raw(conf: cfg.ConfigOpts, group: str, name: str, multi: bool = False):
    """The value as oslo.config found it, before it resolves references; None when the option is not set."""
    opt = conf._get_opt_info(name, None if group == "DEFAULT" else conf._get_group(group))["opt"]
    try:
        return opt._get_from_namespace(conf._namespace, None if group == "DEFAULT" else group)[0]
    except KeyError:
        return None


@SETTINGS
@given(st.lists(TEXT, min_size=1, max_size=3))
@example(["a=1\n"])
@example(["[api]\nopt = True # x\n opt=2\n"])
@example(["[api]\nopt=1\n\n cont\n"])
@example(['[api]\nopt="\n'])
@example(["\ufeff[api]\nopt=1\n"])
@example(["[default]\nopt=1\n[DEFAULT]\nopt=2\n", "[OLD]\nopt=3\n"])
@example(["[api]\nmulti=1\nmulti=2\n", "[API]\nmulti=3\n"])
def test_any_files_give_the_same_values_or_the_same_refusal(texts):
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for number, text in enumerate(texts):
            path = Path(directory, f"{number}.conf")
            path.write_bytes(text.encode())
            paths.append(path)
        theirs = oslo(paths, {})
        tree = Tree(directory)
        try:
            files = [(f"/{path.name}", read_file(tree, f"/{path.name}")) for path in paths]
        except Unavailable:
            assert theirs is None
            return
        assert theirs is not None
        mine = ours.Effective(files, {})
        for group, name in NAMES:
            former = FORMER if (group, name) == ("api", "opt") else []
            found = mine.raw(group, name, former)
            assert (found[0] if found else None) == raw(theirs, group, name)
            if found:
                entry = next(e for p, es in files for e in es if p == found[1].path and e["line"] == found[1].line)
                assert entry["value"] == found[0]
        found = mine.raw("api", "multi", multi=True)
        assert (found[0] if found else None) == raw(theirs, "api", "multi", True)


@SETTINGS
@given(st.dictionaries(st.sampled_from(NAMES), VALUE.filter(lambda v: not set(v) & set("\r\n")), max_size=5))
def test_references_between_options_resolve_alike(values):
    lines = [f"[{group}]\n{name} = {value}\n" for (group, name), value in values.items()]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.conf")
        path.write_text("".join(lines), encoding="utf-8")
        theirs = oslo([path], {})
        if theirs is None:
            return
        mine = ours.Effective([("/x.conf", read_file(Tree(directory), "/x.conf"))], {})

        def look_up(group: str, option: str):
            if (group, option) not in NAMES:
                return None
            found = mine.raw(group, option)
            return found[0] if found else ""

        for group, name in values:
            found = mine.raw(group, name)
            try:
                real = (theirs if group == "DEFAULT" else theirs[group])[name]
            except (RecursionError, cfg.Error):
                continue  # an option that refers to itself, or to a group: the service does not come that far either
            assert ours.interpolate(found[0], group, look_up) == real


@SETTINGS
@given(TEXT, st.sampled_from(NAMES), VALUE.filter(lambda v: not set(v) & set("\r\n")))
def test_an_environment_variable_beats_every_file(text, name, value):
    if "\0" in value or "\x85" in value:
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.conf")
        path.write_bytes(text.encode())
        environment = {ours.environment_name(*name): value}
        try:
            files = [("/x.conf", read_file(Tree(directory), "/x.conf"))]
        except Unavailable:
            return
        found = ours.Effective(files, environment).raw(*name)
        assert found == (value, ours.Source(ours.environment_name(*name), 0))


BOOL, INT = {"type": "bool"}, {"type": "int", "min": 0, "max": 300}
KINDS = [
    (BOOL, types.Boolean()),
    (INT, types.Integer(min=0, max=300)),
    ({"type": "int"}, types.Integer()),
    ({"type": "int", "choices": [256, 512]}, types.Integer(choices=[256, 512])),
    ({"type": "float", "min": 0.5}, types.Float(min=0.5)),
    ({"type": "port"}, types.Port()),
    ({"type": "string"}, types.String()),
    ({"type": "string", "choices": ["kvm", "qemu", ""]}, types.String(choices=["kvm", "qemu", ""])),
    (
        {"type": "string", "choices": ["KVM", "qemu"], "ignore_case": True},
        types.String(choices=["KVM", "qemu"], ignore_case=True),
    ),
    ({"type": "list"}, types.List()),
    (
        {"type": "list", "item": {"type": "string", "choices": ["none", "vencrypt"]}},
        types.List(types.String(choices=["none", "vencrypt"])),
    ),
    ({"type": "list", "item": {"type": "int"}}, types.List(types.Integer())),
]
WORDS = st.one_of(
    st.sampled_from(
        [
            "true",
            "True",
            "yes",
            "OFF",
            "1",
            "0",
            "maybe",
            "True # x",
            "kvm",
            "KVM",
            "kvvm",
            "Qemu",
            "256",
            "257",
            "-1",
            "1_0",
            " 12 ",
            "",
            "none",
            "none,vencrypt",
            "none, vencrpyt",
            "none,",
            ",",
            "1,2",
            "1,,2",
            "1.5",
            "0.1",
            "nan",
            "65536",
            "0x10",
            "１",
        ]
    ),
    st.text("0123456789-+._, truefalsenonkvm", max_size=8),
)


@SETTINGS
@given(st.sampled_from(KINDS), WORDS)
def test_a_value_is_refused_exactly_when_oslo_config_refuses_it(kind, value):
    description, real = kind
    try:
        real(value)
        accepted = True
    except ValueError:
        accepted = False
    judged = _config.check(description, value)
    assert (judged is None) == accepted
    if judged and judged.meant is not None:
        real(judged.meant)  # what is proposed must be accepted


@SETTINGS
@given(TEXT, st.sampled_from(["DEFAULT", "api", "x y"]), st.sampled_from(["opt", "other"]), VALUE)
def test_an_edit_sets_what_oslo_config_reads_and_nothing_else(text, section, option, value):
    if set(value) & set("\r\n"):
        return
    try:
        before = ours.parse(text)
    except ours.ParseError:
        return
    edit = {"section": section, "option": option, "state": "present", "value": value}
    first = apply(text, [edit])
    after = ours.parse(first.text)
    name = ours.normal(section), option

    def others(assignments):
        return [(a.section, a.key, a.value) for a in assignments if (ours.normal(a.section), a.key) != name]

    assert [a.value for a in after if (ours.normal(a.section), a.key) == name][-1] == value
    assert others(after) == others(before)
    assert apply(first.text, [edit]).changes == []

    removed = apply(first.text, [{**edit, "state": "absent"}])
    assert others(ours.parse(removed.text)) == others(before)
    assert not [a for a in ours.parse(removed.text) if (ours.normal(a.section), a.key) == name]
