# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read where this compute's servers offer their VNC consoles, and try those of others from a host with nova-novncproxy.

The proxy connects to `[vnc] server_proxyclient_address` of the compute and to the port that libvirt gave to the guest
(nova/virt/libvirt/driver.py get_vnc_console), so that is what is tried; nothing is sent.
"""

from __future__ import annotations

import concurrent.futures
import errno
import ipaddress
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional
from xml.etree import ElementTree

from .._model import Unavailable
from .._numbers import whole
from . import compute, firewall, services
from ._tree import Tree

PROXY = "nova-novncproxy"
GUESTS = "/run/libvirt/qemu/*.xml"
# About 200 guests; libvirt itself would go up to 65535 (FAULTS.md F18).
PORTS = (5900, 6100)
AT_ONCE = 32
PROBE_SECONDS = 5.0
ALL_SECONDS = 60.0
_NOVA = re.compile(r"^\{http://openstack\.org/xmlns/libvirt/nova/")
_PROHIBITED = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM)


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """{"compute": what its consoles need, or None, "proxy": what was tried from here, or None}.

    options: as for `services`, and console_listeners: [{"host": inventory name, "address", "ports": [...]}], what other
      hosts said here as "listener".
    compute, of a host on which nova's servers have VNC consoles: {"address", "listen" (as nova.conf has them),
      "consoles": [{"server": uuid, "listen", "port"}], "ports": [first, last], "interface", "listener": {"address",
      "ports"}, "firewall": as `firewall.read` gives it}.
    proxy, of a host where nova-novncproxy runs: {"probes": [{"host", "address", "port", "source", "kind", "message"}]},
      kind one of ok, refused, prohibited, timeout, unresolved, failed, untried.
    Raises Unavailable where the guests of a compute cannot be listed.
    """
    if not tree.is_live:
        config = compute.configuration(tree, options)
        if config and config.text("DEFAULT", "compute_driver").startswith("libvirt"):
            raise Unavailable("the consoles of a directory tree cannot be tried; run the check on the host itself")
        return {"compute": None, "proxy": None}
    return {"compute": _compute(tree, options), "proxy": _proxy(tree, options)}


def _compute(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    consoles = guests(tree)
    if not consoles:
        return None
    config = compute.configuration(tree, options)
    if config is None:
        raise Unavailable("servers of nova run here, but its configuration was not found: set config_files for nova")
    address = config.text("vnc", "server_proxyclient_address", "127.0.0.1")
    address = _own_address() if address == "$my_ip" else address
    reachable = sorted({console["port"] for console in consoles if not is_loopback(console["listen"])})
    return {
        "address": address,
        "listen": config.text("vnc", "server_listen", "127.0.0.1"),
        "consoles": consoles,
        "ports": _ports(tree, [console["port"] for console in consoles]),
        "interface": _interface(address),
        # A packet filter is the same for all guests of a host, but for the end of a range of ports.
        "listener": {"address": address, "ports": sorted({*reachable[:1], *reachable[-1:]})},
        "firewall": firewall.read(tree),
    }


def guests(tree: Tree) -> list[dict[str, Any]]:
    """The VNC consoles of nova's running servers, as libvirt keeps its running domains."""
    consoles = []
    directory = os.path.dirname(GUESTS)
    if tree.is_dir(directory) and not os.access(tree.path(directory), os.R_OK | os.X_OK):
        raise Unavailable(f"{directory} cannot be read: run the check as root (become: true)")
    for path in tree.glob(GUESTS):
        try:
            root = ElementTree.fromstring(tree.read_bytes(path))
        except FileNotFoundError:
            continue  # it ended
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            raise Unavailable(f"{path}, in which libvirt keeps a running domain, cannot be read: {error}") from error
        domain = root if root.tag == "domain" else root.find("domain")
        if domain is None or not any(_NOVA.match(entry.tag) for entry in domain.iterfind("metadata/*")):
            continue
        for graphics in domain.iterfind("devices/graphics[@type='vnc']"):
            port = whole(graphics.get("port") or "")
            if port:
                listen = graphics.get("listen") or _listen(graphics)
                consoles.append({"server": domain.findtext("uuid") or "", "listen": listen, "port": port})
    return sorted(consoles, key=lambda console: int(console["port"]))


