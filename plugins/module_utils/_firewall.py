# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a new TCP connection in a host's own packet filter, and which rule decides it. Nothing is run here.

A rule set is what one base chain of the input hook leads through:
  {"tool": "iptables", "ip6tables" or "nft", "table": ["inet", "filter"] (of nft), "base": chain,
   "chains": {name: {"policy": "ACCEPT", "DROP" or "", "rules": [rule]}}}
A rule is {"place": its number in the chain (iptables) or its handle (nft), "line": of the text it was read from,
  "text": as the tool shows it, "target": ACCEPT, DROP, REJECT, RETURN, "?" or a chain, "goto": bool, "refusal": of a REJECT,
  "matches": [{"what": source, destination, port, interface or "?", "values": [...], "not": bool}]}.
Rules that cannot decide about a new TCP connection from another host are left out.
"""

from __future__ import annotations

import io
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ._model import Unavailable
from ._numbers import whole

RuleSet = Mapping[str, Any]
ANY_PORT = (0, 65535)
_SERVICES = {"ssh": 22, "http": 80, "https": 443}


class Connection(NamedTuple):
    """A connection that somebody begins: from an address, to an address and port, arriving on an interface.

    Destination and interface are "" where they are not known: rules that name one cannot be judged then.
    """

    source: str
    destination: str
    port: int
    interface: str = ""


class Verdict(NamedTuple):
    """What a rule set does: accept, drop, reject, or unsure; chain and rule decided it, rule None the chain's policy."""

    action: str
    chain: str
    rule: Optional[Mapping[str, Any]]

    @property
    def text(self) -> str:
        """The rule as its tool shows it."""
        return self.rule["text"] if self.rule else f"policy of chain {self.chain}"


def judge(rules: RuleSet, connection: Connection) -> Verdict:
    """What one rule set does with a connection."""
    base = rules["chains"].get(rules["base"])
    if base is None:
        return Verdict("accept", rules["base"], None)
    decided = _walk(rules["chains"], rules["base"], connection, 0, set())
    return decided or Verdict("drop" if base["policy"] == "DROP" else "accept", rules["base"], None)


def first_obstacle(all_rules: Iterable[RuleSet], connection: Connection) -> Optional[tuple[RuleSet, Verdict]]:
    """The first rule set that does not let a connection through, or that cannot be judged; None when all do.

    To be accepted by one base chain is not enough: every one of the hook sees the packet.
    """
    of_version = "ip6tables" if ipaddress.ip_address(connection.source).version == 6 else "iptables"
    for rules in all_rules:
        if rules["tool"] in (of_version, "nft"):
            verdict = judge(rules, connection)
            if verdict.action != "accept":
                return rules, verdict
    return None


def _walk(
    chains: Mapping[str, Any], name: str, connection: Connection, depth: int, passed: set[str]
) -> Optional[Verdict]:
    """What a chain decides. passed: chains known to decide nothing, so that each is gone through once."""
    if depth > 32:
        return Verdict("unsure", name, None)
    for rule in chains[name]["rules"]:
        matched = _matches(rule, connection)
        if matched is False:
            continue
        target = rule["target"]
        if target in chains:
            decided = None if target in passed else _walk(chains, target, connection, depth + 1, passed)
            if decided is not None:
                return decided if matched else Verdict("unsure", name, rule)
            passed.add(target)
            if not rule["goto"]:
                continue
            target = "RETURN"
        if matched is None or target not in ("ACCEPT", "DROP", "REJECT", "RETURN"):
            return Verdict("unsure", name, rule)
        if target == "RETURN":
            return None
        return Verdict(target.lower(), name, rule)
    return None


def _matches(rule: Mapping[str, Any], connection: Connection) -> Optional[bool]:
    """Whether a rule is about the connection; None when that cannot be told."""
    known: Optional[bool] = True
    for match in rule["matches"]:
        said = _match(match, connection)
        if said is None:
            known = None
        elif said is match["not"]:
            return False
    return known


def _match(match: Mapping[str, Any], connection: Connection) -> Optional[bool]:
    what, values = match["what"], match["values"]
    if what == "port":
        return any(first <= connection.port <= last for first, last in values)
    if what in ("source", "destination"):
        address = connection.source if what == "source" else connection.destination
        try:
            return any(_within(ipaddress.ip_address(address), value) for value in values) if address else None
        except ValueError:
            return None  # a name, or a mask with holes
    if what == "interface" and connection.interface:
        return any(re.fullmatch(re.escape(value).replace(r"\+", ".*"), connection.interface) for value in values)
    return None


