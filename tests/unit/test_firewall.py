# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A packet filter is judged rule by rule, and what cannot be judged is not guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _firewall
from ansible_collections.stackmend.openstack.plugins.module_utils._ceph_reweight import step, why_not
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import consoles
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable

PROXY = _firewall.Connection("192.0.2.11", "192.0.2.21", 5900, "eth0")
REJECT = "-A INPUT -j REJECT --reject-with icmp-host-prohibited"


def _iptables(*rules: str, policy: str = "ACCEPT", chains: tuple[str, ...] = ()) -> dict[str, Any]:
    lines = ["*nat", ":INPUT DROP", "-A INPUT -j DROP", "COMMIT", "*filter", f":INPUT {policy} [0:0]"]
    return _firewall.parse_iptables("\n".join([*lines, *(f":{name} - [0:0]" for name in chains), *rules, "COMMIT"]))


CASES = {
    "nothing": ((), "accept"),
    "a REJECT of all": ((REJECT,), "reject"),
    "counted rules": (("[12:720] " + REJECT,), "reject"),
    "an ACCEPT after the REJECT has no effect": (
        (REJECT, "-A INPUT -p tcp -m tcp --dport 5900:6100 -j ACCEPT"),
        "reject",
    ),
    "an ACCEPT of all sources": (("-A INPUT -p tcp -m tcp --dport 5900:6100 -j ACCEPT", REJECT), "accept"),
    "an ACCEPT of the proxy": (("-A INPUT -s 192.0.2.11/32 -p tcp --dport 5900:6100 -j ACCEPT", REJECT), "accept"),
    "an ACCEPT of another": (("-A INPUT -s 192.0.2.12/32 -p tcp --dport 5900:6100 -j ACCEPT", REJECT), "reject"),
    "an ACCEPT of all but another": (("-A INPUT ! -s 192.0.2.12/32 -j ACCEPT", REJECT), "accept"),
    "an ACCEPT of other ports": (("-A INPUT -p tcp -m multiport --dports 22,6000:6100 -j ACCEPT", REJECT), "reject"),
    "an ACCEPT of some ports": (("-A INPUT -p tcp -m multiport --dports 22,5900:5999 -j ACCEPT", REJECT), "accept"),
    "an ACCEPT on loopback": (("-A INPUT -i lo -j ACCEPT", REJECT), "reject"),
    "an ACCEPT of what is established": (("-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT", REJECT), "reject"),
    "an ACCEPT of udp": (("-A INPUT -p udp -m udp --dport 5900 -j ACCEPT", REJECT), "reject"),
    "an ACCEPT on the interface": (("-A INPUT -i eth+ -j ACCEPT", REJECT), "accept"),
    "an ACCEPT of a range": (("-A INPUT -m iprange --src-range 192.0.2.10-192.0.2.12 -j ACCEPT", REJECT), "accept"),
    "a DROP of what is invalid": (("-A INPUT -m conntrack --ctstate INVALID -j DROP",), "accept"),
    "a DROP of packets that begin nothing": (
        ("-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",),
        "accept",
    ),
    "a log": (('-A INPUT -j LOG --log-prefix "denied: "',), "accept"),
    "a mark that cannot be seen": (("-A INPUT -m mark --mark 0x1 -j ACCEPT", REJECT), "unsure"),
    "a mark on another port": (("-A INPUT -p tcp -m tcp --dport 22 -m mark --mark 0x1 -j DROP",), "accept"),
    "neutron's rules for guests": (("-A INPUT -m physdev --physdev-in tap1 --physdev-is-bridged -j DROP",), "accept"),
}


@pytest.mark.parametrize("case", CASES)
def test_iptables_is_judged_as_the_kernel_does(case: str) -> None:
    rules, action = CASES[case]
    assert _firewall.judge(_iptables(*rules), PROXY).action == action


