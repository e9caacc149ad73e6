# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scripts that evacuate hosts are told from those that only speak of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import scripts
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._evacuate_calls import let_nova_find_out
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree

FOUND = {
    "shell": ("nova host-evacuate HOST-34\n", ("host-evacuate", "HOST-34", 1)),
    "shell with options": (
        "nova --os-cloud prod host-evacuate --target_host spare HOST-34\n",
        ("host-evacuate", "HOST-34", 1),
    ),
    "variable": ('#!/bin/sh\nnova host-evacuate "$1"\n', ("host-evacuate", None, 2)),
    "continued line": ("nova host-evacuate \\\n  HOST-34\n", ("host-evacuate", "HOST-34", 1)),
    "live": ("/usr/bin/nova host-evacuate-live --max-servers 2 HOST-34", ("host-evacuate-live", "HOST-34", 1)),
    "migrate": ("if down; then nova host-servers-migrate c1; fi", ("host-servers-migrate", "c1", 1)),
    "meta": ("nova host-meta c1 set rack=7", ("host-meta", "c1", 1)),
    "program in a variable": ("$NOVA host-evacuate c1", ("host-evacuate", "c1", 1)),
    "unit": ("[Service]\nExecStart=/usr/bin/nova host-evacuate %i\n", ("host-evacuate", None, 2)),
    "cron": ("*/5 * * * * root test -f /x && nova host-evacuate c1", ("host-evacuate", "c1", 1)),
    "python list": ("subprocess.run(['nova', 'host-evacuate', host])", ("host-evacuate", None, 1)),
    "playbook command": ("  ansible.builtin.command: nova host-evacuate {{ dead }}", ("host-evacuate", None, 1)),
    "playbook argument list": ("  argv:\n    - nova\n    - host-evacuate\n    - c1\n", ("host-evacuate", "c1", 3)),
    "novaclient": ("hs = nova.hypervisors.search(host)\nfor s in hs: s.evacuate()\n", ("search", None, 1)),
    "evaluated in an echo": ("echo $(nova host-evacuate c1)", ("host-evacuate", "c1", 1)),
}

NOT_FOUND = {
    "strict": "nova host-evacuate --strict HOST-34\n",
    "strict behind the host": "nova host-evacuate HOST-34 --strict\n",
    "strict on the next line": "nova host-evacuate HOST-34 \\\n  --strict\n",
    "strict in a list": "run(['nova', 'host-evacuate',\n     '--strict', host])",
    "comment": "# nova host-evacuate HOST-34\n",
    "comment behind code": "true  # was: nova host-evacuate HOST-34\n",
    "message": 'echo "use nova host-evacuate HOST-34 by hand"\n',
    "logged": "logger -t ha 'nova host-evacuate started'\n",
    "the word alone": "# usage\nTITLE=host-evacuate\n",
    "another command": "openstack server list --host HOST-34 | xargs -n1 openstack server evacuate\n",
    "exact filter in python": "servers = nova.servers.list(search_opts={'host': host, 'all_tenants': 1})\nevacuate(servers)\n",
    "search that acts on nothing": "print(nova.hypervisors.search('c'))\n",
    "longer word": "nova my-host-evacuate-helper x\n",
    "binary": "nova host-evacuate c1\0",
}


@pytest.mark.parametrize("name", FOUND)
def test_a_call_by_pattern_is_found(name: str) -> None:
    text, (command, argument, line) = FOUND[name]
    calls = scripts.find_calls("/x", text)
    assert [(call.command, call.argument, call.line) for call in calls] == [(command, argument, line)]


@pytest.mark.parametrize("name", NOT_FOUND)
def test_what_only_looks_like_it_is_not(name: str) -> None:
    assert scripts.find_calls("/x", NOT_FOUND[name]) == []