def _within(address: Any, value: str) -> bool:
    first, dash, last = value.partition("-")
    if dash:
        ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
        return bool({end.version for end in ends} == {address.version} and ends[0] <= address <= ends[1])
    return address in ipaddress.ip_network(value, strict=False)


def relevant(rules: RuleSet) -> dict[str, Any]:
    """The rule set with only the chains that its base chain leads to: it travels, and hosts with neutron have thousands."""
    chains: dict[str, Any] = {}
    waiting = [rules["base"]]
    while waiting:
        name = waiting.pop()
        if name in chains or name not in rules["chains"]:
            continue
        chains[name] = rules["chains"][name]
        waiting.extend(rule["target"] for rule in chains[name]["rules"])
    return {**rules, "chains": chains}


# -- iptables --------------------------------------------------------------------------------------------------------

# Targets after which the packet goes on to the next rule.
_PASSING = frozenset(
    [
        "LOG",
        "NFLOG",
        "ULOG",
        "MARK",
        "CONNMARK",
        "CONNSECMARK",
        "SECMARK",
        "TRACE",
        "AUDIT",
        "CLASSIFY",
        "DSCP",
        "TOS",
        "SET",
    ]
)
_STATES = ("--ctstate", "--state")
_IGNORED = ("--comment", "--log-prefix", "--log-level")
# Whatever the value of these looks like, "--comment -j" has one.
_WITH_VALUE = frozenset(
    ["-m", "--match", "-j", "--jump", "-g", "--goto", "-p", "--protocol", "--reject-with", *_IGNORED]
)
_ALL_FLAGS = frozenset(["SYN", "ACK", "FIN", "RST", "URG", "PSH"])
_RULE = re.compile(r"^(?:\[\d+:\d+\][ \t]+)?-A[ \t]")
# iptables/xshared.c, add_param_to_argv: blanks end a word, double quotes hold it together, a backslash counts within them only.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WORD = re.compile(rf'(?:[^ \t"]|{_QUOTED.pattern})+')


def parse_iptables(text: str, tool: str = "iptables") -> dict[str, Any]:
    """The input chain of the table filter, as iptables-save writes it; also of a file for iptables-restore.

    Raises Unavailable for text that is none.
    """
    table = ""
    chains: dict[str, dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    for number, line in enumerate(text.split("\n")):
        line = line.strip()
        if line.startswith("*"):
            table = line[1:]
        elif table != "filter":
            continue
        elif line.startswith(":"):
            name, policy = [*line[1:].split(), "", ""][:2]
            if not policy:
                raise Unavailable(f"line {number + 1} of the rules of {tool} cannot be read: {line}")
            chains[name] = {"policy": "" if policy == "-" else policy, "rules": []}
        elif _RULE.match(line):
            shown = _RULE.sub("-A ", line)
            words = _iptables_split(shown)
            if len(words) < 2:
                raise Unavailable(f"line {number + 1} of the rules of {tool} cannot be read: {line}")
            chain = words[1]
            numbers[chain] = numbers.get(chain, 0) + 1
            rule = _iptables_rule(words[2:])
            if rule is not None:
                chains.setdefault(chain, {"policy": "", "rules": []})["rules"].append(
                    {"place": numbers[chain], "line": number, "text": shown, **rule}
                )
    return {"tool": tool, "table": ["filter"], "base": "INPUT", "chains": chains}


def _iptables_split(line: str) -> list[str]:
    """The words of a line of iptables-save; none where a quote is not closed."""
    words = []
    position = 0
    while position < len(line):
        if line[position] in " \t":
            position += 1
            continue
        word = _WORD.match(line, position)
        if word is None:
            return []
        words.append(_QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), word[0]))
        position = word.end()
    return words


