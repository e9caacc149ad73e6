# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which programs manage the network of a host, which interfaces each of them owns, and the default routes."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .._model import Unavailable
from .._numbers import whole
from . import _commands
from ._tree import Tree

SECONDS = 20.0
UNITS = {
    "NetworkManager": "NetworkManager.service",
    "systemd-networkd": "systemd-networkd.service",
    "ifupdown": "networking.service",
    "network-scripts": "network.service",
    "wicked": "wicked.service",
}
_IFCFG = {"network-scripts": "/etc/sysconfig/network-scripts", "wicked": "/etc/sysconfig/network"}
_NETWORKD = ("/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network")
_SETUP_OWNED = ("configuring", "configured", "degraded", "pending", "initialized")
# Words of `ip route show` that describe a state, and are no part of the route.
_STATE_WORDS = ("linkdown", "dead", "pervasive", "offload", "trap", "rt_trap", "rt_offload")

Configured = dict[str, dict[str, Any]]


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """{"managers": [...], "routes": [...], "keep": name, "live": bool}.

    A manager is {"name", "unit", "active", "enabled", "interfaces": [those it owns now], "configured": {interface: {"paths",
    "gateways", "dhcp"}}}, only those that are active or enabled. Of a directory that stands for a host nothing is active,
    and interfaces is what is configured. A route is {"family", "interface", "gateway", "metric", "protocol", "words": [as
    `ip route` takes it]}; of the main table only, a route over several next hops once with an empty gateway.
    options: network_manager, the one that is to stay.
    """
    states = _states() if tree.is_live else {name: (False, _enabled(tree, unit)) for name, unit in UNITS.items()}
    managers = []
    for name, (active, enabled) in states.items():
        if not (active or enabled):
            continue
        configured = _CONFIGURED[name](tree, _links(tree))
        owned = _owned(name, configured) if active and tree.is_live else sorted(configured)
        managers.append(
            {
                "name": name,
                "unit": UNITS[name],
                "active": active,
                "enabled": enabled,
                "interfaces": owned,
                "configured": configured,
            }
        )
    return {
        "managers": managers,
        "routes": default_routes() if tree.is_live and managers else [],
        "keep": str(options.get("network_manager") or ""),
        "live": tree.is_live,
    }


def default_routes() -> list[dict[str, Any]]:
    """The default routes of the main table, as `read` gives them."""
    found = []
    for family in ("4", "6"):
        for line in said(["ip", f"-{family}", "route", "show", "default"]).splitlines():
            route = parse_route(family, line)
            if route:
                found.append(route)
    return found


def parse_route(family: str, line: str) -> dict[str, Any]:
    """One line of `ip route show default`; {} for one that continues a route over several next hops."""
    if not line.startswith("default"):
        return {}
    words = [word for word in line.split() if word not in _STATE_WORDS]
    # Not every word has a value: "onlink" has none, "via inet6 fe80::1" two. The first of a kind is the route's own.
    values = dict(reversed([(words[at], words[at + 1]) for at in range(1, len(words) - 1)]))
    gateway = values.get("via", "")
    return {
        "family": int(family),
        "interface": values.get("dev", ""),
        "gateway": values.get(gateway, "") if gateway in ("inet", "inet6") else gateway,
        "metric": whole(values.get("metric", "")) or 0,
        "protocol": values.get("proto", "boot"),
        "words": words,
    }


def said(command: list[str]) -> str:
    """The output of a command that has to succeed. Raises Unavailable."""
    try:
        run = _commands.run(command, SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"the network could not be asked by {' '.join(command)}: {error}") from error
    if run.returncode:
        last = (run.stderr.strip() or str(run.returncode)).rsplit("\n", 1)[-1]
        raise Unavailable(f"the network could not be asked by {' '.join(command)}: {last}")
    return run.stdout


