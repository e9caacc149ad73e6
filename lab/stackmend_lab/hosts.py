# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's test hosts: one controller and three computes, systemd containers that are reached over ssh.

    python -m stackmend_lab.hosts build | up | deploy | break | mend | down | status

The image is Debian 12 with its own nova (Zed) and libvirt, made by debootstrap from the mirror that this machine's apt
uses; nothing is pulled from a container registry. The hosts have no more rights than NET_ADMIN and NET_RAW in their
own network namespace, whose network leads nowhere else, and SYS_PTRACE, as root has it, over their own processes.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib
import ipaddress
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

RECIPE = Path(__file__).resolve().parents[1] / "hosts"
SUITE = "bookworm"
IMAGE = "localhost/stackmend-host"
# Program or file that shows that a Debian package is there: the package.
TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
BOOT_SECONDS = 120
# Database migrations of a whole nova, on a machine with other things to do.
MUST_SECONDS = 400
# Linux takes 107 bytes, and ssh adds 17 while it makes a socket.
SOCKET_PATH = 90


class HostsError(RuntimeError):
    """The hosts cannot be had; the sentence says why and what to do."""


@dataclass(frozen=True)
class Member:
    """One host: its name, its inventory group, and the last number of its address."""

    name: str
    group: str
    number: int


MEMBERS = (
    Member("controller1", "controllers", 11),
    Member("compute1", "computes", 21),
    Member("compute2", "computes", 22),
    Member("compute3", "computes", 23),
)


def cache_directory() -> Path:
    """Where images and running hosts are remembered: $XDG_CACHE_HOME/stackmend/hosts."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stackmend" / "hosts"


def image_name() -> str:
    """The image of the present recipe; another recipe is another image."""
    recipe = (RECIPE / "rootfs.sh").read_bytes() + SUITE.encode()
    return f"{IMAGE}:{hashlib.sha256(recipe).hexdigest()[:12]}"


def build() -> str:
    """The name of the hosts' image, made first if this machine does not have it (minutes, once)."""
    _need_root()
    _install_tools()
    image = image_name()
    if _podman("image", "exists", image, check=False).returncode == 0:
        return image
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        archive = cache / f"{image.rpartition(':')[2]}.tar.gz"
        if not archive.exists():
            _make_archive(archive)
        _podman(
            "import",
            *("--change", 'CMD ["/sbin/init"]'),
            *("--change", "STOPSIGNAL SIGRTMIN+3"),
            str(archive),
            image,
            timeout=600,
        )
    return image


def _make_archive(archive: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=archive.parent) as work:
        settings, root, partial = Path(work, "settings"), Path(work, "root"), Path(work, archive.name)
        settings.mkdir(mode=0o700)
        mirror = _apt_settings(settings)
        environment = {**os.environ, **_apt_proxy()}
        with Path(work, "log").open("w+") as log:
            try:
                # A mount namespace of its own: /proc and /dev of the new root vanish with it, however it ends.
                subprocess.run(
                    ["unshare", "--mount", str(RECIPE / "rootfs.sh"), str(root), SUITE, mirror, str(settings)],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    timeout=3600,
                    check=True,
                )
            except subprocess.CalledProcessError as error:
                log.seek(0)
                tail = "".join(log.readlines()[-15:])
                raise HostsError(f"the hosts' file system could not be made; rootfs.sh ended with:\n{tail}") from error
        subprocess.run(
            ["tar", "-C", str(root), "--numeric-owner", "--xattrs", "-I", "gzip -1", "-cf", str(partial), "."],
            check=True,
            timeout=1200,
        )
        partial.rename(archive)