def _listen(graphics: ElementTree.Element) -> str:
    return next((entry.get("address") or "" for entry in graphics.iterfind("listen[@type='address']")), "127.0.0.1")


def is_loopback(address: str) -> bool:
    """Whether only programs of the same host can connect to an address or name."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address in ("localhost", "localhost.localdomain", "localhost6")


def _ports(tree: Tree, used: Sequence[int]) -> list[int]:
    """The ports that libvirt gives to consoles: as qemu.conf says, otherwise the first 200 and as many as are in use."""
    said: dict[str, int] = {}
    try:
        text = tree.read_text("/etc/libvirt/qemu.conf")
    except (OSError, Unavailable):
        text = ""
    for end, value in re.findall(r"^[ \t]*remote_display_port_(min|max)[ \t]*=[ \t]*([0-9]{1,9})", text, re.M):
        said[end] = int(value)
    first = said.get("min", PORTS[0])
    return [min([first, *used]), max([said.get("max", max(PORTS[1], first + 200)), *used])]


def _own_address() -> str:
    """What nova takes for `my_ip` where that is not set: the address of the default route (oslo_utils.netutils)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.0", 80))  # a datagram socket: no packet is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _interface(address: str) -> str:
    """The interface that has an address; "" where that cannot be told."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return ""
    try:
        shown = firewall.run(["ip", f"-{version}", "-o", "addr", "show", "to", address]) or ""
    except Unavailable:
        return ""
    match = re.match(r"\d+: (\S+?)(?:@\S+)?\s", shown)
    return match.group(1) if match else ""


# -- from the proxy --------------------------------------------------------------------------------------------------


def _proxy(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    # Enabled, not only running: whether its process can be seen depends on the rights that the check runs with.
    if not any(program.name == PROXY for program in services.present(tree)):
        return None
    own = options.get("host")
    wanted = [
        (str(listener["host"]), str(listener["address"]), int(port))
        for listener in options.get("console_listeners") or ()
        for port in listener["ports"]
        # A loopback address leads to this host, whichever compute it stands for.
        if listener["host"] == own or not is_loopback(str(listener["address"]))
    ]
    until = time.monotonic() + ALL_SECONDS

    def attempt(console: tuple[str, str, int]) -> dict[str, Any]:
        host, address, port = console
        found = {"kind": "untried", "message": f"{ALL_SECONDS:.0f} s were over", "source": ""}
        if until - time.monotonic() > 0:
            found = connect(address, port)
        return {"host": host, "address": address, "port": port, **found}

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return {"probes": list(pool.map(attempt, wanted))}


def connect(address: str, port: int, seconds: float = PROBE_SECONDS) -> dict[str, str]:
    """{"kind", "message", "source"} of one TCP connection; source is the address it was, or would be, made from."""
    try:
        family, kind, protocol, _name, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:  # UnicodeError: two dots in a row, a label of 64 characters
        return {"kind": "unresolved", "message": str(getattr(error, "strerror", None) or error), "source": ""}
    with socket.socket(family, kind, protocol) as attempt:
        attempt.settimeout(seconds)
        try:
            attempt.connect(where)
        except socket.timeout:  # TimeoutError itself since Python 3.10 only
            return {"kind": "timeout", "message": f"no answer within {seconds:.0f} s", "source": _source(where, family)}
        except OSError as error:
            refused = "prohibited" if error.errno in _PROHIBITED else "failed"
            found = "refused" if error.errno == errno.ECONNREFUSED else refused
            return {"kind": found, "message": str(error.strerror), "source": _source(where, family)}
        return {"kind": "ok", "message": "", "source": str(attempt.getsockname()[0])}


def _source(where: Any, family: int) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(where)  # a datagram socket: no packet is sent
            return str(probe.getsockname()[0])
        except OSError:
            return ""
