# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who manages which interface is read from each manager's own files, in its own way."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import network_managers as reader
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.modules import interface_release


def _tree(root: Path, files: dict[str, str]) -> Tree:
    for path, text in files.items():
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).write_text(text)
    return Tree(str(root))


@pytest.mark.parametrize(
    ("line", "metric", "gateway", "words"),
    [
        ("default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.9 metric 100 ", 100, "192.0.2.1", 11),
        ("default via 192.0.2.1 dev eth0 onlink linkdown", 0, "192.0.2.1", 6),
        ("default dev ppp0 scope link", 0, "", 5),
        ("default proto static ", 0, "", 3),
    ],
)
def test_a_default_route(line: str, metric: int, gateway: str, words: int) -> None:
    route = reader.parse_route("4", line)
    assert (route["metric"], route["gateway"], len(route["words"])) == (metric, gateway, words)


def test_the_next_hops_of_one_route_are_no_routes() -> None:
    assert reader.parse_route("4", "\tnexthop via 192.0.2.1 dev eth0 weight 1") == {}


def test_enabled_managers_of_a_directory(tmp_path: Path) -> None:
    wants = "/etc/systemd/system/multi-user.target.wants"
    tree = _tree(
        tmp_path,
        {
            f"{wants}/systemd-networkd.service": "",
            f"{wants}/networking.service": "",
            "/etc/systemd/network/10-eth0.network": "[Match]\nName=eth0\n[Network]\nDHCP=no\nGateway=192.0.2.1\n",
            "/etc/systemd/network/20-left.network": "[Match]\nName=eth1\n[Link]\nUnmanaged=yes\n",
            "/etc/network/interfaces": "source interfaces.d/*\nauto lo eth0\niface lo inet loopback\n",
            "/etc/network/interfaces.d/a": "iface eth0 inet static\n  gateway 192.0.2.2\niface eth9 inet dhcp\n",
        },
    )
    reading = reader.read(tree, {"network_manager": "ifupdown"})
    assert [(m["name"], m["interfaces"], m["active"]) for m in reading["managers"]] == [
        ("systemd-networkd", ["eth0"], False),
        ("ifupdown", ["eth0"], False),
    ]
    assert [m["configured"]["eth0"]["gateways"] for m in reading["managers"]] == [["192.0.2.1"], ["192.0.2.2"]]
    assert (reading["keep"], reading["routes"]) == ("ifupdown", [])


def test_network_scripts_and_keyfiles(tmp_path: Path) -> None:
    tree = _tree(
        tmp_path,
        {
            "/etc/sysconfig/network-scripts/ifcfg-eth0": 'DEVICE="eth0"\nONBOOT=yes\nGATEWAY=192.0.2.1\n',
            "/etc/sysconfig/network-scripts/ifcfg-eth1": "ONBOOT=no\n",
            "/etc/NetworkManager/system-connections/a.nmconnection": "[connection]\ninterface-name=eth0\n"
            "[ipv4]\naddress1=192.0.2.9/24,192.0.2.2\nmethod=manual\n",
        },
    )
    assert reader._CONFIGURED["network-scripts"](tree, [])["eth0"]["gateways"] == ["192.0.2.1"]
    assert list(reader._CONFIGURED["network-scripts"](tree, [])) == ["eth0"]
    assert reader._CONFIGURED["NetworkManager"](tree, [])["eth0"]["gateways"] == ["192.0.2.2"]


def test_an_interface_is_released_and_its_stanza_stays(tmp_path: Path) -> None:
    text = "auto lo eth0 eth1\nallow-hotplug eth0\niface eth0 inet dhcp\n"
    tree = _tree(tmp_path, {"/etc/network/interfaces": text})
    edits = interface_release._edits(tree, "ifupdown", "eth0")
    assert edits == {"/etc/network/interfaces": "auto lo eth1\niface eth0 inet dhcp\n"}
    assert interface_release._edits(tree, "ifupdown", "eth7") == {}
    assert "Unmanaged=yes" in str(interface_release._edits(tree, "systemd-networkd", "eth0"))


def test_the_network_of_a_directory_is_not_changed(tmp_path: Path) -> None:
    from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal

    params = {"released": [], "state": "released", "restore_seconds": 120}
    with pytest.raises(interface_release.ChangeFailed, match="directory"):
        interface_release.apply(Journal("/journal", "run", str(tmp_path)), params, False)