def _apt_settings(settings: Path) -> str:
    """Write what apt in the new root needs to reach this machine's mirror; returns that mirror.

    STACKMEND_DEBIAN_MIRROR names one where this machine is not a Debian 12.
    """
    own = os.environ.get("STACKMEND_DEBIAN_MIRROR")
    sources = f"deb {own} {SUITE} main\n" if own else "".join(f"{line}\n" for line in _apt_sources())
    mirrors = [line.split()[1] for line in sources.splitlines() if line.split()[2] == SUITE]
    if not mirrors:
        raise HostsError(
            f"this machine's apt knows no source of Debian {SUITE}: run apt-get update, or name a mirror in "
            "STACKMEND_DEBIAN_MIRROR"
        )
    (settings / "sources.list").write_text(sources)
    (settings / "apt.conf").write_text(_output("apt-config", "dump", "Acquire"))
    for name, origin in {"ca.crt": "/etc/ssl/certs/ca-certificates.crt", "auth.conf": "/etc/apt/auth.conf"}.items():
        if os.path.exists(origin):
            shutil.copy(origin, settings / name)
    return mirrors[0]


def _apt_sources() -> list[str]:
    wanted = ("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)", "IDENTIFIER: Packages")
    lines = set(_output(*wanted, "ORIGIN: Debian").splitlines())
    return sorted(line for line in lines if line.split()[2].startswith(SUITE))


def _apt_proxy() -> dict[str, str]:
    """apt's proxy, for debootstrap, which does not read apt's configuration."""
    proxy = _output("apt-config", "shell", "proxy", "Acquire::http::Proxy").strip()
    value = proxy.partition("=")[2].strip("'")
    return {"http_proxy": value} if value else {}


