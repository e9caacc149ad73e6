# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run real guests with VNC on two computes, a real nova-novncproxy on the controller, and a packet filter between them."""

from __future__ import annotations

import json
import re
from textwrap import dedent

from ..hosts import Hosts
from ._breaker import Breaker

CONTROLLER = "controller1"
COMPUTES = ("compute1", "compute2")
KEPT = "/root/lab-consoles"
PROXY = "nova-novncproxy"

# What a container cannot do for libvirt: groups, mounts, labels, and a memory lock. The guest is the same.
_QEMU_CONF = """
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
remember_owner = 0
"""

# A server as nova's driver defines it, as far as its console is concerned.
_DOMAIN = """
<domain type='qemu'>
  <name>instance-0000000a</name>
  <uuid>{uuid}</uuid>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1"><nova:name>console</nova:name></nova:instance>
  </metadata>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {graphics}
  </devices>
</domain>
"""
_UUIDS = {"compute1": "7d3a1f9e-5f57-4a5c-8f0e-2f4b6a1c0d11", "compute2": "7d3a1f9e-5f57-4a5c-8f0e-2f4b6a1c0d12"}
_VNC = "<graphics type='vnc' autoport='yes' listen='0.0.0.0'/><video><model type='vga'/></video>"

# The order that Red Hat's installations came with: what is allowed, and a REJECT of all the rest.
_IPTABLES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m conntrack --ctstate NEW -m tcp --dport 22 -j ACCEPT
{rules}-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""
_NFT = """\
flush ruleset

table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
		iifname "lo" accept
		tcp dport 5900-6100 reject with tcp reset
	}
}
"""

# What a browser's console does behind the proxy: connect, and wait for the greeting of VNC's protocol.
_GREET = """
import socket, sys
for word in sys.argv[1:]:
    host, address, port = word.split(",")
    try:
        with socket.create_connection((address, int(port)), timeout=5) as console:
            console.settimeout(5)
            greeting = console.recv(12)
            said = "" if greeting.startswith(b"RFB ") else "no greeting: %r" % greeting
    except OSError as error:
        said = "%s" % error
    if said:
        print("%s: Failed to connect to server (%s)" % (host, said))
"""


def break_(hosts: Hosts) -> None:
    """compute1 ends its iptables with a REJECT, compute2 resets connections to its console ports with nft."""
    _consoles(hosts)
    _iptables(hosts, "")
    hosts.must("compute2", ["tee", "/etc/nftables.conf"], input=_NFT)
    hosts.must("compute2", ["nft", "-f", "/etc/nftables.conf"])


def mend(hosts: Hosts) -> None:
    """End guests, libvirt and proxy, and have the packet filters and files that were there before."""
    for name in COMPUTES:
        if hosts.ssh(name, ["test", "-d", KEPT]).returncode == 0:
            hosts.must(name, ["sh", "-ec", _MEND])
    unit = f"/etc/systemd/system/{PROXY}.service"
    stop = f"[ ! -e {unit} ] || systemctl disable --quiet --now {PROXY}; rm -f {unit} /usr/local/bin/{PROXY}"
    hosts.must(CONTROLLER, ["sh", "-c", f"{stop}; systemctl daemon-reload"])


_MEND = dedent(f"""\
    for guest in $(virsh --quiet list --name); do virsh --quiet destroy $guest; done
    systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket virtlogd.service virtlogd.socket \\
      virtlogd-admin.socket
    rm -rf /etc/libvirt
    cp -a {KEPT}/libvirt /etc/libvirt
    cp -a {KEPT}/nova.conf /etc/nova/nova.conf
    rm -rf /etc/iptables /etc/nftables.conf
    [ ! -e {KEPT}/nftables.conf ] || cp -a {KEPT}/nftables.conf /etc/nftables.conf
    nft flush ruleset
    rm -rf {KEPT}
    """)


def symptom(hosts: Hosts) -> str | None:
    """What the controller meets where the proxy would connect to each console."""
    consoles = []
    for name in COMPUTES:
        shown = hosts.must(name, ["sh", "-c", "cat /run/libvirt/qemu/*.xml 2>/dev/null || true"])
        ports = re.findall(r"<graphics type='vnc' port='(\d+)'", shown)
        consoles += [f"{name},{hosts.addresses()[name]},{port}" for port in ports]
    said = hosts.must(CONTROLLER, ["python3", "-c", _GREET, *consoles]).strip()
    return said or None


