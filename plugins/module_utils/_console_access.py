# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let sources through a host's packet filter, rule by rule, and take those rules away again."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from . import _firewall
from ._evidence import firewall
from ._evidence._tree import Tree
from ._firewall import Connection, RuleSet, Verdict
from ._model import ChangeFailed, Unavailable
from ._numbers import whole

Wish = Mapping[str, Any]
_ROUNDS = 4


def admit(journal: Any, wishes: Sequence[Wish], check_mode: bool) -> dict[str, Any]:
    """Do what the module console_access promises; its result, less the run id.

    journal: a Journal on a live host. Raises ChangeFailed for a wish that makes no sense or a rule that was refused.
    """
    rules = firewall.read(journal.tree)
    doable: list[Wish] = []
    left: list[dict[str, str]] = []
    for wish in wishes:
        _check(wish)
        reason = _why_not(rules, wish)
        if reason:
            left.append({"subject": wish["subject"] or wish["source"], "reason": reason})
        else:
            doable.append(wish)
    # The files first: a run that is killed in between finds both as they should be when it is repeated.
    files = _Files(journal.tree)
    for wish in doable:
        files.admit(rules["rules"], wish)
    diff = list(files.write(journal, check_mode))
    for wish in doable:
        diff.extend(_in_kernel(journal, wish, check_mode))
    return {"changed": bool(diff), "diff": diff, "gone": [], "left": left, "warnings": files.warnings}


def difference(title: str, before: str, after: str) -> dict[str, str]:
    """As _change.difference, which cannot be had here: it imports the journal, and that this file."""
    return {"before_header": title, "after_header": title, "before": before, "after": after}


def _check(wish: Wish) -> None:
    try:
        ipaddress.ip_address(wish["source"])
    except ValueError:
        raise ChangeFailed(f"{wish['source']!r} is not an IP address: name the address of a console proxy") from None
    if not 0 < wish["first"] <= wish["last"] < 65536:
        raise ChangeFailed(f"{wish['first']} to {wish['last']} is no range of TCP ports; nothing was changed for it")


def _connections(wish: Wish) -> list[Connection]:
    ports = sorted({wish["first"], wish["last"]})
    return [Connection(wish["source"], wish["address"], port, wish["interface"]) for port in ports]


def _obstacles(all_rules: Sequence[RuleSet], wish: Wish) -> Iterator[tuple[RuleSet, Verdict]]:
    """The first obstacle in each base chain."""
    for rules in all_rules:
        found = (_firewall.first_obstacle([rules], connection) for connection in _connections(wish))
        obstacle = next((entry for entry in found if entry is not None), None)
        if obstacle is not None:
            yield obstacle


def _why_not(now: Mapping[str, Any], wish: Wish) -> str:
    obstacles = list(_obstacles(now["rules"], wish))
    if obstacles and now["keeper"]:
        return f"{now['keeper']} makes the rules of this host and would undo it: open the ports there, for the proxies alone"
    unsure = [verdict for _rules, verdict in obstacles if verdict.action == "unsure"]
    if unsure:
        return f"what this rule does cannot be told, so no place before it is known to be right: {unsure[0].text}"
    return ""


# -- the rules that are in force -------------------------------------------------------------------------------------


def _in_kernel(journal: Any, wish: Wish, check_mode: bool) -> Iterator[dict[str, str]]:
    for _round in range(_ROUNDS):
        obstacles = list(_obstacles(firewall.read(journal.tree)["rules"], wish))
        if not obstacles:
            return
        for rules, verdict in obstacles:
            shown = _shown(rules, wish, verdict.chain)
            there = f"{verdict.text}\n"
            title = f"{rules['tool']} {' '.join(rules['table'])} {verdict.chain}"
            yield difference(title, there, f"{shown}\n{there}")
            if not check_mode:
                _insert(journal, rules, wish, verdict)
        if check_mode:
            return
    raise ChangeFailed(
        f"{wish['source']} is still kept out after {_ROUNDS} rules: look at the rules of this host, and undo the run"
    )


def _shown(rules: RuleSet, wish: Wish, chain: str) -> str:
    if rules["tool"] == "nft":
        return _firewall.nft_text(wish["source"], wish["first"], wish["last"])
    return _firewall.iptables_line(chain, _firewall.iptables_words(wish["source"], wish["first"], wish["last"]))


def _insert(journal: Any, rules: RuleSet, wish: Wish, verdict: Verdict) -> None:
    tool, chain = rules["tool"], verdict.chain
    shown = _shown(rules, wish, chain)
    fields = {"name": f"{tool} {' '.join(rules['table'])} {chain}", "tool": tool, "table": list(rules["table"])}
    if tool == "nft":
        journal.record("firewall_rule", **fields, chain=chain, rule=shown)
        verb = ["insert", "rule"] if verdict.rule else ["add", "rule"]
        place = ["position", str(verdict.rule["place"])] if verdict.rule else []
        command = ["nft", *verb, *rules["table"], chain, *place, shown]
    else:
        words = _firewall.iptables_words(wish["source"], wish["first"], wish["last"])
        journal.record("firewall_rule", **fields, chain=chain, rule=words)
        place = ["-I", chain, str(verdict.rule["place"])] if verdict.rule else ["-A", chain]
        command = [tool, "-w", "10", *place, *words]
    _must(command)


