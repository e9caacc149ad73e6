# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let ifupdown and systemd-networkd configure one interface of a host, each with a default route."""

from __future__ import annotations

from ..hosts import Hosts
from ._breaker import Breaker

HOST = "compute2"
_LINK = "ip link show {0} >/dev/null 2>&1 || ip link add {0} type veth peer name {0}p; ip link set {0}p up"
_NETWORKD = "[Match]\nName={name}\n\n[Network]\nAddress={address}/24\n{rest}"
# Without this networkd takes every route away that it does not know, and the two managers win by turns.
_KEEP_ROUTES = "/etc/systemd/networkd.conf.d"
# The hosts' containers lack one of the capabilities that its unit asks for, CAP_NET_BROADCAST.
_DROP_IN = "/run/systemd/system/systemd-networkd.service.d"
_CAPABILITIES = "CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW"
_IFUPDOWN = "auto {name}\niface {name} inet static\n  address {address}/24\n{rest}"


def break_(hosts: Hosts) -> None:
    """ifupdown brings lab0 up; networkd, which has lab1 as well, adds its own gateway to lab0."""
    _links(hosts)
    _ifupdown(hosts, "lab0", "198.51.100.10", "  gateway 198.51.100.2\n")
    _networkd(hosts, "lab0", "198.51.100.10", "Gateway=198.51.100.1\n")
    _networkd(hosts, "lab1", "203.0.113.10", "")
    _start(hosts)


def mend(hosts: Hosts) -> None:
    """Take the interfaces, their files and both managers away again."""
    hosts.must(
        HOST,
        [
            "sh",
            "-c",
            "systemctl stop systemd-networkd.socket systemd-networkd.service networking.service 2>/dev/null;"
            " systemctl reset-failed systemd-networkd.service networking.service 2>/dev/null;"
            " rm -f /etc/systemd/network/*lab*.network /etc/network/interfaces.d/lab* /run/network/ifstate*;"
            " for link in lab0 lab1; do ip link del $link 2>/dev/null; done;"
            f" rm -rf {_DROP_IN} {_KEEP_ROUTES}; systemctl daemon-reload",
        ],
    )


def symptom(hosts: Hosts) -> str | None:
    """The default routes, when there are two that nothing but chance decides between."""
    lines = hosts.must(HOST, ["ip", "-4", "route", "show", "default"]).strip().splitlines()
    metrics = [line.partition(" metric ")[2].split()[:1] for line in lines]
    if any(metrics.count(metric) > 1 for metric in metrics):
        return "two default routes: " + "; ".join(line.strip() for line in lines)
    return None


def an_interface_each(hosts: Hosts) -> None:
    """Both managers run, and each has an interface of its own."""
    _links(hosts)
    _ifupdown(hosts, "lab0", "198.51.100.10", "  gateway 198.51.100.2\n")
    _networkd(hosts, "lab1", "203.0.113.10", "")
    _start(hosts)


def two_metrics(hosts: Hosts) -> None:
    """Two default routes of one manager, with different metrics: one stands in for the other."""
    _links(hosts)
    _networkd(hosts, "lab0", "198.51.100.10", "Gateway=198.51.100.1\n")
    _networkd(hosts, "lab1", "203.0.113.10", "\n[Route]\nGateway=203.0.113.1\nMetric=500\n")
    _start_networkd(hosts)
    _wait(hosts, "dev lab1")


def _links(hosts: Hosts) -> None:
    for name in ("lab0", "lab1"):
        hosts.must(HOST, ["sh", "-ec", _LINK.format(name)])


def _start_networkd(hosts: Hosts) -> None:
    lines = [f"{name}=\n{name}={_CAPABILITIES}" for name in ("AmbientCapabilities", "CapabilityBoundingSet")]
    hosts.must(HOST, ["mkdir", "-p", _DROP_IN, _KEEP_ROUTES])
    hosts.must(HOST, ["tee", f"{_KEEP_ROUTES}/lab.conf"], input="[Network]\nManageForeignRoutes=no\n")
    hosts.must(HOST, ["tee", f"{_DROP_IN}/lab.conf"], input="\n".join(["[Service]", *lines, ""]))
    hosts.must(HOST, ["sh", "-ec", "systemctl daemon-reload; systemctl start systemd-networkd.service"])


def _ifupdown(hosts: Hosts, name: str, address: str, rest: str) -> None:
    text = _IFUPDOWN.format(name=name, address=address, rest=rest)
    hosts.must(HOST, ["tee", f"/etc/network/interfaces.d/{name}"], input=text)


def _networkd(hosts: Hosts, name: str, address: str, rest: str) -> None:
    text = _NETWORKD.format(name=name, address=address, rest=rest)
    hosts.must(HOST, ["tee", f"/etc/systemd/network/50-{name}.network"], input=text)


def _start(hosts: Hosts) -> None:
    """First ifupdown, then networkd: the order of a boot."""
    hosts.must(HOST, ["systemctl", "start", "networking.service"])
    _start_networkd(hosts)
    _wait(hosts, "dev lab0")


def _wait(hosts: Hosts, route: str) -> None:
    """Until networkd has done what it was told: its interfaces are configured."""
    done = "until networkctl list --no-legend --no-pager | grep -q 'lab1 .* configured'; do sleep 0.2; done"
    hosts.must(HOST, ["timeout", "30", "sh", "-c", done])
    hosts.must(
        HOST, ["timeout", "30", "sh", "-c", f"until ip -4 route show default | grep -q '{route}'; do sleep 0.2; done"]
    )


BREAKER = Breaker(
    fault="network_managers_conflict",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "two managers with an interface each": an_interface_each,
        "two default routes with different metrics": two_metrics,
    },
    approve="disruptive",
)