def _states() -> dict[str, tuple[bool, bool]]:
    """{manager: (active, enabled)} of a running host."""
    if not os.path.isdir("/run/systemd/system"):
        raise Unavailable("which programs manage the network can only be told where systemd starts them")
    blocks = said(["systemctl", "show", "--property=Id,ActiveState,UnitFileState", *UNITS.values()]).split("\n\n")
    found = {}
    for name, block in zip(UNITS, blocks):  # noqa: B905 - Python 3.9
        values = dict(line.partition("=")[::2] for line in block.strip().splitlines())
        enabled = values.get("UnitFileState", "") in ("enabled", "enabled-runtime", "generated")
        found[name] = (values.get("ActiveState") == "active", enabled)
    return found


def _enabled(tree: Tree, unit: str) -> bool:
    return bool(tree.glob(f"/etc/systemd/system/*.wants/{unit}"))


def _links(tree: Tree) -> list[str]:
    return sorted(os.listdir("/sys/class/net")) if tree.is_live else []


def _owned(name: str, configured: Configured) -> list[str]:
    """The interfaces that an active manager has in hand."""
    if name == "NetworkManager":
        rows = (line.rsplit(":", 1) for line in said(["nmcli", "-t", "-f", "DEVICE,STATE", "device"]).splitlines())
        return sorted(
            row[0].replace("\\:", ":") for row in rows if len(row) == 2 and not row[1].startswith("unmanaged")
        )
    if name == "systemd-networkd":
        rows = (line.split() for line in said(["networkctl", "list", "--no-legend", "--no-pager"]).splitlines())
        return sorted(row[1] for row in rows if len(row) == 5 and row[4] in _SETUP_OWNED)
    return sorted(configured)


# -- what each one's files say -----------------------------------------------------------------------------------------


def _entry(path: str) -> dict[str, Any]:
    return {"paths": [path], "gateways": [], "dhcp": False}


def _merge(found: Configured, interface: str, path: str) -> dict[str, Any]:
    entry = found.setdefault(interface, _entry(path))
    if path not in entry["paths"]:
        entry["paths"].append(path)
    return entry


def _text(tree: Tree, path: str) -> str:
    try:
        return tree.read_text(path)
    except (FileNotFoundError, Unavailable):
        return ""


def _of_networkd(tree: Tree, links: list[str]) -> Configured:
    found: Configured = {}
    files: dict[str, str] = {}
    for directory in reversed(_NETWORKD):
        files.update({os.path.basename(path): path for path in tree.glob(f"{directory}/*.network")})
    taken: set[str] = set()
    for name in sorted(files):
        settings = list(_ini(_text(tree, files[name])))
        patterns = [p for section, key, value in settings if (section, key) == ("Match", "Name") for p in value.split()]
        # The first file that matches an interface is the only one that is read for it (systemd.network(5)).
        matched = [link for link in (links or patterns) if any(fnmatch.fnmatch(link, p) for p in patterns)]
        mine = [link for link in matched if link not in taken]
        taken.update(mine)
        if ("Link", "Unmanaged", "yes") in settings or files[name].startswith("/usr/lib/"):
            continue
        for link in mine:
            entry = _merge(found, link, files[name])
            for section, key, value in settings:
                if key == "Gateway" and section in ("Network", "Route"):
                    entry["gateways"].append(value)
                elif (section, key) == ("Network", "DHCP"):
                    entry["dhcp"] = value in ("yes", "true", "ipv4", "ipv6")
    return found


def _ini(text: str) -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and line[0] not in "#;":
            key, _equals, value = line.partition("=")
            yield section, key.strip(), value.strip()


def interfaces_files(tree: Tree) -> list[str]:
    """The files of ifupdown: /etc/network/interfaces and what it sources."""
    main = "/etc/network/interfaces"
    files = [main] if tree.exists(main) else []
    for line in _lines(tree, main):
        words = line.split()
        if len(words) == 2 and words[0] == "source":
            files += tree.glob(words[1] if words[1].startswith("/") else f"/etc/network/{words[1]}")
        elif len(words) == 2 and words[0] == "source-directory":
            folder = words[1] if words[1].startswith("/") else f"/etc/network/{words[1]}"
            files += [
                path for path in tree.glob(f"{folder}/*") if re.fullmatch(r"[A-Za-z0-9_-]+", os.path.basename(path))
            ]
    return list(dict.fromkeys(files))