def _iptables_rule(words: Sequence[str]) -> Optional[dict[str, Any]]:
    """Matches and target of a rule; None for one that decides nothing about a new TCP connection."""
    rule: dict[str, Any] = {"target": "", "goto": False, "refusal": "", "matches": []}
    negated = False
    waiting = list(words)
    while waiting:
        option = waiting.pop(0)
        if option == "!":
            negated = True
            continue
        value = ""
        if waiting and (option in _WITH_VALUE or not (waiting[0].startswith("-") or waiting[0] == "!")):
            value = waiting.pop(0)
        match = {"what": "?", "values": [], "not": negated}
        if option in ("-j", "--jump", "-g", "--goto"):
            rule["target"], rule["goto"] = value, option in ("-g", "--goto")
        elif option in ("-p", "--protocol"):
            if (value.lower() in ("tcp", "6", "all", "0")) is negated:
                return None
        elif option in ("-i", "--in-interface"):
            if value == "lo" and not negated:
                return None
            if value != "lo":
                rule["matches"].append({**match, "what": "interface", "values": [value]})
        elif option in _STATES:
            if ("NEW" in value.split(",")) is negated:
                return None
        elif option == "--dst-type":
            if ("LOCAL" in value.split(",")) is negated:  # what comes in for this host, and for nobody else
                return None
        elif option.startswith("--physdev"):
            return None  # what comes in by a bridge's port, as guests' packets do
        elif option in ("-s", "--source", "--src", "-d", "--destination", "--dst", "--src-range", "--dst-range"):
            what = "source" if option.startswith(("-s", "--s")) else "destination"
            rule["matches"].append({**match, "what": what, "values": value.split(",")})
        elif option in ("--dport", "--destination-port", "--dports", "--destination-ports"):
            ports = _ports(value)
            rule["matches"].append({**match, "what": "port", "values": ports} if ports else match)
        elif option == "--reject-with":
            rule["refusal"] = value
        elif option == "--tcp-flags":
            seen, wanted = _flags(value), _flags(waiting.pop(0) if waiting else "")
            if (seen & {"SYN"} == wanted) is negated:
                return None
        elif option in ("-m", "--match", "--syn", *_IGNORED):
            if option == "--syn" and negated:
                return None
        else:
            rule["matches"].append(match)
        negated = False
    if not rule["target"] or rule["target"] in _PASSING:
        return None
    if rule["target"] == "REJECT" and not rule["refusal"]:
        rule["refusal"] = "icmp-port-unreachable"
    return rule


def _flags(value: str) -> frozenset[str]:
    return _ALL_FLAGS if value == "ALL" else frozenset(value.split(",")) - {"NONE"}


def _ports(value: str) -> list[list[int]]:
    """Ranges of ports; none where one has a name that is not known here."""
    ranges = []
    for part in value.split(","):
        first, colon, last = part.partition(":")
        low = _SERVICES.get(first, whole(first)) if first or not colon else 0
        high = (_SERVICES.get(last, whole(last)) if last else ANY_PORT[1]) if colon else low
        if low is None or high is None:
            return []
        ranges.append([low, high])
    return ranges


# -- nft -------------------------------------------------------------------------------------------------------------