@pytest.mark.parametrize(
    ("line", "argument", "exact", "changed"),
    [
        ("nova host-evacuate c1", "c1", "c1", "nova host-evacuate --strict c1"),
        (
            "nova host-evacuate c1 # tonight",
            "c1",
            "c1.example.org",
            "nova host-evacuate --strict c1.example.org # tonight",
        ),
        ('  nova host-evacuate "$1" || exit 1', None, None, '  nova host-evacuate --strict "$1" || exit 1'),
        ("nova host-evacuate c1-other c1", "c1", "c1.x", "nova host-evacuate --strict c1-other c1.x"),
        ("run(['nova', 'host-evacuate', h])", None, None, None),
    ],
)
def test_a_call_is_made_strict_and_the_rest_of_its_line_stays(
    line: str, argument: str | None, exact: str | None, changed: str | None
) -> None:
    assert scripts.make_strict(line, "host-evacuate", argument, exact) == changed


def test_a_call_that_was_made_strict_is_not_found_again() -> None:
    line = scripts.make_strict("nova host-evacuate HOST-34", "host-evacuate", "HOST-34", "HOST-34")
    assert line is not None
    assert scripts.find_calls("/x", line) == []


def test_only_files_that_can_run_are_read(tmp_path: Path) -> None:
    for name in ("ha.sh", "README", "README.md", "ha.log", "ha.sh.bak", "ha.sh~"):
        directory = tmp_path / "usr/local/bin"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("nova host-evacuate c1\n", encoding="utf-8")
    (tmp_path / "usr/local/bin/loop").symlink_to("/usr/local/bin")
    found = scripts.read(Tree(str(tmp_path)), {})
    assert [call["path"] for call in found["calls"]] == ["/usr/local/bin/ha.sh"]
    assert found["gaps"] == []


def test_the_operator_can_name_further_places(tmp_path: Path) -> None:
    (tmp_path / "fence").mkdir()
    (tmp_path / "fence/run").write_text("nova host-evacuate c1\n", encoding="utf-8")
    found = scripts.read(Tree(str(tmp_path)), {"script_paths": ["/fence"]})
    assert [call["path"] for call in found["calls"]] == ["/fence/run"]


@pytest.mark.parametrize(
    ("line", "client", "version", "shared"),
    [
        ('openstack server evacuate "$1"', "openstack", None, False),
        ("openstack --os-compute-api-version 2.13 server evacuate --shared-storage $vm", "openstack", (2, 13), True),
        ("openstack --os-compute-api-version=2.95 server evacuate --host n2 $vm", "openstack", (2, 95), False),
        ("nova evacuate --on-shared-storage $vm", "nova", None, True),
        ("/usr/bin/nova --debug evacuate $vm n2", "nova", None, False),
        ("nova --os-compute-api-version 2.1 evacuate --on-shared-storage $vm", "nova", (2, 1), True),
        ('body = {"evacuate": {"host": host, "onSharedStorage": True}}', "body", None, True),
        ("# openstack server evacuate --shared-storage $vm", None, None, False),
        ('echo "run: openstack server evacuate --shared-storage"', None, None, False),
        ("nova host-evacuate --strict HOST-34", None, None, False),
    ],
)
def test_what_a_call_of_evacuate_says_of_the_storage(line: str, client: str | None, version: Any, shared: bool) -> None:
    found = scripts.find_evacuations("/opt/ha.sh", f"#!/bin/sh\n{line}\n")
    assert [(call.line, call.client, call.version, call.shared) for call in found] == (
        [(2, client, version, shared)] if client else []
    )


@pytest.mark.parametrize(
    ("line", "client", "expected"),
    [
        (
            '  openstack --os-compute-api-version 2.13 server evacuate --shared-storage "$1" || exit 1',
            "openstack",
            '  openstack --os-compute-api-version 2.29 server evacuate "$1" || exit 1',
        ),
        (
            "openstack server evacuate $vm | logger",
            "openstack",
            "openstack --os-compute-api-version 2.29 server evacuate $vm | logger",
        ),
        (
            "nova evacuate --on-shared-storage $vm n2",
            "nova",
            "nova --os-compute-api-version 2.29 evacuate $vm n2",
        ),
        ('["openstack", "server", "evacuate", vm]', "openstack", None),
    ],
)
def test_a_call_leaves_it_to_nova(line: str, client: str, expected: str | None) -> None:
    assert let_nova_find_out(line, client) == expected
