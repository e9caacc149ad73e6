# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a packet filter's rules are, they are read as the real programs read them and judged as the kernel decides."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _firewall
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.texts import FEW, LONG_SETTINGS, SETTINGS, long, near

PROXY = _firewall.Connection("192.0.2.11", "192.0.2.21", 5900, "eth0")
SIX = _firewall.Connection("2001:db8::11", "", 5900)
ACTIONS = ("accept", "drop", "reject", "unsure")

WORDS = (
    *(
        "*filter",
        "*nat",
        "COMMIT",
        ":INPUT",
        ":A - [0:0]",
        "ACCEPT",
        "DROP",
        "[0:0]",
        "-A INPUT",
        "-A A",
        "-A",
        "[1:2]",
    ),
    *(
        "-s",
        "-d",
        "192.0.2.11",
        "192.0.2.0/24",
        "10.0.0.0/255.0.255.0",
        "a.example",
        "::1",
        "192.0.2.1-::1",
        "-i",
        "eth+",
    ),
    *("-p tcp", "--dport", "5900", "ssh", "5000:", ":80", "--tcp-flags", "SYN", "--src-range", "!", "-m comment"),
    *("--comment", '"a b"', '"a \\" b"', '"', "-j", "-g", "A", "RETURN", "REJECT", "LOG", "--reject-with", "x"),
)


def _judged(rules: dict[str, Any]) -> None:
    assert all(_firewall.judge(rules, connection).action in ACTIONS for connection in (PROXY, SIX))
    json.dumps(_firewall.relevant(rules))


@SETTINGS
@given(near(*WORDS).map(lambda text: f"*filter\n:INPUT ACCEPT [0:0]\n{text}"))
def test_any_text_is_rules_of_iptables_or_is_refused(text: str) -> None:
    try:
        rules = _firewall.parse_iptables(text)
    except Unavailable:
        return
    _judged(rules)
    verdict = _firewall.judge(rules, PROXY)
    if verdict.action in ("drop", "reject"):
        line = _firewall.iptables_line(verdict.chain, _firewall.iptables_words(PROXY.source, PROXY.port, PROXY.port))
        try:
            after = _firewall.insert_iptables_line(text, line, verdict)
        except Unavailable:
            assert verdict.rule is None
            return
        assert sorted(after.split("\n")) == sorted([*text.split("\n"), line])
        _firewall.parse_iptables(after)


@LONG_SETTINGS
@given(
    long(*WORDS, "\n-A INPUT -j A", "\n:A - [0:0]").map(lambda text: f"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT {text}")
)
def test_long_rules_of_iptables_are_read_in_one_go(text: str) -> None:
    try:
        _judged(_firewall.parse_iptables(text))
    except Unavailable:
        pass


def test_chains_that_lead_to_one_another_are_gone_through_once() -> None:
    lines = [line for n in range(30) for line in (f":C{n} - [0:0]", *[f"-A C{n} -j C{n + 1}"] * 2)]
    rules = _firewall.parse_iptables("\n".join(["*filter", ":INPUT DROP [0:0]", "-A INPUT -j C0", *lines, ":C30 -"]))
    assert _firewall.judge(rules, PROXY).action == "drop"


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ("-A INPUT -s 10.0.0.0/255.0.255.0 -j DROP", "unsure"),
        ("-A INPUT -s proxy.example -j DROP", "unsure"),
        ("-A INPUT -m iprange --src-range 192.0.2.1-::1 -j DROP", "accept"),
        ("-A INPUT -p tcp -m tcp --dport ² -j DROP", "unsure"),
        ("-A INPUT -p tcp -m tcp --dport ssh -j DROP", "accept"),
        ("-A INPUT -m comment --comment it's -j DROP", "drop"),
        ('-A INPUT -m comment --comment "it\\\'s \\"so\\"" -j DROP', "drop"),
        ("-A INPUT -m comment --comment -s -j DROP", "drop"),
        ("-A INPUT -m comment --comment a\u2028b -j DROP", "drop"),
        ("-A INPUT --jump DROP", "drop"),
        ("-A INPUT -m addrtype ! --dst-type LOCAL -j DROP", "accept"),
        ("-A INPUT -m addrtype --dst-type BROADCAST -j DROP", "accept"),
        ("-A INPUT -p tcp -m tcp --tcp-flags FIN,ACK NONE -j DROP", "drop"),
    ],
)
def test_a_rule_that_was_once_misread(rule: str, action: str) -> None:
    rules = _firewall.parse_iptables(f"*filter\n:INPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n")
    assert _firewall.judge(rules, PROXY).action == action


