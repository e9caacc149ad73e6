# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever scripts and crontabs hold, the calls in them are found, and a call that was changed is found no more."""

from __future__ import annotations

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _evacuate_calls, scripts
from hypothesis import given

from tests.unit.texts import LONG_SETTINGS, SETTINGS, long, near

WORDS = (
    *(
        "nova",
        "host-evacuate",
        "host-evacuate-live compute1",
        "host-servers-migrate",
        "--strict",
        "--target_host",
        "compute1",
    ),
    *(
        "openstack",
        "server",
        "server evacuate",
        "evacuate",
        "--debug",
        "-a",
        "--os-compute-api-version 2.13",
        "--on-shared-storage",
    ),
    *(
        "--shared-storage",
        "OS_COMPUTE_API_VERSION=2.9",
        "onSharedStorage: true",
        "'onSharedStorage'",
        "hypervisors.search(",
    ),
    *(
        "echo",
        "sudo echo",
        "$(",
        "`",
        "|",
        ";",
        "&&",
        "[",
        "]",
        "(",
        ")",
        "- ",
        "'host-evacuate',",
        "5 * * * * root",
        "%",
        "EOF",
    ),
)


@SETTINGS
@given(near(*WORDS))
def test_a_call_that_was_made_strict_is_found_no_more(text: str) -> None:
    lines = text.split("\n")
    for call in scripts.find_calls("/x", text):
        assert call.digest == scripts.line_digest(lines[call.line - 1])
        strict = scripts.make_strict(lines[call.line - 1], call.command, call.argument, "compute1.example")
        if strict is not None:
            after = "\n".join([*lines[: call.line - 1], strict, *lines[call.line :]])
            assert call.line not in [other.line for other in scripts.find_calls("/x", after)]


@SETTINGS
@given(near(*WORDS))
def test_a_call_that_lets_nova_find_out_says_nothing_of_the_storage(text: str) -> None:
    lines = text.split("\n")
    for call in scripts.find_evacuations("/x", text):
        assert call.digest == scripts.line_digest(lines[call.line - 1])
        mended = _evacuate_calls.let_nova_find_out(lines[call.line - 1], call.client)
        if mended is not None:
            after = "\n".join([*lines[: call.line - 1], mended, *lines[call.line :]])
            found = [other for other in scripts.find_evacuations("/x", after) if other.line == call.line]
            assert [other.version for other in found if other.client == call.client] in ([(2, 29)], [])


@LONG_SETTINGS
@given(long(*WORDS, "\n", "evacuate\n", "nova --a -b evacuat "))
def test_long_scripts_are_read_in_one_go(text: str) -> None:
    scripts.find_calls("/x", text)
    scripts.find_evacuations("/x", text)
    scripts.make_strict(text, "host-evacuate", "compute1", "compute2")
    _evacuate_calls.let_nova_find_out(text, "openstack")
    _evacuate_calls.let_nova_find_out(text, "nova")


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("nova --debug evacuate srv", None),
        ("nova --os-compute-api-version 2.9 --insecure -v evacuate srv", (2, 9)),
        ("nova --os-region-name=-x --os-compute-api-version=2.9 evacuate srv", (2, 9)),
        ("true; openstack --os-compute-api-version 2.9 --debug server evacuate srv", (2, 9)),
        (f"nova --os-compute-api-version 2.{'9' * 5000} evacuate srv", (2, 999_999_999)),
    ],
)
def test_options_before_the_command_are_read(line: str, version: tuple[int, int] | None) -> None:
    assert [call.version for call in scripts.find_evacuations("/x", line)] == [version]


def test_many_options_are_read_in_one_go() -> None:
    assert scripts.find_evacuations("/x", f"nova {'--a ' * 60}evacuated") == []
