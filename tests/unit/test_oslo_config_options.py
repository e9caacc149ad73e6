# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bundled tables say of a release what that release registers."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _options

# FAULTS.md 1.3, enum-34.txt and enum-zed.txt
CHOICES = {
    "nova 34 virt_type": ("nova", 34, "libvirt", "virt_type", ["kvm", "lxc", "qemu", "parallels"]),
    "nova 26 virt_type": ("nova", 26, "libvirt", "virt_type", ["kvm", "lxc", "qemu", "parallels"]),
    "nova 26 auth_strategy": ("nova", 26, "api", "auth_strategy", ["keystone", "noauth2"]),
    "nova 31 auth_strategy": ("nova", 31, "api", "auth_strategy", ["keystone", "noauth2"]),
    "nova 34 rx_queue_size": ("nova", 34, "libvirt", "rx_queue_size", [256, 512, 1024]),
    "nova 34 concurrency_backend": ("nova", 34, "DEFAULT", "concurrency_backend", ["auto", "threading", "eventlet"]),
    "nova 34 cpu_mode": ("nova", 34, "libvirt", "cpu_mode", ["host-model", "host-passthrough", "custom", "none"]),
    "nova 34 pointer_model": ("nova", 34, "DEFAULT", "pointer_model", ["ps2mouse", "usbtablet"]),
    "nova 26 unique names": (
        "nova",
        26,
        "DEFAULT",
        "osapi_compute_unique_server_name_scope",
        ["", "project", "global"],
    ),
    "keystone 30 hash": (
        "keystone",
        30,
        "identity",
        "password_hash_algorithm",
        ["bcrypt", "bcrypt_sha256", "scrypt", "pbkdf2_sha512"],
    ),
    "keystone 30 safe names": ("keystone", 30, "resource", "project_name_url_safe", ["off", "new", "strict"]),
    "placement 16 auth_strategy": ("placement", 16, "api", "auth_strategy", ["keystone", "noauth2"]),
    "neutron 29 dhcp_load_type": ("neutron", 29, "DEFAULT", "dhcp_load_type", ["networks", "subnets", "ports"]),
    "glance 33 engine_mode": ("glance", 33, "taskflow_executor", "engine_mode", ["serial", "parallel"]),
}


@pytest.mark.parametrize(("project", "release", "group", "option", "choices"), CHOICES.values(), ids=CHOICES)
def test_the_choices_of_an_option(project, release, group, option, choices):
    found = _options.bundled(project, release).options[group][option]["choices"]
    assert sorted(map(str, found)) == sorted(map(str, choices))


def test_the_items_of_a_list_have_choices():
    assert _options.bundled("nova", 34).options["vnc"]["auth_schemes"]["item"] == {
        "type": "string",
        "choices": ["none", "vencrypt"],
    }


def test_a_removed_option_is_known_with_its_last_release():
    table = _options.bundled("nova", 34)
    assert "auth_strategy" not in table.options["api"]
    assert table.others["api"]["auth_strategy"][1] == 31
    assert table.others["DEFAULT"]["enabled_apis"][1] == 31


def test_an_option_that_is_yet_to_come_is_known_with_its_first_release():
    table = _options.bundled("nova", 26)
    assert "response_validation" not in table.options["api"]
    assert table.others["api"]["response_validation"][0] > 26


def test_libraries_options_are_known_at_every_release():
    for project in ("nova", "neutron", "glance", "keystone"):
        for release in (_options.releases(project)[0], _options.releases(project)[-1]):
            options = _options.bundled(project, release).options
            assert options["oslo_messaging_rabbit"]["rabbit_quorum_queue"]["type"] == "bool"
            assert "log_rotation_type" in options["DEFAULT"]


def test_options_of_authentication_plugins_are_known():
    plugins = _options.bundled("nova", 31).auth_plugins
    assert {"username", "password", "project_domain_name", "application_credential_id"} <= set(plugins)


@pytest.mark.parametrize(
    ("project", "releases"),
    {
        "nova": {26, 27, 29, 31, 32, 33, 34},
        "neutron": {21, 22, 24, 26, 27, 28, 29},
        "keystone": {22, 23, 25, 27, 28, 29, 30},
        "glance": {25, 26, 28, 30, 31, 32, 33},
        "placement": {8, 9, 11, 13, 14, 15, 16},
    }.items(),
)
def test_the_tables_cover_zed_to_2026_2(project, releases):
    assert releases <= set(_options.releases(project))


def test_the_tables_are_small_enough_to_ship_to_every_host():
    size = sum(path.stat().st_size for path in Path(_options.__file__).parent.glob("_options_*.py"))
    assert size < 300_000