@pytest.mark.parametrize("text", [":INPUT", "-A INPUT\n:", '-A "', '-A INPUT -m comment --comment "open'])
def test_a_line_that_is_none_is_named(text: str) -> None:
    with pytest.raises(Unavailable, match=r"line \d+ of the rules of iptables cannot be read"):
        _firewall.parse_iptables(f"*filter\n{text}\n")


# -- nft ---------------------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    ["chain", "rule", "set", "map", "family", "table", "name",
     "handle", "expr", "match", "left", "right", "op", "meta", "payload", "key",
     "protocol", "field", "prefix", "addr", "len",
     "range", "jump", "target", "vmap", "data", "elem", "val", "policy", "hook", "type", "prio", "ct"]
)  # fmt: skip
LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 99999), st.text(max_size=3), KEYS,
    st.sampled_from(["inet", "ip", "t", "c", "input", "filter", "accept", "==", "!=", "in", "new", "tcp", "dport", "@s", "drop"]),
)  # fmt: skip
JSON = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4))
)
LEFT = st.sampled_from(
    [
        {"payload": {"protocol": "tcp", "field": "dport"}},
        {"payload": {"protocol": "ip", "field": "saddr"}},
        {"meta": {"key": "l4proto"}},
        {"meta": {"key": "iifname"}},
        {"ct": {"key": "state"}},
    ]
)
EXPRESSION = st.one_of(
    JSON,
    st.builds(
        lambda op, left, right: {"match": {"op": op, "left": left, "right": right}},
        st.sampled_from(["==", "!=", "in"]),
        st.one_of(LEFT, JSON),
        JSON,
    ),
    st.builds(lambda key, data: {"vmap": {"key": {"ct": {"key": key}}, "data": data}}, st.just("state"), JSON),
    st.dictionaries(st.sampled_from(["jump", "goto", "accept", "reject", "queue"]), JSON, max_size=1),
)
RULE = st.lists(EXPRESSION, max_size=3).map(
    lambda expr: {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 5, "expr": expr}}
)
CHAIN = {
    "chain": {
        "family": "inet",
        "table": "t",
        "name": "c",
        "hook": "input",
        "type": "filter",
        "prio": 0,
        "policy": "accept",
    }
}
DOCUMENT = st.lists(st.one_of(RULE, JSON), max_size=4).map(lambda things: json.dumps({"nftables": [CHAIN, *things]}))


@SETTINGS
@given(st.one_of(DOCUMENT, JSON.map(json.dumps), near("[", "{", '"nftables"', ":", "null")))
def test_any_json_is_rules_of_nft_or_is_refused(document: str) -> None:
    try:
        found = _firewall.parse_nft(document)
    except Unavailable:
        return
    for rules in found:
        _judged(rules)


@pytest.mark.parametrize("thing", ["[" * 100_000, '{"nftables": [{}]}', '{"nftables": 1}', "²"])
def test_what_is_no_document_of_nft_is_said(thing: str) -> None:
    with pytest.raises(Unavailable, match="nft"):
        _firewall.parse_nft(thing)


LISTING = (
    "table inet t {",
    "chain c {",
    "}",
    "{",
    "counter packets 3 bytes 9 accept",
    " # handle ",
    "5",
    "type filter",
)


