# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Break ssh between computes in three ways at once: no key, no login shell, and an old host key."""

from __future__ import annotations

from ..hosts import Hosts
from ._breaker import Breaker

COMPUTES = ("compute1", "compute2", "compute3")
SSH = "/var/lib/nova/.ssh"
KEPT = "/root/lab-migration-ssh"

# nova's own way to another compute; it names the first one that it cannot reach.
_GO = """
import sys
from oslo_concurrency import processutils
from nova import exception, utils
for address in sys.argv[1:]:
    try:
        utils.ssh_execute(address, "mkdir", "-p", "/var/lib/nova/instances")
    except processutils.ProcessExecutionError as error:
        said = (error.stderr or error.stdout).strip().splitlines() or ["exit status %s" % error.exit_code]
        print(exception.ResizeError(reason="not able to execute ssh command: " + said[-1]))
        break
"""


def break_(hosts: Hosts) -> None:
    """compute1 has lost its key, the nova of compute2 may not log in, compute3 knows an old host key of compute1."""
    _keep(hosts)
    hosts.must("compute1", ["rm", f"{SSH}/id_ed25519", f"{SSH}/id_ed25519.pub"])
    hosts.must("compute2", ["usermod", "--shell", "/usr/sbin/nologin", "nova"])
    # A key that was valid once: its own, as after a reinstallation.
    hosts.must("compute1", ["sh", "-c", "ssh-keygen -q -t ed25519 -N '' -f /root/old && rm /root/old"])
    old = hosts.must("compute1", ["cut", "-d", " ", "-f", "1-2", "/root/old.pub"]).strip()
    hosts.must("compute1", ["rm", "/root/old.pub"])
    address = hosts.addresses()["compute1"]
    hosts.must("compute3", ["sed", "-i", f"/^compute1,/d;$a compute1,{address} {old}", f"{SSH}/known_hosts"])


def mend(hosts: Hosts) -> None:
    """Put nova's ssh, its shell and sshd back as they were."""
    for name in COMPUTES:
        if hosts.ssh(name, ["test", "-d", KEPT]).returncode == 0:
            hosts.must(
                name,
                [
                    "sh",
                    "-ec",
                    f"rm -rf {SSH} && cp -a {KEPT}/ssh {SSH}; usermod --shell $(cat {KEPT}/shell) nova;"
                    f" rm -f /etc/ssh/sshd_config.d/near-miss.conf /etc/ssh/*-cert.pub; rm -rf {KEPT};"
                    " systemctl reload ssh",
                ],
            )


def symptom(hosts: Hosts) -> str | None:
    """What nova says when it has to copy a disk to another compute."""
    addresses = hosts.addresses()
    for name in COMPUTES:
        others = [addresses[peer] for peer in COMPUTES if peer != name]
        # Without a cache directory: looking must leave nothing behind.
        look = ["env", "XDG_CACHE_HOME=/nonexistent", "python3", "-W", "ignore", "-c", _GO, *others]
        said = hosts.must(name, look, user="nova").strip()
        if said:
            return f"{name}: {said}"
    return None


def other_key_name(hosts: Hosts) -> None:
    """The key has another of the names that ssh tries by itself."""
    _keep(hosts)
    hosts.must("compute1", ["mv", f"{SSH}/id_ed25519", f"{SSH}/id_rsa"], user="nova")
    hosts.must("compute1", ["mv", f"{SSH}/id_ed25519.pub", f"{SSH}/id_rsa.pub"], user="nova")


def restricted_key(hosts: Hosts) -> None:
    """Keys that are admitted from the computes' network only."""
    _keep(hosts)
    network = hosts.addresses()["compute1"].rpartition(".")[0] + ".0/24"
    for name in COMPUTES:
        hosts.must(name, ["sed", "-i", f's#^ssh-#from="{network}",no-pty &#', f"{SSH}/authorized_keys"])


def other_port(hosts: Hosts) -> None:
    """compute2 is reached on a port that only ~/.ssh/config names; its usual port is not known."""
    _keep(hosts)
    address = hosts.addresses()["compute2"]
    hosts.must("compute2", ["sh", "-c", "printf 'Port 22\\nPort 8022\\n' >/etc/ssh/sshd_config.d/near-miss.conf"])
    hosts.must("compute2", ["systemctl", "reload", "ssh"])
    for name in ("compute1", "compute3"):
        hosts.must(name, ["sh", "-c", f"printf 'Host {address}\\n  Port 8022\\n' >{SSH}/config"], user="nova")
        hosts.must(name, ["sed", "-i", f"s/^compute2,{address} /[{address}]:8022 /", f"{SSH}/known_hosts"])


def host_certificates(hosts: Hosts) -> None:
    """No host key is known, only the authority that signs them (as OpenStack-Ansible deploys it)."""
    _keep(hosts)
    hosts.must("compute1", ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{KEPT}/ca"])
    authority = hosts.must("compute1", ["cut", "-d", " ", "-f", "1-2", f"{KEPT}/ca.pub"]).strip()
    private = hosts.must("compute1", ["cat", f"{KEPT}/ca"])
    for name in COMPUTES:
        sign = (
            f"umask 077; cat >{KEPT}/ca; ssh-keygen -q -s {KEPT}/ca -I {name} -h -n {hosts.addresses()[name]},{name} "
            "/etc/ssh/ssh_host_ed25519_key.pub; "
            "echo HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub >/etc/ssh/sshd_config.d/near-miss.conf; "
            f"systemctl reload ssh; echo '@cert-authority * {authority}' >{SSH}/known_hosts"
        )
        hosts.must(name, ["sh", "-ec", sign], input=private)


def hashed_names(hosts: Hosts) -> None:
    """known_hosts names its hosts by hashes only."""
    _keep(hosts)
    for name in COMPUTES:
        hosts.must(name, ["sh", "-ec", f"ssh-keygen -q -H -f {SSH}/known_hosts; rm {SSH}/known_hosts.old"], user="nova")


def _keep(hosts: Hosts) -> None:
    for name in COMPUTES:
        hosts.must(
            name,
            [
                "sh",
                "-ec",
                f"[ -d {KEPT} ] || {{ install -d -m 0700 {KEPT}; cp -a {SSH} {KEPT}/ssh;"
                f" getent passwd nova | cut -d : -f 7 >{KEPT}/shell; }}",
            ],
        )


BREAKER = Breaker(
    fault="migration_ssh_broken",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "key under another name": other_key_name,
        "key restricted to the computes' network": restricted_key,
        "port in ~/.ssh/config": other_port,
        "host certificates": host_certificates,
        "hashed known_hosts": hashed_names,
    },
    approve="disruptive",
)