def state(hosts: Hosts) -> dict[str, str]:
    """The rules in force, which no file tells; without what they counted."""
    rules = {}
    for name in COMPUTES:
        listed = hosts.must(name, ["sh", "-c", "iptables-save -t filter; nft list ruleset"])
        rules[name] = re.sub(r"^#.*\n|\[\d+:\d+\]| packets \d+ bytes \d+", "", listed, flags=re.M)
    return rules


def admitted(hosts: Hosts) -> None:
    """The same REJECT, behind a rule that lets the controller through."""
    _consoles(hosts)
    source = hosts.addresses()[CONTROLLER]
    _iptables(hosts, f"-A INPUT -s {source}/32 -p tcp -m tcp --dport 5900:6100 -j ACCEPT\n")


def no_guest(hosts: Hosts) -> None:
    """The same REJECT, on computes where no server runs: nobody misses a console."""
    _consoles(hosts, guests=False)
    _iptables(hosts, "")


def without_vnc(hosts: Hosts) -> None:
    """The same REJECT, and servers without VNC, as with `[vnc] enabled = false`."""
    _consoles(hosts, graphics="")
    _iptables(hosts, "")


def _iptables(hosts: Hosts, rules: str) -> None:
    text = _IPTABLES.format(rules=rules)
    hosts.must("compute1", ["sh", "-c", "mkdir -p /etc/iptables && cat >/etc/iptables/rules.v4"], input=text)
    hosts.must("compute1", ["iptables-restore", "/etc/iptables/rules.v4"])


def _consoles(hosts: Hosts, *, graphics: str = _VNC, guests: bool = True) -> None:
    """What a working cloud has: servers with a console on the computes, and the proxy on the controller."""
    addresses = hosts.addresses()
    for name in COMPUTES:
        hosts.must(name, ["sh", "-ec", _KEEP])
        options = {"server_listen": "0.0.0.0", "server_proxyclient_address": addresses[name]}
        hosts.must(name, ["python3", "-c", _SET, json.dumps(options)])
        hosts.must(name, ["sh", "-c", "cat >>/etc/libvirt/qemu.conf"], input=_QEMU_CONF)
        hosts.must(name, ["systemctl", "start", "virtlogd.socket", "libvirtd.service"])
        if guests:
            domain = _DOMAIN.format(uuid=_UUIDS[name], graphics=graphics)
            hosts.must(name, ["virsh", "--quiet", "create", "/dev/stdin"], input=domain)
    hosts.must(CONTROLLER, ["sh", "-ec", _PROXY_START], input=_PROXY_PROGRAM)


_KEEP = dedent(f"""\
    [ ! -d {KEPT} ] || exit 0
    install -d -m 0700 {KEPT}
    cp -a /etc/libvirt /etc/nova/nova.conf {KEPT}
    [ ! -e /etc/nftables.conf ] || cp -a /etc/nftables.conf {KEPT}
    """)

_SET = """
import json, re, sys
path = "/etc/nova/nova.conf"
with open(path) as file:
    text = file.read()
text = re.sub(r"(?m)^(server_listen|server_proxyclient_address)\\s*=.*\\n", "", text)
lines = "".join("%s = %s\\n" % pair for pair in json.loads(sys.argv[1]).items())
text = text.replace("[vnc]\\n", "[vnc]\\n" + lines, 1) if "[vnc]\\n" in text else text + "\\n[vnc]\\n" + lines
with open(path, "w") as file:
    file.write(text)
"""

# The program that nova's package nova-novncproxy installs; the image has its Python code.
_PROXY_PROGRAM = """\
#!/usr/bin/python3
import sys
from nova.cmd.novncproxy import main
sys.exit(main())
"""
_PROXY_START = dedent(f"""\
    cat >/usr/local/bin/{PROXY}
    chmod 0755 /usr/local/bin/{PROXY}
    cat >/etc/systemd/system/{PROXY}.service <<'EOF'
    [Unit]
    Description=OpenStack Compute noVNC proxy

    [Service]
    User=nova
    ExecStart=/usr/local/bin/{PROXY} --web /usr/share --log-file /var/log/nova/{PROXY}.log

    [Install]
    WantedBy=multi-user.target
    EOF
    systemctl daemon-reload
    systemctl enable --quiet --now {PROXY}
    """)


BREAKER = Breaker(
    fault="console_ports_blocked",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    state=state,
    near_misses={
        "REJECT behind an ACCEPT for the proxies": admitted,
        "no server runs": no_guest,
        "servers without VNC": without_vnc,
    },
)