def _must(command: Sequence[str]) -> None:
    try:
        done = firewall.run(command)
    except Unavailable as refusal:
        raise ChangeFailed(f"{refusal}. Nothing else was changed") from refusal
    if done is None:
        raise ChangeFailed(f"{command[0]} is not installed on this host")


def undo(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Take away a rule that a run added; (status, reason) as Journal.undo wants it."""
    if not tree.is_live:
        raise ChangeFailed(f"the packet filter of a directory tree cannot be changed: {entry['name']}")
    tool, chain = entry["tool"], entry["chain"]
    if tool == "nft":
        handle = _handle(entry)
        if handle is None:
            return "unchanged", ""
        command = ["nft", "delete", "rule", *entry["table"], chain, "handle", str(handle)]
    else:
        line = _firewall.iptables_line(chain, entry["rule"])
        if line not in (firewall.run([f"{tool}-save", "-t", "filter"]) or "").splitlines():
            return "unchanged", ""
        command = [tool, "-w", "10", "-D", chain, *entry["rule"]]
    if not check_mode:
        _must(command)
    return ("would_restore" if check_mode else "restored"), ""


def _handle(entry: Mapping[str, Any]) -> Optional[int]:
    try:
        listing = firewall.run(["nft", "-a", "list", "chain", *entry["table"], entry["chain"]]) or ""
    except Unavailable:
        return None  # the chain is gone
    for line in listing.splitlines():
        text, _hash, handle = line.partition(" # handle ")
        if text.strip() == entry["rule"] and whole(handle.strip()) is not None:
            return whole(handle.strip())
    return None


# -- the files that they come from -----------------------------------------------------------------------------------


class _Files:
    """The files of rules as they shall be, and what could not be kept in one."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._before: dict[str, str] = {}
        self._after: dict[str, str] = {}
        self.warnings: list[str] = []

    def admit(self, all_rules: Sequence[RuleSet], wish: Wish) -> None:
        """Let a wish through the rules of each file; what is in force says which rule of nft's file is in the way."""
        tool = "ip6tables" if ipaddress.ip_address(wish["source"]).version == 6 else "iptables"
        for path in self._there(tool):
            self._after[path] = _iptables_file(self._after[path], tool, wish)
        for rules, verdict in _obstacles(all_rules, wish):
            paths = self._there(rules["tool"])
            if rules["tool"] == "nft":
                texts = {path: _nft_file(self._after[path], rules, wish, verdict) for path in paths}
                paths = [path for path, text in texts.items() if text is not None]
                self._after.update({path: text for path, text in texts.items() if text is not None})
            if not paths:
                self.warnings.append(
                    f"the rule for {wish['source']} is in force, but no file was found from which this host loads what is in its "
                    f"way ({verdict.text}): put it there too, or it is gone with the next start"
                )

    def write(self, journal: Any, check_mode: bool) -> Iterator[dict[str, str]]:
        """Write what has changed, and show it."""
        for path, before in self._before.items():
            after = self._after[path]
            if before != after:
                yield difference(path, before, after)
                if not check_mode:
                    journal.write_file(path, after.encode("utf-8", "surrogateescape"))

    def _there(self, tool: str) -> list[str]:
        paths = [path for path in firewall.FILES[tool] if self._tree.exists(path)]
        for path in paths:
            if path not in self._before:
                self._before[path] = self._after[path] = self._tree.read_text(path)
        return paths


def _iptables_file(text: str, tool: str, wish: Wish) -> str:
    rules = _firewall.parse_iptables(text, tool)
    for _round in range(_ROUNDS):
        found = next(_obstacles([rules], wish), None)
        if found is None or found[1].action == "unsure":
            break
        words = _firewall.iptables_words(wish["source"], wish["first"], wish["last"])
        text = _firewall.insert_iptables_line(text, _firewall.iptables_line(found[1].chain, words), found[1])
        rules = _firewall.parse_iptables(text, tool)
    return text


def _nft_file(text: str, rules: RuleSet, wish: Wish, verdict: Verdict) -> Optional[str]:
    line = _firewall.nft_text(wish["source"], wish["first"], wish["last"])
    if line in text:
        return text
    before = verdict.rule["text"] if verdict.rule else None
    after = _firewall.insert_nft_line(text, rules["table"], verdict.chain, line, before)
    if after is not None:
        try:
            firewall.run(["nft", "-c", "-f", "-"], given=after)
        except Unavailable:
            return None
    return after
