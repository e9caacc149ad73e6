# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limit of connections is read and changed where memcached's units take it from, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.memcached import _address, _shown
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.module_utils._memcached_files import (
    limit_in,
    limit_of,
    with_limit,
)
from ansible_collections.stackmend.openstack.plugins.modules.memcached_limits import apply

# Debian 12, /etc/memcached.conf, without most of its comments
DEBIAN = (
    "# memcached\n-d\nlogfile /var/log/memcached.log\n-m 64\n-p 11211\n-u memcache\n# -c 1024\n-l 127.0.0.1\n-U 0\n"
)
# RHEL 9, /etc/sysconfig/memcached (scripts/memcached.sysconfig), with a management address
RHEL = 'PORT="11211"\nUSER="memcached"\nMAXCONN="1024"\nCACHESIZE="64"\nOPTIONS="-l 10.0.0.11,::1 -U 0"\n'

FILES = {
    "Debian leaves it to the default": ("arguments", DEBIAN, None, DEBIAN + "-c 4096\n"),
    "Debian sets it": ("arguments", DEBIAN + "-c 1024\n-v\n", 1024, DEBIAN + "-c 4096\n-v\n"),
    "the last of two counts": ("arguments", "-c 64\n-c 128 # small\n", 128, "-c 64\n-c 4096 # small\n"),
    "several arguments in a line": ("arguments", "-l ::1 -c 512 -U 0\n", 512, "-l ::1 -c 4096 -U 0\n"),
    "the long option": ("arguments", "--conn-limit=512\n", 512, "--conn-limit=4096\n"),
    "no end of line": ("arguments", "-m 64", None, "-m 64\n-c 4096\n"),
    "an option that only ends in c": ("arguments", "-l host-c 9\n", None, "-l host-c 9\n-c 4096\n"),
    "RHEL": ("environment", RHEL, 1024, RHEL.replace('"1024"', '"4096"')),
    "RHEL, OPTIONS wins": (
        "environment",
        RHEL.replace("-U 0", "-U 0 -c 2048"),
        2048,
        RHEL.replace("-U 0", "-U 0 -c 4096"),
    ),
    "RHEL, without quotes and in a comment": (
        "environment",
        "#MAXCONN=9\nMAXCONN=1024\nOPTIONS=\n",
        1024,
        "#MAXCONN=9\nMAXCONN=4096\nOPTIONS=\n",
    ),
    "RHEL leaves it out": ("environment", 'PORT="1"\n', None, 'PORT="1"\nMAXCONN="4096"\n'),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_only_the_limit_that_counts_is_changed(case: tuple[str, str, int | None, str]) -> None:
    style, text, limit, after = case
    assert limit_in(text, style) == limit
    assert with_limit(text, style, 4096) == after
    assert limit_in(after, style) == 4096


def test_a_command_line_tells_the_limit() -> None:
    assert limit_of(["/usr/bin/memcached", "-m", "64"]) == 1024
    assert limit_of(["/usr/bin/memcached", "-c", "64", "-l", "::1", "-c", "128"]) == 128
    assert limit_of(["memcached", "-c2048"]) == 2048


ADDRESSES = {
    "": "127.0.0.1:11211",
    "-l 10.0.0.11 -p 11311": "10.0.0.11:11311",
    "-l 10.0.0.11,::1": "10.0.0.11:11211",
    "-l 10.0.0.11:11311": "10.0.0.11:11311",
    "-l [fd00::1]:11311": "[fd00::1]:11311",
    "-l ::1": "[::1]:11211",
    "-l 0.0.0.0": "127.0.0.1:11211",
    "--listen=:: --port=9": "[::1]:9",
    "-s /run/memcached/socket": "/run/memcached/socket",
}


@pytest.mark.parametrize("arguments", ADDRESSES)
def test_memcached_is_asked_where_it_listens(arguments: str) -> None:
    assert _shown(_address(["/usr/bin/memcached", *arguments.split()])) == ADDRESSES[arguments]


def _wish(**more: Any) -> dict[str, Any]:
    return {
        "unit": "memcached.service",
        "path": "/etc/memcached.conf",
        "style": "arguments",
        "max_connections": 4096,
        "open_files": 4196,
        "expect": 0,
        "address": "",
        "subject": "memcached.service",
        **more,
    }


def _state(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_wish_is_shown_carried_out_once_and_undone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / "etc/memcached.conf").write_text(DEBIAN)
    before = _state(root)
    journal = Journal("/journal", "one", str(root))
    shown = apply(journal, {"instances": [_wish()]}, True)
    assert (shown["changed"], _state(root)) == (True, before)
    done = apply(journal, {"instances": [_wish()]}, False)
    assert done == shown
    assert (root / "etc/memcached.conf").read_text() == DEBIAN + "-c 4096\n"
    assert "4196" in (root / "etc/systemd/system/memcached.service.d/zz-open-files.conf").read_text()
    assert apply(Journal("/journal", "two", str(root)), {"instances": [_wish()]}, False)["changed"] is False
    assert {entry["status"] for entry in journal.undo(check_mode=False)} == {"restored"}
    assert {name: text for name, text in _state(root).items() if not name.startswith("journal")} == before


def test_a_limit_that_somebody_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/memcached.conf").write_text(DEBIAN + "-c 2048\n")
    journal = Journal("/journal", "one", str(tmp_path))
    result = apply(journal, {"instances": [_wish()]}, False)
    assert (result["changed"], result["gone"]) == (False, ["memcached.service"])
