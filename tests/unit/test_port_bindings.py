# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers say when they cannot have their port, and what SELinux's programs answer: recorded from EL 9 and Debian 12."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _selinux
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _commands
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import port_bindings as reader
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence.services import Program
from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
from ansible_collections.stackmend.openstack.plugins.modules import selinux_settings

PLACEMENT = Program("placement", "placement-api", ("/usr/bin/placement-api", "--port", "8778"), {})
UWSGI = Program("nova", "nova-api", ("/usr/bin/uwsgi", "--http-socket", "10.0.0.1:8774"), {})
RECORDED = {
    "(13)Permission denied: AH00072: make_sock: could not bind to address [::]:5000": ("[::]", 5000, 13),
    "(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:5000": ("0.0.0.0", 5000, 98),
    "OSError: [Errno 98] Address already in use": ("", 8778, 98),
    "ERROR nova Could not bind to 0.0.0.0:8774: PermissionError: [Errno 13] Permission denied": ("0.0.0.0", 8774, 13),
    "error: bind(): Address already in use [core/socket.c line 769]": ("", 8778, 98),
    "error: bind(): Permission denied [core/socket.c line 230]": ("", 8778, 13),
}


@pytest.mark.parametrize("line", RECORDED)
def test_a_recorded_complaint_about_a_port(line: str) -> None:
    assert list(reader.complaints(f"starting\n{line}\nstopped", [PLACEMENT])) == [RECORDED[line]]


@pytest.mark.parametrize(
    "line",
    [
        "PermissionError: [Errno 13] Permission denied: '/etc/nova/nova.conf'",
        "OSError: [Errno 99] Cannot assign requested address",
        "(2)No such file or directory: AH02291: Cannot access directory",
    ],
)
def test_what_is_no_complaint_about_a_port(line: str) -> None:
    assert list(reader.complaints(line, [PLACEMENT])) == []


def test_the_port_of_a_command_line() -> None:
    assert reader._port_of(UWSGI.arguments) == 8774
    assert reader._port_of(("placement-api", "--port=8778")) == 8778
    assert reader._port_of(("placement-api", "--debug")) == 0


def test_a_recorded_denial() -> None:
    recorded = (
        'type=AVC msg=audit({}.417:2113): avc:  denied  {{ name_bind }} for  pid=21442 comm="httpd" src=5000 '
        "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:commplex_main_port_t:s0 "
        "tclass=tcp_socket permissive=0\n"
    )
    text = recorded.format(1_799_999_000) * 2 + recorded.format(1_700_000_000).replace("5000", "5001")
    assert list(reader.denials(text, 1_799_900_000.0)) == [
        {"command": "httpd", "port": 5000, "domain": "httpd_t", "type": "commplex_main_port_t"}
    ]


def test_of_a_directory_with_selinux_in_force_the_servers_are_named(tmp_path: Path) -> None:
    (tmp_path / "etc/selinux").mkdir(parents=True)
    (tmp_path / "etc/httpd/conf.d").mkdir(parents=True)
    (tmp_path / "etc/httpd/conf.d/k.conf").write_text("WSGIScriptAlias / /usr/bin/keystone-wsgi-public\n")
    assert reader.read(Tree(str(tmp_path)), {})["configured"] == []
    (tmp_path / "etc/selinux/config").write_text("SELINUX=enforcing\n")
    assert reader.read(Tree(str(tmp_path)), {})["configured"] == ["httpd.service"]


@pytest.fixture
def recorded_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """getsebool, setsebool and semanage that answer as recorded, with a state of their own."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "httpd_use_openstack").write_text("off\n")
    (state / "ports").write_text(
        "commplex_main_port_t           tcp      5000\n"
        "http_port_t                    tcp      80, 81, 443, 488, 8008, 8009, 8443, 9000\n"
        "unreserved_port_t              tcp      61001-65535, 1024-32767\n"
    )
    programs = {
        "getsebool": f'[ -e {state}/$1 ] || exit 1; echo "$1 --> $(cat {state}/$1)"',
        "setsebool": f"echo $3 >{state}/$2",
        "semanage": f'case $2 in -l) cat {state}/ports;; -a) echo "$4 tcp $7" >>{state}/ports;;'
        f' -d) sed -i "/tcp $7$/d" {state}/ports;; esac',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(_commands, "LOCAL_PATH", f"{tmp_path}:{os.environ['PATH']}")
    # the program itself is looked up in the path of this process
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return state


def _params(**over: Any) -> dict[str, Any]:
    return {"booleans": [], "ports": [], "restarts": [], **over}


def test_a_boolean_and_a_port_are_set_and_put_back(recorded_programs: Path, tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"), "run")
    before = (recorded_programs / "ports").read_text()
    params = _params(
        booleans=[{"name": "httpd_use_openstack", "value": True, "subject": ""}],
        ports=[{"port": 5001, "type": "http_port_t", "subject": ""}],
    )
    assert selinux_settings.apply(journal, params, True)["changed"]
    assert (recorded_programs / "httpd_use_openstack").read_text() == "off\n"
    assert selinux_settings.apply(journal, params, False)["changed"]
    assert (recorded_programs / "httpd_use_openstack").read_text() == "on\n"
    assert _selinux.port_types(5001) == ["unreserved_port_t", "http_port_t"]
    assert not selinux_settings.apply(journal, params, False)["changed"]
    assert {outcome["status"] for outcome in journal.undo(check_mode=False)} == {"restored"}
    assert (recorded_programs / "httpd_use_openstack").read_text() == "off\n"
    assert (recorded_programs / "ports").read_text() == before


def test_a_port_of_others_keeps_its_type(recorded_programs: Path, tmp_path: Path) -> None:
    params = _params(ports=[{"port": 5000, "type": "http_port_t", "subject": ""}])
    with pytest.raises(selinux_settings.ChangeFailed, match="commplex_main_port_t"):
        selinux_settings.apply(Journal(str(tmp_path / "journal"), "run"), params, False)


def test_a_boolean_that_is_not_there(recorded_programs: Path, tmp_path: Path) -> None:
    params = _params(booleans=[{"name": "no_such_boolean", "value": True, "subject": ""}])
    with pytest.raises(selinux_settings.ChangeFailed, match="no boolean"):
        selinux_settings.apply(Journal(str(tmp_path / "journal"), "run"), params, False)


@pytest.mark.parametrize(
    ("properties", "state"),
    [
        ({"ActiveState": "failed", "NRestarts": "5", "ActiveEnterTimestampMonotonic": "0"}, "failed"),
        ({"ActiveState": "active", "NRestarts": "4", "ActiveEnterTimestampMonotonic": "98000000"}, "restarting"),
        ({"ActiveState": "active", "NRestarts": "4", "ActiveEnterTimestampMonotonic": "60000000"}, "active"),
        ({"ActiveState": "active", "NRestarts": "0", "ActiveEnterTimestampMonotonic": "98000000"}, "active"),
        ({}, ""),
    ],
)
def test_a_service_that_fails_again_and_again_is_not_active(properties: dict[str, str], state: str) -> None:
    assert reader.state_of(properties, 100.0) == state