@SETTINGS
@given(near(*LISTING), st.sampled_from([None, "counter accept", "{", ""]))
def test_any_listing_or_file_of_nft_is_read(text: str, before: str | None) -> None:
    assert _firewall.with_nft_texts([{"table": ["inet", "t"], "chains": {"c": {"rules": []}}}], text)
    after = _firewall.insert_nft_line(text, ["inet", "t"], "c", "NEW", before)
    assert after is None or after.replace("NEW\n", "", 1).split() == text.split()


@LONG_SETTINGS
@given(long(*LISTING, "\n"))
def test_long_listings_of_nft_are_read_in_one_go(text: str) -> None:
    _firewall.with_nft_texts([], text)
    _firewall.insert_nft_line(text, ["inet", "t"], "c", "NEW", "counter accept")


# -- the kernel --------------------------------------------------------------------------------------------------------

# Two network namespaces with a cable between them. The inner one has the rules; connections come from the outer one.
CLIENT = """
import errno, json, socket, sys
print("ready", flush=True)
for line in sys.stdin:
    answers = []
    for source, port, seconds in json.loads(line):
        attempt = socket.socket()
        attempt.settimeout(seconds)
        try:
            attempt.bind((source, 0))
            attempt.connect(("192.0.2.21", port))
        except TimeoutError:
            answers.append("drop")
        except OSError as error:
            answers.append({errno.ECONNREFUSED: "accept", errno.EHOSTUNREACH: "reject"}.get(error.errno, str(error)))
        attempt.close()
    print(json.dumps(answers), flush=True)
"""
INNER = """
import json, subprocess, sys
client = subprocess.Popen(["unshare", "-n", sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True)
client.stdout.readline()
def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout
there = ["nsenter", "-t", str(client.pid), "-n"]
run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(client.pid))
run("ip", "address", "add", "192.0.2.21/24", "dev", "here")
run("ip", "link", "set", "here", "up")
run("ip", "route", "add", "198.51.100.0/24", "dev", "here")
for address in ("192.0.2.11/24", "192.0.2.12/24", "198.51.100.1/24"):
    run(*there, "ip", "address", "add", address, "dev", "there")
run(*there, "ip", "link", "set", "there", "up")
with open("/proc/sys/net/ipv4/icmp_ratelimit", "w") as file:
    file.write("0")
print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if "connections" in request:
        client.stdin.write(json.dumps(request["connections"]) + "\\n")
        client.stdin.flush()
        print(client.stdout.readline().strip(), flush=True)
        continue
    run("nft", "flush", "ruleset")
    command = ["nft", "-f", "-"] if request["tool"] == "nft" else ["iptables-restore"]
    done = subprocess.run(command, input=request["text"], capture_output=True, text=True)
    if done.returncode:
        print(json.dumps({"error": done.stderr}), flush=True)
    elif request["tool"] == "nft":
        print(json.dumps({"shown": run("nft", "-j", "list", "ruleset"), "text": run("nft", "-a", "list", "ruleset")}), flush=True)
    else:
        print(json.dumps({"shown": run("iptables-save")}), flush=True)
client.kill()
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    missing = [name for name in ("unshare", "nsenter", "ip", "nft", "iptables-restore") if not shutil.which(name)]
    if missing or os.geteuid():
        pytest.skip(f"a packet filter of its own needs root and {', '.join(missing) or 'no more'}")
    inner = subprocess.Popen(
        ["unshare", "-n", sys.executable, "-c", INNER, CLIENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert inner.stdin
    assert inner.stdout
    assert inner.stderr
    if inner.stdout.readline() != "ready\n":
        pytest.skip(f"network namespaces cannot be made here: {inner.stderr.read().strip()[-200:]}")

    def ask(**request: Any) -> Any:
        inner.stdin.write(json.dumps(request) + "\n")
        inner.stdin.flush()
        return json.loads(inner.stdout.readline())

    yield ask
    inner.stdin.close()
    inner.wait(20)
    for pipe in (inner.stdout, inner.stderr):
        pipe.close()


def _as_the_kernel(kernel: Any, rules: dict[str, Any], asked: list[tuple[str, int]]) -> None:
    expected = []
    for source, port in asked:
        expected.append(_firewall.judge(rules, _firewall.Connection(source, "192.0.2.21", port, "here")).action)
    # No answer is waited for only where none is expected.
    told = kernel(connections=[[s, p, 0.05 if e == "drop" else 5] for (s, p), e in zip(asked, expected, strict=True)])
    assert [(e, t) for e, t in zip(expected, told, strict=True) if e not in ("unsure", t)] == []


NO = st.sampled_from(["", "", "! "])
SOURCE = st.sampled_from(["192.0.2.11", "192.0.2.12", "192.0.2.0/24", "198.51.100.0/30", "0.0.0.0/0"])
TARGET = st.sampled_from(["ACCEPT", "DROP", "REJECT --reject-with icmp-host-prohibited", "A", "B", "RETURN", "LOG"])
IPTABLES_MATCH = st.one_of(
    st.builds("{}-s {}".format, NO, SOURCE),
    st.builds("{}-d {}".format, NO, st.sampled_from(["192.0.2.21", "192.0.2.22"])),
    st.builds("{}-i {}".format, NO, st.sampled_from(["here", "he+", "lo", "eth0"])),
    st.builds("-p tcp -m tcp {}--dport {}".format, NO, st.sampled_from(["5900", "5900:6100", "22", "6000:"])),
    st.builds("-p tcp -m multiport {}--dports {}".format, NO, st.sampled_from(["22,5900", "22,5901:6100"])),
    st.builds(
        "-p tcp -m tcp {}--tcp-flags {}".format,
        NO,
        st.sampled_from(["FIN,SYN,RST,ACK SYN", "ALL NONE", "ACK,FIN NONE"]),
    ),
    st.builds("-p tcp -m tcp {}--syn".format, NO),
    st.builds("{}-p {}".format, NO, st.sampled_from(["tcp", "udp", "icmp", "all"])).filter(lambda m: m != "! -p all"),
    st.builds("-m conntrack {}--ctstate {}".format, NO, st.sampled_from(["NEW", "RELATED,ESTABLISHED", "INVALID,NEW"])),
    st.builds("-m addrtype {}--dst-type {}".format, NO, st.sampled_from(["LOCAL", "BROADCAST", "LOCAL,MULTICAST"])),
    st.builds("-m iprange {}--src-range {}".format, NO, st.just("192.0.2.5-192.0.2.11")),
    st.builds(
        "-m comment --comment {}".format,
        st.sampled_from(["-j", "it's", '"a \\" b"', '"-s x"', "!", '"# x"', '"\u2028"']),
    ),
)
IPTABLES = st.builds(
    lambda policy, rules: "\n".join(["*filter", f":INPUT {policy} [0:0]", ":A - [0:0]", ":B - [0:0]", *rules, "COMMIT", ""]),
    st.sampled_from(["ACCEPT", "DROP"]),
    st.lists(
        st.builds(
            lambda chain, matches, way, target: f"-A {chain} {' '.join(matches)} {way} {target}",
            st.sampled_from(["INPUT", "INPUT", "A", "B"]),
            st.lists(IPTABLES_MATCH, max_size=2),
            st.just("-j"),
            TARGET,
        ).filter(lambda rule: not rule.startswith(("-A A", "-A B")) or not rule.endswith((" A", " B"))),
        max_size=6,
    ),
)  # fmt: skip
ASKED = st.lists(
    st.tuples(st.sampled_from(["192.0.2.11", "192.0.2.12", "198.51.100.1"]), st.sampled_from([22, 5900, 6000])),
    min_size=1,
    max_size=3,
    unique=True,
)


@FEW
@given(text=IPTABLES, asked=ASKED)
def test_iptables_is_read_as_iptables_reads_it_and_judged_as_the_kernel_decides(
    kernel: Any, text: str, asked: Any
) -> None:
    answer = kernel(tool="iptables", text=text)
    if "error" in answer:
        return  # a match that iptables takes once only
    written, saved = _firewall.parse_iptables(text), _firewall.parse_iptables(answer["shown"])
    _as_the_kernel(kernel, saved, asked)
    for source, port in asked:
        connection = _firewall.Connection(source, "192.0.2.21", port, "here")
        assert _firewall.judge(written, connection).action == _firewall.judge(saved, connection).action


NFT_MATCH = st.one_of(
    st.builds(
        "ip saddr {}{}".format, st.sampled_from(["", "!= "]), st.sampled_from(["192.0.2.11", "192.0.2.0/24", "@known"])
    ),
    st.builds(
        "ip saddr {}".format, st.sampled_from(["{ 192.0.2.1-192.0.2.11, 198.51.100.1 }", "192.0.2.5-192.0.2.11"])
    ),
    st.builds(
        "tcp dport {}{}".format, st.sampled_from(["", "!= "]), st.sampled_from(["22", "5900-6100", "{ 22, 5900-5999 }"])
    ),
    st.builds("iifname {}{}".format, st.sampled_from(["", "!= "]), st.sampled_from(['"here"', '"he*"', '"lo"'])),
    st.builds("meta l4proto {}".format, st.sampled_from(["tcp", "udp", "{ tcp, udp }", "!= tcp"])),
    st.builds("ct state {}".format, st.sampled_from(["new", "established,related", "new,established", "!= new"])),
    st.builds("ip protocol {}".format, st.sampled_from(["tcp", "icmp"])),
    st.sampled_from(["counter", 'log prefix "x { "', "tcp flags & (fin | syn | rst | ack) == syn"]),
)
VERDICT = st.sampled_from(
    [
        *("accept", "drop", "reject with icmpx type admin-prohibited", "return", "jump a", "goto a", "", "continue"),
        *("ct state vmap { new : jump a, established : accept }", "ct state vmap { invalid : drop, new : accept }"),
    ]
)
NFT_RULE = st.builds(lambda matches, verdict: " ".join([*matches, verdict]), st.lists(NFT_MATCH, max_size=2), VERDICT)


def _nft(policy: str, base: list[str], more: list[str]) -> str:
    def lines(rules: list[str]) -> str:
        return "".join(f"\t\t{rule}\n" for rule in rules if rule.strip())

    ends = [rule for rule in more if "jump" not in rule and "goto" not in rule]
    return (
        "table inet f {\n"
        "\tset known {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 192.0.2.12, 198.51.100.0/24 }\n\t}\n"
        f"\tchain a {{\n{lines(ends)}\t}}\n"
        f"\tchain input {{\n\t\ttype filter hook input priority 0; policy {policy};\n{lines(base)}\t}}\n}}\n"
    )


@FEW
@given(
    st.builds(
        _nft, st.sampled_from(["accept", "drop"]), st.lists(NFT_RULE, max_size=4), st.lists(NFT_RULE, max_size=2)
    ),
    ASKED,
)
def test_nft_is_judged_as_the_kernel_decides(kernel: Any, text: str, asked: Any) -> None:
    answer = kernel(tool="nft", text=text)
    if "error" in answer:
        return  # two matches that nft finds to contradict each other
    (rules,) = _firewall.with_nft_texts(_firewall.parse_nft(answer["shown"]), answer["text"])
    _as_the_kernel(kernel, rules, asked)
    for chain in rules["chains"].values():
        for rule in chain["rules"]:
            assert not rule["text"].startswith("rule ")
