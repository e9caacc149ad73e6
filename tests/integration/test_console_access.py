# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of the kernel's own packet filter, in a network namespace that ends with the test: read, judged, added, taken away."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("unshare", "iptables", "nft")
_MISSING = [name for name in NEEDED if not shutil.which(name)]
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or bool(_MISSING),
    reason=f"a packet filter of its own needs root and {', '.join(NEEDED)} (missing: {', '.join(_MISSING) or 'none'})",
)

IPTABLES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:CONSOLES - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -j CONSOLES
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A CONSOLES -s 10.3.0.0/16 -j RETURN
-A CONSOLES -s 10.0.0.0/8 -p tcp -m multiport --dports 5900:6100,7000 -j REJECT --reject-with icmp-port-unreachable
COMMIT
"""
NFT = """\
table inet filter {
	set trusted {
		type ipv4_addr
		elements = { 10.1.1.1 }
	}

	chain input {
		type filter hook input priority 10; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "lo" accept
		tcp dport { 22, 5900-5910 } ip saddr @trusted accept
		ip saddr 10.2.0.0/16 tcp dport 5900-6100 counter reject with icmp type host-prohibited
	}
}
"""


def _in_namespace(program: str, tmp_path: Path) -> Any:
    """What a program prints as JSON, run where its rules are nobody else's; the files of rules are in tmp_path."""
    begin = f"""
    import json, subprocess
    from ansible_collections.stackmend.openstack.plugins.module_utils import _console_access, _firewall
    from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import firewall
    from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
    from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal

    firewall.FILES = {{"iptables": ("{tmp_path}/rules.v4",), "ip6tables": (), "nft": ("{tmp_path}/nftables.conf",)}}
    journal = Journal("{tmp_path}/journal", "run")

    def load(command, text):
        subprocess.run(command, input=text, text=True, check=True)

    def listed():
        return [subprocess.run(argv, capture_output=True, text=True, check=True).stdout for argv in (
            ["iptables-save", "-t", "filter"], ["nft", "list", "table", "inet", "filter"])]

    def wish(source):
        return {{"source": source, "first": 5900, "last": 6100, "address": "", "interface": "", "subject": "s"}}

    load(["iptables-restore"], {IPTABLES!r})
    load(["nft", "-f", "-"], {NFT!r})
    """
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _still(listings: list[str]) -> list[str]:
    """Without comments and counters, which change by themselves."""
    return [re.sub(r"^#.*\n|\[\d+:\d+\]| packets \d+ bytes \d+", "", text, flags=re.M) for text in listings]


def test_each_base_chain_is_judged_in_the_order_of_its_rules(tmp_path: Path) -> None:
    said = _in_namespace(
        """
        rules = [entry for entry in firewall.read(Tree())["rules"] if entry["tool"] != "ip6tables"]
        said = {}
        for source in ("10.1.1.1", "10.2.3.4", "10.3.1.1", "192.168.1.1"):
            for port in (22, 5900, 6000):
                verdicts = [_firewall.judge(entry, _firewall.Connection(source, "", port)) for entry in rules]
                said[f"{source} {port}"] = [verdict.action for verdict in verdicts]
        print(json.dumps(said))
        """,
        tmp_path,
    )
    assert said == {
        "10.1.1.1 22": ["accept", "accept"],
        "10.1.1.1 5900": ["reject", "accept"],
        "10.1.1.1 6000": ["reject", "drop"],
        "10.2.3.4 22": ["accept", "drop"],
        "10.2.3.4 5900": ["reject", "reject"],
        "10.2.3.4 6000": ["reject", "reject"],
        "10.3.1.1 22": ["accept", "drop"],
        "10.3.1.1 5900": ["reject", "drop"],
        "10.3.1.1 6000": ["reject", "drop"],
        "192.168.1.1 22": ["accept", "drop"],
        "192.168.1.1 5900": ["reject", "drop"],
        "192.168.1.1 6000": ["reject", "drop"],
    }


def test_a_proxy_is_let_through_in_force_and_in_the_files_and_taken_out_again(tmp_path: Path) -> None:
    files = {"rules.v4": IPTABLES, "nftables.conf": NFT}
    for name, text in files.items():
        Path(tmp_path, name).write_text(text)
    said = _in_namespace(
        """
        before = listed()
        wishes = [wish("10.2.3.4"), wish("192.168.1.1")]
        tried = _console_access.admit(journal, wishes, True)
        checked = listed()
        done = _console_access.admit(journal, wishes, False)
        now = listed()
        again = _console_access.admit(journal, wishes, False)
        kept = [open(path).read() for paths in firewall.FILES.values() for path in paths]
        # What the files hold is what is in force.
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        load(["iptables-restore"], kept[0])
        load(["nft", "-f", "-"], kept[1])
        loaded = listed()
        undone = journal.undo(check_mode=False)
        print(json.dumps({"before": before, "checked": checked, "now": now, "loaded": loaded, "after": listed(), "undone": undone,
                          "tried": tried, "done": done, "again": again}))
        """,
        tmp_path,
    )
    assert _still(said["checked"]) == _still(said["before"]), "a check changes nothing"
    assert said["tried"] == said["done"], "and shows what is then done"
    assert said["done"]["warnings"] == said["done"]["left"] == []
    assert not said["again"]["changed"]
    assert _still(said["loaded"]) == _still(said["now"])
    assert [listing.count("stackmend console_access") for listing in said["now"]] == [2, 2]
    assert {entry["status"] for entry in said["undone"]} == {"restored"}
    assert _still(said["after"]) == _still(said["before"])
    assert {name: Path(tmp_path, name).read_text() for name in files} == files


def test_a_rule_that_cannot_be_judged_is_left_alone_and_so_is_a_host_that_keeps_no_file(tmp_path: Path) -> None:
    said = _in_namespace(
        """
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        lines = ["*filter", ":INPUT ACCEPT", "-A INPUT -m mark --mark 0x7 -j DROP", "-A INPUT -p tcp --dport 5900:5999 -j DROP"]
        load(["iptables-restore"], chr(10).join([*lines, "COMMIT", ""]))
        unsure = _console_access.admit(journal, [wish("10.2.3.4")], False)
        subprocess.run(["iptables", "-D", "INPUT", "1"], check=True)
        kept_nowhere = _console_access.admit(journal, [wish("10.2.3.4")], False)
        print(json.dumps({"unsure": unsure, "kept nowhere": kept_nowhere}))
        """,
        tmp_path,
    )
    assert not said["unsure"]["changed"]
    assert "--mark 0x7" in said["unsure"]["left"][0]["reason"]
    assert said["kept nowhere"]["changed"]
    assert "no file was found" in said["kept nowhere"]["warnings"][0]