class Hosts:
    """A set of running test hosts.

    prefix: tells several sets apart; containers, the network and the state directory carry it.
    `inventory` is an Ansible inventory file (groups controllers, computes), there once `up` has returned.
    """

    def __init__(self, prefix: str = "stackmend", members: Sequence[Member] = MEMBERS) -> None:
        self.prefix = prefix
        self.members = {member.name: member for member in members}
        self.directory = cache_directory() / "run" / prefix
        self.inventory = self.directory / "inventory.yml"
        self.key = self.directory / "id_ed25519"
        self.known_hosts = self.directory / "known_hosts"

    def __enter__(self) -> Hosts:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def container(self, host: str) -> str:
        """The name of a host's container."""
        if host not in self.members:
            raise HostsError(f"there is no test host {host!r}; there are {', '.join(self.members)}")
        return f"{self.prefix}-{host}"

    def up(self) -> None:
        """Start the hosts, new ones each time, and wait until ssh answers on all of them."""
        build()
        self.down()
        self.directory.mkdir(parents=True, mode=0o700)
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stackmend lab", "-f", str(self.key))
        _podman("network", "create", "--internal", self.prefix)
        self._start(*self.members)

    def join(self, *members: Member) -> None:
        """Start more hosts beside those that are up, and put them into the inventory."""
        for member in members:
            self.members[member.name] = member
        self._start(*(member.name for member in members))

    def leave(self, *names: str) -> None:
        """Remove hosts that joined; nothing for one that did not."""
        there = [name for name in names if name in self.members]
        if there:
            _remove(*(self.container(name) for name in there))
            for name in there:
                del self.members[name]
            self.inventory.write_text(yaml.safe_dump(self._inventory(self.addresses()), sort_keys=False))

    def _start(self, *names: str) -> None:
        """Start these hosts, wait until they have booted, and write down how all are reached."""
        addresses = self.addresses()
        for name in names:
            _podman(
                *("run", "--detach", "--name", self.container(name), "--hostname", name),
                *("--network", self.prefix, "--ip", addresses[name], "--network-alias", name),
                *("--systemd", "always", "--cap-add", "NET_ADMIN,NET_RAW,SYS_PTRACE", image_name()),
            )
        key = self.key.with_suffix(".pub").read_text()
        authorize = "umask 077 && mkdir -p /root/.ssh && cat >/root/.ssh/authorized_keys"
        for name in names:
            self._inside(name, "sh", "-c", authorize, input=key)
        for name in names:
            self._wait_until_booted(name)
        self._write_known_hosts(addresses)
        self.inventory.write_text(yaml.safe_dump(self._inventory(addresses), sort_keys=False))

    def deploy(self) -> None:
        """Make the hosts what a deployment tool leaves: nova's services up, and ssh between the computes working."""
        addresses = self.addresses()
        computes = [name for name, member in self.members.items() if member.group == "computes"]
        told = {name: self._script(name, "deploy-compute.sh", name) for name in computes}
        for name in computes:
            arguments = []
            for peer in computes:
                if peer != name:
                    file = f"/root/{peer}.keys"
                    self.must(name, ["tee", file], input=told[peer])
                    arguments += [peer, addresses[peer], file]
            self._script(name, "deploy-compute.sh", name, *arguments)
        for name, member in self.members.items():
            if member.group == "controllers":
                self.deploy_controller(name)

    def deploy_controller(self, name: str) -> None:
        """Make one host a controller, for itself: nova's databases, conductor and scheduler, and placement."""
        self._script(name, "deploy-controller.sh")

    def down(self) -> None:
        """Remove the hosts, their network and what was kept of them; nothing where there are none."""
        _need_root()
        _remove(*(self.container(name) for name in self.members))
        _podman("network", "rm", "--force", self.prefix, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
        # the next set of this prefix has another network
        self.__dict__.pop("_subnet", None)

    def status(self) -> dict[str, str]:
        """The state of each host as podman says it: running, exited, absent."""
        states = {}
        for name in self.members:
            found = _podman("inspect", "--format", "{{.State.Status}}", self.container(name), check=False)
            states[name] = found.stdout.strip() if found.returncode == 0 else "absent"
        return states

    def addresses(self) -> dict[str, str]:
        """The address of each host in the set's own network."""
        return {name: str(self._subnet[member.number]) for name, member in self.members.items()}

    @cached_property
    def _subnet(self) -> ipaddress.IPv4Network:
        network = json.loads(_podman("network", "inspect", self.prefix).stdout)[0]
        return ipaddress.IPv4Network(network["subnets"][0]["subnet"])

    def ssh(
        self,
        host: str,
        argv: Sequence[str],
        *,
        user: str = "root",
        input: str = "",
        timeout: float = 120,
        new_session: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host over ssh, as root or by runuser as another user; never raises for its status.

        new_session: log in for it. Otherwise a connection that is there is used again: to make one takes longer than most of
        what is asked over it.
        """
        self.container(host)
        command = list(argv) if user == "root" else ["runuser", "-u", user, "--", *argv]
        path = str(self.directory / f"ssh{self.members[host].number}")
        if new_session or len(path) > SOCKET_PATH:
            path = "none"
        return subprocess.run(
            [
                *("ssh", "-i", str(self.key), "-o", f"UserKnownHostsFile={self.known_hosts}", "-F", "none"),
                *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"),
                *("-o", "ControlMaster=auto", "-o", f"ControlPath={path}", "-o", "ControlPersist=60"),
                f"root@{self.addresses()[host]}",
                shlex.join(command),
            ],
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def must(self, host: str, argv: Sequence[str], *, user: str = "root", input: str = "") -> str:
        """The output of a command that has to succeed; HostsError with what it said otherwise."""
        done = self.ssh(host, argv, user=user, input=input, timeout=MUST_SECONDS)
        if done.returncode:
            raise HostsError(
                f"{argv[0]} on {host} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}"
            )
        return done.stdout

    def copy(self, host: str, source: Path, target: str) -> None:
        """Copy a file of this machine to a host."""
        _podman("cp", str(source), f"{self.container(host)}:{target}")

    def snapshot(self, host: str, paths: Sequence[str]) -> dict[str, str]:
        """The state of files and directories, all the way down, for comparison: {path: "mode owner group content"}.

        The content is a hash, of a link its target; a path that is not there is not in the answer.
        """
        state: dict[str, str] = json.loads(self.must(host, ["python3", "-c", _SNAPSHOT, *paths]))
        return state

    def mount_disk(self, host: str, path: str, mebibytes: int, inodes: int = 4096) -> None:
        """Mount a new ext4 file system on a host, of a sparse file here; a host has no right to mount by itself."""
        file = self.directory / f"disk{path.replace('/', '-')}-{host}"
        with file.open("wb") as image:
            image.truncate(mebibytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(inodes), str(file))
        device = _run("losetup", "--find", "--show", str(file)).stdout.strip()
        try:
            number = str(os.minor(os.stat(device).st_rdev))
            pid = _podman("inspect", "--format", "{{.State.Pid}}", self.container(host)).stdout.strip()
            node = f"/root/lab-loop{number}"
            inside = ("nsenter", "--target", pid, "--mount", "--")
            _run(*inside, "mkdir", "-p", path)
            _run(*inside, "mknod", node, "b", str(os.major(os.stat(device).st_rdev)), number)
            _run(*inside, "mount", "-t", "ext4", node, path)
            _run(*inside, "rm", node)
        finally:
            # The kernel lets go of the file when the file system is unmounted, however the host ends.
            _run("losetup", "--detach", device)

    def unmount_disk(self, host: str, path: str) -> None:
        """Unmount it again; nothing where there is none."""
        pid = _podman("inspect", "--format", "{{.State.Pid}}", self.container(host)).stdout.strip()
        inside = ("nsenter", "--target", pid, "--mount", "--")
        if _run(*inside, "mountpoint", "-q", path, check=False).returncode == 0:
            _run(*inside, "umount", path)
        (self.directory / f"disk{path.replace('/', '-')}-{host}").unlink(missing_ok=True)

    def libvirt_refusal(self, domain_xml: str, host: str = "compute1") -> str | None:
        """What the real libvirt says when it refuses a domain; None when it defines it (it is then undefined again)."""
        self.must(host, ["systemctl", "start", "virtlogd.socket", "libvirtd.service"])
        name = "stackmend-lab-domain"
        defined = self.ssh(
            host, ["virsh", "--quiet", "define", "/dev/stdin"], input=domain_xml.replace("NAME", name, 1)
        )
        if defined.returncode == 0:
            self.must(host, ["virsh", "--quiet", "undefine", name])
            return None
        return defined.stderr.strip()

    def _script(self, host: str, script: str, *arguments: str) -> str:
        return self.must(host, ["bash", "-s", "--", *arguments], input=(RECIPE / script).read_text())

    def _inside(self, host: str, *argv: str, input: str = "") -> str:
        return _podman("exec", "--interactive", self.container(host), *argv, input=input).stdout

    def _wait_until_booted(self, host: str) -> None:
        until = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < until:
            state = _podman("exec", self.container(host), "systemctl", "is-system-running", check=False).stdout.strip()
            if state in ("running", "degraded"):
                break
            time.sleep(0.25)
        else:
            raise HostsError(f"{host} did not boot within {BOOT_SECONDS} s: podman logs {self.container(host)}")
        if state == "degraded":
            failed = self._inside(host, "systemctl", "--failed", "--plain", "--no-legend").strip()
            raise HostsError(f"{host} booted with failed units: {failed}")

    def _write_known_hosts(self, addresses: Mapping[str, str]) -> None:
        """The host keys come from inside the containers, not over the network they are to secure."""
        lines = []
        for name, address in addresses.items():
            for key in self._inside(name, "sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub").splitlines():
                lines.append(f"{name},{address} {' '.join(key.split()[:2])}\n")
        self.known_hosts.write_text("".join(lines))

    def _inventory(self, addresses: Mapping[str, str]) -> dict[str, object]:
        groups: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
        for name, member in self.members.items():
            groups.setdefault(member.group, {"hosts": {}})["hosts"][name] = {"ansible_host": addresses[name]}
        strict = f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
        connection = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": strict,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        return {"all": {"vars": connection, "children": groups}}


_SNAPSHOT = r"""
import hashlib, json, os, stat, sys
state = {}
def look(path):
    try:
        entry = os.lstat(path)
    except FileNotFoundError:
        return
    content = ""
    if stat.S_ISLNK(entry.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(entry.st_mode):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
    state[path] = f"{entry.st_mode:o} {entry.st_uid} {entry.st_gid} {content}".strip()
    if stat.S_ISDIR(entry.st_mode):
        for name in sorted(os.listdir(path)):
            look(os.path.join(path, name))
for path in sys.argv[1:]:
    look(path)
json.dump(state, sys.stdout)
"""


def _need_root() -> None:
    if os.geteuid() != 0:
        raise HostsError("the lab's hosts need root, for debootstrap and for podman's networks: run this with sudo")


def _install_tools() -> None:
    missing = [package for tool, package in TOOLS.items() if not (os.path.exists(tool) or shutil.which(tool))]
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run("apt-get", "update", "-q", environment=environment, timeout=600)
        _run(
            "apt-get", "install", "-y", "-q", "--no-install-recommends", *missing, environment=environment, timeout=1200
        )


def _remove(*containers: str) -> None:
    for attempt in range(3):
        # podman may see a container stop while it is about to kill it, and then gives up.
        if _podman("rm", "--force", "--ignore", "--time", "1", *containers, check=attempt == 2).returncode == 0:
            return


def _podman(
    *arguments: str, check: bool = True, input: str = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CONTAINERS_CONF": str(RECIPE / "containers.conf")}
    return _run("podman", *arguments, check=check, input=input, timeout=timeout, environment=environment)


def _output(*argv: str) -> str:
    return _run(*argv).stdout


def _run(
    *argv: str,
    check: bool = True,
    input: str = "",
    timeout: float = 120,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout, env=environment)
    if check and done.returncode:
        raise HostsError(f"{argv[0]} {argv[1]} ended with {done.returncode}: {done.stderr.strip()}")
    return done


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except HostsError as error:
        sys.exit(f"hosts: {error}")


def main() -> None:
    """The command line: build, up, down or status of one set of hosts."""
    parser = argparse.ArgumentParser(prog="python -m stackmend_lab.hosts", description="The lab's test hosts.")
    parser.add_argument("action", choices=("build", "up", "deploy", "break", "mend", "down", "status"))
    parser.add_argument("fault", nargs="?", help="id of the fault to break or mend")
    parser.add_argument(
        "--prefix", default="stackmend", help="tells several sets of hosts apart (default: %(default)s)"
    )
    arguments = parser.parse_args()
    with _one_sentence():
        hosts = Hosts(arguments.prefix)
        if arguments.action == "build":
            print(build())
        elif arguments.action == "up":
            hosts.up()
            print(hosts.inventory)
        elif arguments.action == "deploy":
            hosts.deploy()
        elif arguments.action == "down":
            hosts.down()
        elif arguments.action == "status":
            for name, state in hosts.status().items():
                print(f"{name}: {state}")
        else:
            breaker = _breaker(arguments.fault)
            (breaker.break_ if arguments.action == "break" else breaker.mend)(hosts)


def _breaker(fault: str | None) -> Any:
    """The breaker of a fault; one that does not break hosts is refused."""
    try:
        breaker = importlib.import_module(f"stackmend_lab.breakers.{fault}").BREAKER
    except ModuleNotFoundError as error:
        raise HostsError(f"there is no breaker for {fault!r}: name a fault of lab/stackmend_lab/breakers") from error
    if breaker.needs != "hosts":
        raise HostsError(f"{fault} is not broken on hosts but in the cloud: stackmend lab break {fault}")
    return breaker


if __name__ == "__main__":
    main()