def test_chains_are_followed_and_left() -> None:
    rules = _iptables(
        "-A INPUT -j FIRST",
        "-A INPUT -g SECOND",
        REJECT,
        "-A FIRST -s 192.0.2.0/24 -j RETURN",
        "-A FIRST -j DROP",
        "-A SECOND -p tcp -m tcp --dport 22 -j DROP",
        policy="DROP",
        chains=("FIRST", "SECOND", "UNUSED"),
    )
    assert _firewall.judge(rules, PROXY) == ("drop", "INPUT", None), "a goto comes back to whoever called its caller"
    verdict = _firewall.judge(rules, PROXY._replace(source="198.51.100.1"))
    assert (verdict.action, verdict.chain, verdict.text) == ("drop", "FIRST", "-A FIRST -j DROP")
    assert sorted(_firewall.relevant(rules)["chains"]) == ["FIRST", "INPUT", "SECOND"]


def test_what_names_an_address_that_is_not_known_is_not_judged() -> None:
    rules = _iptables("-A INPUT -d 192.0.2.21/32 -j DROP")
    assert _firewall.judge(rules, PROXY).action == "drop"
    assert _firewall.judge(rules, PROXY._replace(destination="")).action == "unsure"


def test_what_is_no_list_of_rules_is_said() -> None:
    with pytest.raises(Unavailable, match="line 3"):
        _firewall.parse_iptables('*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment "open\n')
    with pytest.raises(Unavailable, match="nft"):
        _firewall.parse_nft(json.dumps({"nftables": [{"rule": {"family": "inet", "table": "t", "chain": "c"}}]}))


def test_a_rule_finds_its_place_in_a_file_of_nft() -> None:
    text = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0;\n\t\tcounter reject\n\t}\n}\n"
    before = _firewall.insert_nft_line(text, ["inet", "filter"], "input", "NEW", "counter packets 3 bytes 9 reject")
    assert before == text.replace("\t\tcounter", "\t\tNEW\n\t\tcounter")
    at_end = _firewall.insert_nft_line(text, ["inet", "filter"], "input", "NEW", None)
    assert at_end == text.replace("reject\n", "reject\n\t\tNEW\n")
    assert _firewall.insert_nft_line(text, ["ip", "filter"], "input", "NEW", None) is None


DOMAIN = """<domstatus state='running'><domain type='qemu' id='1'><name>instance-1</name><uuid>u-1</uuid>{metadata}
<devices><graphics type='{type}' port='{port}' autoport='yes' listen='0.0.0.0'><listen type='address' address='0.0.0.0'/>
</graphics></devices></domain></domstatus>"""
NOVA = "<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>"


def test_only_vnc_consoles_of_novas_servers_are_consoles(tmp_path: Path) -> None:
    directory = tmp_path / "run/libvirt/qemu"
    directory.mkdir(parents=True)
    for name, values in {
        "vnc": {"metadata": NOVA, "type": "vnc", "port": "5901"},
        "spice": {"metadata": NOVA, "type": "spice", "port": "5902"},
        "socket": {"metadata": NOVA, "type": "vnc", "port": "-1"},
        "foreign": {"metadata": "", "type": "vnc", "port": "5903"},
    }.items():
        (directory / f"{name}.xml").write_text(DOMAIN.format(**values))
    assert consoles.guests(Tree(str(tmp_path))) == [{"server": "u-1", "listen": "0.0.0.0", "port": 5901}]
    (directory / "half.xml").write_text("<domstatus>")
    with pytest.raises(Unavailable, match=r"half\.xml"):
        consoles.guests(Tree(str(tmp_path)))


def test_a_step_of_ceph_is_small_and_takes_the_fullest() -> None:
    osds = [{"id": n, "utilization": 90.0 - n, "reweight": w} for n, w in enumerate((0.82, 1, 0.9, 1, 1, 1))]
    cluster = {"ratios": {"nearfull": 0.85}, "osds": osds, "checks": {}, "flags": [], "unclean": 0, "balancer": False}
    assert step(cluster) == [{"osd": 1, "expect": 1, "weight": 0.95}, {"osd": 2, "expect": 0.9, "weight": 0.85}]
    assert why_not(cluster) == ""