def parse_nft(document: str, without: Iterable[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """The base chains of the input hook, in their order, of what `nft -j list ruleset` writes.

    without: (family, table) of tables that another tool shows. Raises Unavailable for what is no such document.
    """
    try:
        objects = json.loads(document or '{"nftables": []}')["nftables"]
        return _nft_rule_sets(objects, set(without))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError) as error:
        raise Unavailable(f"nft's list of its rules cannot be read ({type(error).__name__})") from error


def _nft_rule_sets(objects: Iterable[Mapping[str, Any]], without: set[tuple[str, str]]) -> list[dict[str, Any]]:
    bases: list[tuple[int, tuple[str, str], str]] = []
    tables: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    sets: dict[tuple[str, str, str], list[Any]] = {}
    for thing in objects:
        kind, body = next(iter(thing.items()))
        if kind not in ("chain", "rule", "set", "map"):
            continue
        table = (body["family"], body["table"])
        if table in without or body["family"] not in ("ip", "ip6", "inet"):
            continue
        if kind in ("set", "map"):
            sets[(*table, body["name"])] = body.get("elem", [])
        elif kind == "chain":
            policy = str(body.get("policy", "")).upper()
            tables.setdefault(table, {})[body["name"]] = {"policy": policy, "rules": []}
            if body.get("hook") == "input" and body.get("type") == "filter":
                bases.append((body.get("prio", 0), table, body["name"]))
        else:
            found = {name: elem for (f, t, name), elem in sets.items() if (f, t) == table}
            rules = [{"place": body["handle"], "line": -1, **rule} for rule in _nft_rules(body, found)]
            tables[table][body["chain"]]["rules"].extend(rules)
    return [
        {"tool": "nft", "table": list(table), "base": name, "chains": tables[table]}
        for _priority, table, name in sorted(bases, key=lambda base: base[0])
    ]


def _nft_rules(body: Mapping[str, Any], sets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A rule of nft as rules of ours: several where it maps a state to verdicts; none where it decides nothing."""
    matches: list[dict[str, Any]] = []
    text = _nft_text(body)
    for expression in body["expr"]:
        kind, value = next(iter(expression.items()))
        if kind == "match":
            match = _nft_match(value, sets)
            if match is False:
                return []
            if match is not None:
                matches.append(match)
        elif kind in ("accept", "drop", "return"):
            return [_nft_rule(text, matches, kind.upper())]
        elif kind == "reject":
            detail = value or {}
            refusal = detail.get("expr") or ("tcp-reset" if detail.get("type") == "tcp reset" else "port-unreachable")
            return [{**_nft_rule(text, matches, "REJECT"), "refusal": refusal}]
        elif kind in ("jump", "goto"):
            return [{**_nft_rule(text, matches, value["target"]), "goto": kind == "goto"}]
        elif kind == "vmap":
            return _nft_verdict_map(text, matches, value)
        elif kind in ("limit", "xt", "queue", "tproxy", "synproxy", "fib", "quota"):
            matches.append({"what": "?", "values": [], "not": False})
            if kind == "queue":
                return [_nft_rule(text, matches, "?")]
    return []


def _nft_rule(text: str, matches: list[dict[str, Any]], target: str) -> dict[str, Any]:
    return {"text": text, "target": str(target), "goto": False, "refusal": "", "matches": list(matches)}


def _nft_verdict_map(text: str, matches: list[dict[str, Any]], value: Mapping[str, Any]) -> list[dict[str, Any]]:
    states = value["key"].get("ct", {}).get("key") == "state"
    pairs = value["data"].get("set", []) if isinstance(value["data"], Mapping) else []
    if not states or not pairs:
        return [_nft_rule(text, [*matches, {"what": "?", "values": [], "not": False}], "?")]
    rules = []
    for key, verdict in pairs:
        if key == "new":
            kind, detail = next(iter(verdict.items()))
            target = detail["target"] if kind in ("jump", "goto") else kind.upper()
            rules.append({**_nft_rule(text, matches, target), "goto": kind == "goto"})
    return rules


def _nft_match(match: Mapping[str, Any], sets: Mapping[str, Any]) -> Any:
    """A match of ours; None for one that every new TCP connection fulfils, False for one that none does."""
    left, negated = match["left"], match["op"] == "!="
    opaque = {"what": "?", "values": [], "not": False}
    if match["op"] not in ("==", "!=", "in") or not isinstance(left, Mapping):
        return opaque
    values = _nft_values(match["right"], sets)
    if "ct" in left:
        if left["ct"].get("key") == "state" and values is not None:
            return None if ("new" in values) is not negated else False
        return opaque
    key, field = left.get("meta", {}).get("key"), left.get("payload", {})
    if values is None:
        return opaque
    if key in ("l4proto",) or (field.get("protocol"), field.get("field")) in (("ip", "protocol"), ("ip6", "nexthdr")):
        return None if ("tcp" in values or 6 in values) is not negated else False
    if key in ("iifname", "iif"):
        if values == ["lo"]:
            return None if negated else False
        return {"what": "interface", "values": [str(v).replace("*", "+") for v in values], "not": negated}
    if key == "nfproto":
        return opaque
    if field.get("protocol") in ("icmp", "icmpv6", "udp", "sctp", "dccp"):
        return False
    if field.get("protocol") in ("tcp", "th") and field.get("field") == "dport":
        return {"what": "port", "values": [_nft_port(value) for value in values], "not": negated}
    if field.get("protocol") in ("ip", "ip6") and field.get("field") in ("saddr", "daddr"):
        what = "source" if field["field"] == "saddr" else "destination"
        return {"what": what, "values": [_nft_address(value) for value in values], "not": negated}
    return opaque


def _nft_values(right: Any, sets: Mapping[str, Any]) -> Optional[list[Any]]:
    if isinstance(right, str) and right.startswith("@"):
        right = {"set": sets[right[1:]]} if right[1:] in sets else None
    if isinstance(right, Mapping) and "set" in right:
        right = right["set"] if isinstance(right["set"], list) else [right["set"]]
    if right is None:
        return None
    values = right if isinstance(right, list) else [right]
    values = [value["elem"]["val"] if isinstance(value, Mapping) and "elem" in value else value for value in values]
    # Flags and tuples cannot be judged as the values that they are made of.
    known = all(not isinstance(value, Mapping) or "prefix" in value or "range" in value for value in values)
    return values if known else None


def _nft_port(value: Any) -> list[int]:
    first, last = value["range"] if isinstance(value, Mapping) else [value, value]
    return [end if isinstance(end, int) else _SERVICES.get(end, -1) for end in (first, last)]


def _nft_address(value: Any) -> str:
    if isinstance(value, Mapping) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    if isinstance(value, Mapping) and "range" in value:
        return "-".join(value["range"])
    return str(value)


def _nft_text(body: Mapping[str, Any]) -> str:
    return f"rule {body['handle']} of chain {' '.join((body['family'], body['table'], body['chain']))}"


# What a counter has counted; a file has the counter alone.
_COUNTED = re.compile(r"(?<=\bcounter) packets \d+ bytes \d+")


def with_nft_texts(all_rules: Iterable[dict[str, Any]], listing: str) -> list[dict[str, Any]]:
    """Rule sets of nft with each rule as `nft -a list ruleset` shows it: nft's JSON does not hold the text."""
    texts: dict[tuple[str, str, int], str] = {}
    inside: list[str] = []
    for line in listing.splitlines():
        text, _hash, handle = line.partition(" # handle ")
        if text.rstrip().endswith("{"):
            inside.append(text.strip()[:-1].strip())
        elif text.strip() == "}" and inside:
            inside.pop()
        elif len(inside) == 2 and whole(handle.strip()) is not None:
            texts[(inside[0], inside[1], int(handle))] = _COUNTED.sub("", text.strip())
    all_rules = list(all_rules)
    for rules in all_rules:
        for name, chain in rules["chains"].items():
            for rule in chain["rules"]:
                where = (f"table {' '.join(rules['table'])}", f"chain {name}", rule["place"])
                rule["text"] = texts.get(where, rule["text"])
    return all_rules


# -- what is added ---------------------------------------------------------------------------------------------------

COMMENT = "stackmend console_access"


def iptables_words(source: str, first: int, last: int) -> list[str]:
    """The rule that admits a source to TCP ports, as iptables-save writes it."""
    address = ipaddress.ip_address(source)
    prefix = f"{address}/{address.max_prefixlen}"
    ports = str(first) if first == last else f"{first}:{last}"
    # Without the quotes that iptables-save puts around it; `iptables_line` has them.
    return [
        "-s",
        prefix,
        *("-p", "tcp", "-m", "tcp", "--dport"),
        ports,
        "-m",
        "comment",
        "--comment",
        COMMENT,
        "-j",
        "ACCEPT",
    ]


def iptables_line(chain: str, words: Iterable[str]) -> str:
    """The same as a line of iptables-save."""
    return f"-A {chain} " + " ".join(f'"{word}"' if " " in word else word for word in words)


def nft_text(source: str, first: int, last: int) -> str:
    """The rule that admits a source to TCP ports, as nft lists it."""
    address = ipaddress.ip_address(source)
    ports = str(first) if first == last else f"{first}-{last}"
    family = "ip6" if address.version == 6 else "ip"
    return f'{family} saddr {address} tcp dport {ports} accept comment "{COMMENT}"'


def insert_iptables_line(text: str, line: str, verdict: Verdict) -> str:
    """A file for iptables-restore with a line before the rule that decided, or at the end of the chain whose policy did."""
    lines = list(io.StringIO(text, newline="\n"))
    if verdict.rule is not None:
        at = verdict.rule["line"]
    else:
        table = next(number for number, entry in enumerate(lines) if entry.strip() == "*filter")
        ends = (number for number, entry in enumerate(lines) if number > table and entry.strip() == "COMMIT")
        at = next(ends, len(lines))
        if at == len(lines):
            raise Unavailable("the table filter in a file of rules has no COMMIT at its end, so it cannot be loaded")
    return "".join([*lines[:at], line + "\n", *lines[at:]])


def insert_nft_line(text: str, table: Sequence[str], chain: str, line: str, before: Optional[str]) -> Optional[str]:
    """A file for nft with a rule before the given one, or at the end of the chain; None where that place is not found.

    before: the rule as nft lists it. The file may write tables and chains one a line, as nft itself does, and no other way.
    """
    lines = text.splitlines(keepends=True)
    place = [f"table {' '.join(table)}", f"chain {chain}"]
    inside: list[str] = []
    for number, entry in enumerate(lines):
        words = _words(entry.split("#")[0])
        if words and words[-1] == "{":
            inside.append(" ".join(words[:-1]))
        elif words == ["}"] and inside:
            if inside[-2:] == place and before is None:
                return "".join([*lines[:number], _indent(lines, number) + line + "\n", *lines[number:]])
            inside.pop()
        elif inside[-2:] == place and before is not None and words == _words(before):
            return "".join([*lines[:number], _indent(lines, number + 1) + line + "\n", *lines[number:]])
    return None


def _words(rule: str) -> list[str]:
    """A rule however it is spaced, and whether it spells what nft 1.0 leaves out or not."""
    return re.sub(r"\b(icmp|icmpv6|icmpx) type\b", r"\1", _COUNTED.sub("", rule)).replace(",", " , ").split()


def _indent(lines: Sequence[str], number: int) -> str:
    last = lines[number - 1]
    return last[: len(last) - len(last.lstrip())]