def _lines(tree: Tree, path: str) -> list[str]:
    """The lines of a file of ifupdown; a backslash at the end of one joins it with the next (interfaces(5))."""
    return _text(tree, path).replace("\\\n", " ").split("\n")


def _of_ifupdown(tree: Tree, links: list[str]) -> Configured:
    """Interfaces that ifupdown brings up by itself (auto, allow-hotplug), less lo."""
    brought: set[str] = set()
    stanzas: Configured = {}
    for path in interfaces_files(tree):
        current = None
        for line in _lines(tree, path):
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            if words[0] in ("auto", "allow-hotplug", "allow-auto"):
                brought.update(words[1:])
                current = None
            elif words[0] == "iface" and len(words) >= 4:
                current = _merge(stanzas, words[1], path)
                current["dhcp"] = current["dhcp"] or words[3] == "dhcp"
            elif words[0] in ("mapping", "source", "source-directory", "rename", "no-auto-down", "no-scripts"):
                current = None
            elif current is not None and words[0] == "gateway" and len(words) > 1:
                current["gateways"].append(words[1])
    return {name: entry for name, entry in stanzas.items() if name in brought and name != "lo"}


def _of_ifcfg(manager: str) -> Callable[[Tree, list[str]], Configured]:
    def of(tree: Tree, links: list[str]) -> Configured:
        found: Configured = {}
        for path in tree.glob(f"{_IFCFG[manager]}/ifcfg-*"):
            pairs = (
                line.partition("=") for line in _text(tree, path).splitlines() if not line.lstrip().startswith("#")
            )
            values = {key.strip().upper(): value.strip().strip("\"'") for key, _equals, value in pairs}
            name = values.get("DEVICE") or os.path.basename(path)[len("ifcfg-") :]
            starts = values.get("ONBOOT", "").lower() == "yes" or values.get("STARTMODE", "").lower() in (
                "auto",
                "hotplug",
            )
            if name == "lo" or not starts:
                continue
            entry = _merge(found, name, path)
            entry["gateways"] += [values["GATEWAY"]] if values.get("GATEWAY") else []
            entry["dhcp"] = values.get("BOOTPROTO", "").lower() == "dhcp"
        return found

    return of


def _of_network_manager(tree: Tree, links: list[str]) -> Configured:
    """Keyfiles; which interfaces it owns is asked from it, since it takes those that nothing names too."""
    found: Configured = {}
    for path in tree.glob("/etc/NetworkManager/system-connections/*"):
        settings = list(_ini(_text(tree, path)))
        name = next(
            (value for section, key, value in settings if (section, key) == ("connection", "interface-name")), ""
        )
        if not name:
            continue
        entry = _merge(found, name, path)
        for section, key, value in settings:
            if section in ("ipv4", "ipv6") and key == "gateway":
                entry["gateways"].append(value)
            elif section == "ipv4" and re.fullmatch(r"address\d+", key) and "," in value:
                entry["gateways"].append(value.split(",")[1].strip())
            elif section == "ipv4" and key == "method":
                entry["dhcp"] = value == "auto"
    return found


_CONFIGURED: dict[str, Callable[[Tree, list[str]], Configured]] = {
    "NetworkManager": _of_network_manager,
    "systemd-networkd": _of_networkd,
    "ifupdown": _of_ifupdown,
    "network-scripts": _of_ifcfg("network-scripts"),
    "wicked": _of_ifcfg("wicked"),
}


def same_metric(routes: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Groups of default routes of one family that have one metric, so that chance decides between them."""
    groups: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for route in routes:
        groups.setdefault((route["family"], route["metric"]), []).append(route)
    return [group for group in groups.values() if len(group) > 1]
