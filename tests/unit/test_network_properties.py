# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the files of a host's network hold, they are read, and the kernel's routes are read as it was given them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import network_managers
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.texts import FEW, LONG_SETTINGS, SETTINGS, long, near

WORDS = (
    *(
        "auto",
        "allow-hotplug eth0",
        "iface eth0 inet dhcp",
        "iface",
        "eth0",
        "inet",
        "static",
        "gateway",
        "192.0.2.1",
        "source",
    ),
    *(
        "source-directory interfaces.d",
        "mapping",
        "[Match]",
        "[Network]",
        "[Route]",
        "Name=eth*",
        "Name=[",
        "Gateway=192.0.2.1",
    ),
    *(
        "DHCP=yes",
        "[Link]",
        "Unmanaged=yes",
        "[connection]",
        "interface-name=eth0",
        "[ipv4]",
        "address1=192.0.2.5/24,192.0.2.1",
    ),
    *(
        "method=auto",
        "DEVICE=eth0",
        "ONBOOT=yes",
        "GATEWAY='192.0.2.1'",
        "BOOTPROTO=dhcp",
        "=",
        "\\\n",
        "../..",
        "*",
        "/",
    ),
)
FILES = (
    "etc/network/interfaces",
    "etc/network/interfaces.d/x",
    "etc/systemd/network/a.network",
    "etc/NetworkManager/system-connections/a",
    "etc/sysconfig/network-scripts/ifcfg-a",
    "etc/sysconfig/network/ifcfg-a",
)


def _read(text: str) -> dict[str, dict[str, dict[str, object]]]:
    with tempfile.TemporaryDirectory() as root:
        for path in FILES:
            Path(root, path).parent.mkdir(parents=True, exist_ok=True)
            Path(root, path).write_bytes(text.encode("utf-8", "surrogateescape"))
        for unit in network_managers.UNITS.values():
            wanted = Path(root, "etc/systemd/system/multi-user.target.wants", unit)
            wanted.parent.mkdir(parents=True, exist_ok=True)
            wanted.touch()
        try:
            found = network_managers.read(Tree(root), {})["managers"]
        except Unavailable:
            return {}
    assert len(found) == len(network_managers.UNITS)
    return {manager["name"]: manager["configured"] for manager in found}


@SETTINGS
@given(near(*WORDS))
def test_any_text_is_a_configuration(text: str) -> None:
    for configured in _read(text).values():
        for entry in configured.values():
            assert sorted(entry) == ["dhcp", "gateways", "paths"]


@LONG_SETTINGS
@given(long(*(word for word in WORDS if "source" not in word), "\n"))
def test_long_files_are_read_in_one_go(text: str) -> None:
    _read(text)


def test_a_line_of_interfaces_may_go_on_in_the_next() -> None:
    found = _read("auto \\\n eth0\niface eth0 inet \\\n static\n gateway \\\n 192.0.2.1\n")["ifupdown"]
    assert found["eth0"]["gateways"] == ["192.0.2.1"]


ROUTE_WORDS = (
    "default",
    "via",
    "inet6",
    "192.0.2.1",
    "dev",
    "eth0",
    "metric",
    "100",
    "proto",
    "static",
    "onlink",
    "linkdown",
)


@SETTINGS
@given(near(*ROUTE_WORDS))
def test_any_line_is_a_route_or_none(text: str) -> None:
    for line in [text, f"default {text}"]:
        route = network_managers.parse_route("4", line)
        assert bool(route) == line.startswith("default")
        assert not route or route["metric"] >= 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("default via inet6 fe80::1 dev eth0 proto static metric 5", ("eth0", "fe80::1", 5, "static")),
        ("default via 192.0.2.1 dev eth0 onlink metric 100", ("eth0", "192.0.2.1", 100, "boot")),
        ("default nhid 8 via 192.0.2.1 dev eth0 linkdown", ("eth0", "192.0.2.1", 0, "boot")),
        ("default dev eth0 scope link metric", ("eth0", "", 0, "boot")),
        ("default dev eth0 metric ²", ("eth0", "", 0, "boot")),
    ],
)
def test_a_route_that_was_once_misread(line: str, expected: tuple[str, str, int, str]) -> None:
    route = network_managers.parse_route("4", line)
    assert (route["interface"], route["gateway"], route["metric"], route["protocol"]) == expected


GATEWAY = st.sampled_from(["192.0.2.1", "192.0.2.2", "inet6 fe80::1", ""])
GIVEN = st.tuples(
    GATEWAY, st.sampled_from(["eth0", "eth1"]), st.integers(0, 5000), st.sampled_from(["static", "dhcp", "boot", "77"]),
    st.sampled_from(["", "onlink", "src 192.0.2.5", "mtu 1400 advmss 1360", "initcwnd 20"]),
)  # fmt: skip
SETUP = (
    "set -e; ip link add eth0 type veth peer name eth1; for n in 0 1; do "
    "ip address add 192.0.2.$((n + 5))/24 dev eth$n; ip link set eth$n up; done; "
)


def _in_a_namespace(script: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "-n", "sh", "-c", SETUP + script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def namespace() -> None:
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("routes of its own need root, unshare and ip")
    tried = _in_a_namespace("true")
    if tried.returncode:
        pytest.skip(f"interfaces of its own cannot be made here: {tried.stderr.strip()}")


@FEW
@given(st.lists(GIVEN, min_size=1, max_size=3, unique_by=lambda route: route[2]))
@pytest.mark.usefixtures("namespace")
def test_the_kernels_routes_are_read_as_it_was_given_them(given_routes: list[tuple[str, str, int, str, str]]) -> None:
    adds = [
        f"ip -4 route add default {f'via {via}' if via else ''} dev {dev} proto {proto} metric {metric} {more}"
        for via, dev, metric, proto, more in given_routes
    ]
    run = _in_a_namespace("; ".join([*adds, "ip -4 route show default"]))
    if run.returncode:
        assert any(not via and more == "onlink" for via, _dev, _metric, _proto, more in given_routes), run.stderr
        return
    found = [network_managers.parse_route("4", line) for line in run.stdout.splitlines()]
    assert sorted((r["gateway"], r["interface"], r["metric"], r["protocol"]) for r in found) == sorted(
        (via.rpartition(" ")[2], dev, metric, proto) for via, dev, metric, proto, _more in given_routes
    )
