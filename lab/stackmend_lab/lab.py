# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab: a real OpenStack on loopback, started, stopped, restarted and used from Python."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from . import configuration, databases, environment, process
from .layout import (
    CLOUD,
    CONTROLLER,
    ENDPOINT_TYPES,
    SERVICES,
    Layout,
    default_cache_dir,
    default_computes,
    default_port_base,
    default_state_dir,
)
from .questions import Questions

SCHEMA = 2  # raise it when data or configuration of an older lab no longer fit this code
START_SECONDS = 120.0
BOOT_SECONDS = 60.0
CONTROL_SECONDS = 60.0
COMMAND_SECONDS = 120.0
LOCK_SECONDS = 600.0

# What the process that is nova has once, beside the API and the computes.
PARTS = ("nova-conductor", "nova-scheduler")
USERS = ("admin", "member", "keystone", "placement", "glance", "neutron", "nova")
_PACKAGE_PARENT = Path(__file__).resolve().parent.parent
_PROGRAMS = Path(__file__).parent / "programs"


Completed = subprocess.CompletedProcess[str]


class LabError(Exception):
    """What failed, in one sentence, with the end of the log that says why where there is one."""


def _silent(_line: str) -> None:
    pass


class Lab:
    """One lab: keystone, placement, glance, neutron and nova as processes, and a directory per host.

    What is not given, layout.py computes from the environment. Labs with different state
    directories and port bases run side by side; a port base stands for five consecutive ports.
    """

    def __init__(
        self,
        state_dir: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        port_base: int | None = None,
        computes: Sequence[str] | None = None,
    ) -> None:
        self.layout = Layout(
            state=Path(state_dir or default_state_dir()).expanduser().absolute(),
            cache=Path(cache_dir or default_cache_dir()).expanduser().absolute(),
            port_base=default_port_base() if port_base is None else port_base,
            computes=tuple(default_computes() if computes is None else computes),
        )
        if not 1024 <= self.layout.port_base <= 65535 - len(SERVICES):
            raise ValueError(
                f"The port base {self.layout.port_base} leaves no room for {len(SERVICES)} unprivileged ports."
            )
        self._questions: Questions | None = None

    # What users of a lab ask for

    @property
    def clouds_file(self) -> Path:
        """clouds.yaml with an administrator (stackmend-lab) and an ordinary member (stackmend-lab-member)."""
        return self.layout.clouds_file

    @property
    def inventory(self) -> Path:
        """The Ansible inventory of the lab's hosts; it finds the state directory by `environ`."""
        installed = Path(__file__).parent / "inventory" / "hosts.yml"
        return installed if installed.exists() else _PACKAGE_PARENT.parent / "inventories" / "lab" / "hosts.yml"

    @property
    def environ(self) -> dict[str, str]:
        """What to add to a process' environment so that the inventory and `stackmend lab` mean this very lab."""
        return {
            "STACKMEND_LAB_DIR": str(self.layout.state),
            "STACKMEND_LAB_PORT_BASE": str(self.layout.port_base),
            "STACKMEND_LAB_COMPUTES": ",".join(self.layout.computes),
        }

    def host_root(self, name: str) -> Path:
        """The directory that stands for the file system of a host."""
        if name not in self.layout.hosts:
            raise LabError(f"The lab has no host {name!r}; it has {', '.join(self.layout.hosts)}.")
        return self.layout.root(name)

    def up(self, progress: Callable[[str], None] = _silent) -> None:
        """Bring everything up; what runs already is left alone. Raises LabError.

        The first time ever installs the services and prepares their databases; then a snapshot makes that unnecessary.
        """
        began = time.monotonic()

        def say(line: str) -> None:
            progress(f"{time.monotonic() - began:5.1f}s  {line}")

        try:
            venv = environment.ensure(self.layout.cache, say)
            with self._locked():
                prepared = self._prepare(venv, say)
                if not prepared:
                    self._start_identity(say)
                if "nova" not in self._start_all(say):
                    self._start_computes()
                self._wait_for_reports(self.layout.computes)
                if not prepared:
                    self._seed(say)
        except (environment.EnvironmentFailed, databases.PreparationFailed, TimeoutError) as error:
            raise LabError(str(error)) from None
        say(f"up: {len(self.layout.computes)} computes; clouds.yaml is {self.clouds_file}")

    def down(self, wipe: bool = False) -> None:
        """Stop everything, keep the data; with `wipe` remove the state directory."""
        if self._questions is not None:
            self._questions.close()
            self._questions = None
        if not self.layout.state.exists():
            return
        with self._locked():
            for service in reversed(SERVICES):
                self._stop(service)
        if wipe:
            shutil.rmtree(self.layout.state)

    def status(self) -> dict[str, Any]:
        """{"up": bool, "state": path, "services": {name: {"pid": int or None, "url": str}}, "computes": {name: state}}.

        A compute's state is nova's own word, "up" or "down", or "unknown" while nova cannot be asked.
        """
        services = {
            service: {"pid": process.running(self._record(service)), "url": self.layout.url(service)}
            for service in SERVICES
        }
        computes = dict.fromkeys(self.layout.computes, "unknown")
        if services["keystone"]["pid"] and services["nova"]["pid"]:
            computes.update({host: entry["state"] for host, entry in self._compute_services().items()})
        up = all(entry["pid"] for entry in services.values()) and all(state == "up" for state in computes.values())
        return {"up": up, "state": str(self.layout.state), "services": services, "computes": computes}

    def restart(self, service: str, **variables: str) -> None:
        """Restart a service or compute. Raises LabError with the service's own error if it stays down.

        variables: what a service finds in its environment beside what the lab gives it, until it is restarted again.
        """
        self._require_state()
        with self._locked():
            if service in self.layout.computes:
                self._control("stop", service)
                self._start_compute(service)
                return
            if service not in SERVICES:
                known = ", ".join((*SERVICES, *self.layout.computes))
                raise LabError(f"The lab has no service {service!r}; it has {known}.")
            self._stop(service)
            self._start(service, variables)
            self._wait(service)
            if service == "nova":
                self._wait_for_reports(self.layout.computes)

    def restart_alone(self, service: str) -> None:
        """Restart a service and wait for it to answer, whatever becomes of the computes."""
        self._require_state()
        with self._locked():
            self._stop(service)
            self._start(service)
            self._wait(service)

    def stop_compute(self, host: str) -> None:
        """Stop one compute; nova sees it as down 15 seconds later."""
        self._control("stop", host)

    def compute_runs(self, host: str) -> bool:
        """Whether a compute was started, whatever nova thinks of its reports."""
        if host in self.layout.computes and process.running(self._record("nova")) is None:
            return False
        try:
            self._control("status", host)
        except LabError:
            return False
        return True

    def deafen_compute(self, host: str) -> None:
        """Let one compute go on reporting and take no messages any more; `restart` cures it."""
        self._control("deafen", host)

    def stop_part(self, name: str) -> None:
        """Stop nova-conductor or nova-scheduler; nova sees it as down 15 seconds later."""
        self._control("stop", name)

    def start_part(self, name: str) -> None:
        """Start nova-conductor or nova-scheduler again: it reads nova.conf, and what was asked of it meanwhile waits for it."""
        self._control("start", name)

    def start_compute(self, host: str) -> None:
        """Start one compute again; it reads its nova.conf and refuses what nova-compute refuses. Raises LabError."""
        self._start_compute(host)

    def cloud(self, name: str = CLOUD) -> Any:
        """An openstack.Connection, by default the administrator's. Needs openstacksdk."""
        import openstack

        config = openstack.config.OpenStackConfig(config_files=[str(self.clouds_file)], load_envvars=False)
        return openstack.connection.Connection(config=config.get_one(name))

    def run(self, host: str, command: Sequence[str], seconds: float = COMMAND_SECONDS) -> Completed:
        """Run a command as on a host: the services' tools first on PATH, the administrator's OS_* set, in its tree."""
        try:
            return subprocess.run(
                command,
                check=False,
                env=self._variables(),
                cwd=self.host_root(host),
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"`{' '.join(command)}` on {host} did not end within {seconds:.0f} s.") from None

    def python(self, program: str, *arguments: str, seconds: float = COMMAND_SECONDS) -> Completed:
        """Run one of programs/ with the services' interpreter: a way to ask the installed code itself."""
        return self.run(CONTROLLER, [self._interpreter, str(_PROGRAMS / program), *arguments], seconds)

    def ask_nova(self, program: str, *arguments: str) -> Completed:
        """The same for a program that only asks nova, which is imported once for all that is asked until `down`."""
        if self._questions is None:
            self._questions = Questions([self._interpreter, str(_PROGRAMS / "answer.py")], self._variables())
        try:
            return self._questions.ask([str(_PROGRAMS / program), *arguments], COMMAND_SECONDS)
        except TimeoutError:
            raise LabError(f"{program} did not end within {COMMAND_SECONDS:.0f} s.") from None

    @property
    def _interpreter(self) -> str:
        return f"{self.layout.venv}/bin/python"

    def _variables(self) -> dict[str, str]:
        """The environment of a command on a host."""
        return {
            **environment.service_environment(),
            **configuration.client_variables(self.layout, self.secrets),
            "PATH": f"{self.layout.venv}/bin:/usr/local/bin:/usr/bin:/bin",
        }

    def last_words(self, service: str, lines: int = 8) -> str:
        """The end of what a service said: its own output if there is any, else its log."""
        for path in (self._output(service), self.layout.log(service)):
            if path.exists() and (text := path.read_text(errors="replace").strip()):
                return "\n".join(text.splitlines()[-lines:])
        return "It said nothing."

    @property
    def nova_conf(self) -> str:
        """The controller's nova.conf."""
        return str(self.layout.etc("nova") / "nova.conf")

    def boot(self, name: str, host: str | None = None, image: str = "cirros", flavor: str = "m1.tiny") -> Any:
        """Boot a server (on a chosen host), wait until it is ACTIVE, return it. Raises LabError."""
        server = self._boot(name, host, image, flavor)
        if server.status != "ACTIVE":
            fault = (server.fault or {}).get("message", "no fault recorded")
            raise LabError(f"Server {name} is {server.status} after {BOOT_SECONDS:.0f} s at most: {fault}")
        return server

    def boot_in_vain(self, name: str, image: str = "cirros", flavor: str = "m1.tiny") -> str:
        """Ask for a server that cannot be built; its id, once it is in ERROR. Raises LabError."""
        server = self._boot(name, None, image, flavor)
        if server.status != "ERROR":
            raise LabError(f"Server {name} was to fail and is {server.status}.")
        return str(server.id)

    def _boot(self, name: str, host: str | None, image: str, flavor: str) -> Any:
        """Boot a server and wait until nova is done with it, for better or worse."""
        cloud = self.cloud()
        compute = cloud.compute
        wish: dict[str, Any] = {
            "name": name,
            "imageRef": cloud.image.find_image(image, ignore_missing=False).id,
            "flavorRef": compute.find_flavor(flavor, ignore_missing=False).id,
            "networks": "none",
            **({"host": host} if host else {}),
        }
        answer = compute.post("/servers", json={"server": wish}, microversion="2.74")
        if not answer.ok:
            raise LabError(f"nova refuses to boot {name}: {answer.json()}")
        return self.wait_for_server(answer.json()["server"]["id"])

    def wait_for_server(self, uuid: str, seconds: float = BOOT_SECONDS) -> Any:
        """A server that was asked for, once it is ACTIVE or in ERROR; as it is when that takes too long."""
        compute = self.cloud().compute
        deadline = time.monotonic() + seconds
        while True:
            server = compute.get_server(uuid)
            if server.status in ("ACTIVE", "ERROR") or time.monotonic() > deadline:
                return server
            time.sleep(0.2)

    def delete_server(self, uuid: str) -> None:
        """Delete a server and wait until it is gone; one that is gone already is no error."""
        compute = self.cloud().compute
        compute.delete_server(uuid)
        deadline = time.monotonic() + BOOT_SECONDS
        while compute.find_server(uuid, all_projects=True):
            if time.monotonic() > deadline:
                raise LabError(f"Server {uuid} is still there {BOOT_SECONDS:.0f} s after it was to be deleted.")
            time.sleep(0.2)

    @cached_property
    def secrets(self) -> dict[str, str]:
        """The users' passwords, made for this lab's data and kept beside it."""
        self._require_state()
        return dict(json.loads((self.layout.data / "secrets.json").read_text()))

    # How it is done

    def _require_state(self) -> None:
        if not (self.layout.data / "secrets.json").exists():
            raise LabError(f"There is no lab in {self.layout.state}; make one with `stackmend lab up`.")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change of a lab at a time, whichever process asks."""
        self.layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.layout.state / "lock").open("w") as lock:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        busy = f"Somebody else has been changing the lab in {self.layout.state}"
                        raise LabError(f"{busy} for {LOCK_SECONDS:.0f} s; try again later.") from None
                    time.sleep(0.1)
            yield

    @property
    def _key(self) -> str:
        """Names the kind of data: equal keys, interchangeable data."""
        seed = (_PROGRAMS / "seed_cloud.py").read_bytes()
        words = [SCHEMA, environment.REQUIREMENTS, self.layout.computes, hashlib.sha256(seed).hexdigest()]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:12]

    @property
    def _snapshot(self) -> Path:
        return self.layout.cache / f"databases-{self._key}"

    @property
    def _marker(self) -> Path:
        """Says of what kind the complete data in this state directory are; absent while they are not complete."""
        return self.layout.state / "lab.json"

    def _kind(self, venv: Path) -> dict[str, Any]:
        return {"key": self._key, "port_base": self.layout.port_base, "environment": str(venv)}

    def _prepare(self, venv: Path, say: Callable[[str], None]) -> bool:
        """Link the environment, see to data and files. True if the data are complete, False if yet to be seeded."""
        layout = self.layout
        self._write_commands()
        present = json.loads(self._marker.read_text()) if self._marker.exists() else {}
        if present == self._kind(venv):
            self._link(venv)
            return True
        if any(process.running(self._record(service)) for service in SERVICES):
            say("stopping a lab of another kind in this directory")
            for service in reversed(SERVICES):
                self._stop(service)
        configuration.forget(layout)
        self._marker.unlink(missing_ok=True)
        self._link(venv)
        vars(self).pop("secrets", None)
        if present.get("key") == self._key:
            databases.move(layout, f"http://127.0.0.1:{present['port_base']}")
            complete = True
        elif self._snapshot.exists():
            databases.restore(layout, self._snapshot)
            say("databases restored from the snapshot")
            complete = True
        else:
            shutil.rmtree(layout.data, ignore_errors=True)
            layout.data.mkdir(mode=0o700)
            (layout.data / "secrets.json").write_text(json.dumps({user: secrets.token_urlsafe(18) for user in USERS}))
            complete = False
        configuration.write(layout, self.secrets)
        if not complete:
            say("creating the databases (once)")
            databases.create(layout, environment.service_environment(), self.secrets["admin"])
            say("databases created")
            return False
        self._marker.write_text(json.dumps(self._kind(venv)))
        return True

    def _start_identity(self, say: Callable[[str], None]) -> None:
        """Users and catalogue have to be there before the other services look for them."""
        self._start("keystone")
        self._wait("keystone")
        self._seed_part("identity")
        say("users and catalogue created")

    def _seed(self, say: Callable[[str], None]) -> None:
        """Give a new cloud its content and keep a snapshot; only then do the data count as complete."""
        tool = [str(self.layout.venv / "bin/nova-manage"), "--config-file", self.nova_conf]
        databases.run([*tool, "cell_v2", "discover_hosts"], environment.service_environment())
        self._seed_part("content")
        say("computes mapped to their cell; flavors, network and images created")
        if not self._snapshot.exists():
            databases.save(self.layout, self._snapshot)
            say("kept a snapshot of the databases for the next time")
        self._marker.write_text(json.dumps(self._kind(self.layout.venv.readlink())))

    def _seed_part(self, part: str) -> None:
        wishes = {
            "part": part,
            "cloud": CLOUD,
            "endpoints": {name: [kind, self.layout.endpoint(name)] for name, kind in ENDPOINT_TYPES.items()},
            "passwords": self.secrets,
        }
        command = [str(self.layout.venv / "bin/python"), str(_PROGRAMS / "seed_cloud.py"), str(self.clouds_file)]
        databases.run(command, environment.service_environment(), stdin=json.dumps(wishes))

    def _link(self, venv: Path) -> None:
        self.layout.venv.unlink(missing_ok=True)
        self.layout.venv.symlink_to(venv)

    def _write_commands(self) -> None:
        """What Ansible runs where systemd would be asked: bin/<verb> SERVICE|COMPUTE."""
        variables = {**self.environ, "PYTHONPATH": str(_PACKAGE_PARENT)}
        for verb in ("restart", "start-compute", "stop-compute", "status-compute"):
            command = self.layout.command(verb)
            command.parent.mkdir(exist_ok=True)
            command.write_text(
                f"#!{sys.executable}\n"
                f'"""{verb} of this lab; written by `stackmend lab up`."""\n'
                "import os\nimport sys\n\n"
                f"os.environ.update({variables!r})\n"
                f"os.execv(sys.executable, [sys.executable, '-m', 'stackmend_lab', {verb!r}, *sys.argv[1:]])\n"
            )
            command.chmod(0o750)

    def _record(self, service: str) -> Path:
        return self.layout.run / f"{service}.json"

    def _output(self, service: str) -> Path:
        return self.layout.run / f"{service}.out"

    def _start_all(self, say: Callable[[str], None]) -> list[str]:
        """Start the services that do not run; returns their names."""
        stopped = [service for service in SERVICES if process.running(self._record(service)) is None]
        # On two cores nova's start is the longest by far: it and what it waits for go first.
        for service in sorted(stopped, key=("nova", "keystone", "placement", "neutron", "glance").index):
            self._start(service)
        for service in SERVICES:
            self._wait(service)
            if service in stopped:
                say(f"{service} answers on {self.layout.url(service)}")
        return stopped

    def _start_computes(self) -> None:
        """Start the computes that were stopped one by one; telling a running one to start changes nothing."""
        for host in self.layout.computes:
            self._control("start", host)

    def _start(self, service: str, more: Mapping[str, str] | None = None) -> None:
        if process.running(self._record(service)) is not None:
            return
        layout = self.layout
        port = layout.port(service)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise LabError(
                    f"{service} cannot listen on 127.0.0.1:{port} ({error.strerror}); choose another port base."
                ) from None
        python = str(layout.venv / "bin" / "python")
        if service == "nova":
            peers = [word for peer in ("keystone", "placement") for word in ("--wait-for", str(layout.port(peer)))]
            where = [
                "--port",
                str(port),
                "--control",
                str(self._control_socket),
                "--hosts",
                str(layout.state / "hosts"),
            ]
            command = [python, str(_PROGRAMS / "run_nova.py"), *where, *peers, *layout.computes]
        else:
            command = [python, str(_PROGRAMS / "serve.py"), service, str(port)]
        variables = {**environment.service_environment(), **configuration.service_variables(layout), **(more or {})}
        process.start(self._record(service), command, variables, self._output(service))

    def _wait(self, service: str) -> None:
        """Wait until a service answers over HTTP. Raises LabError when it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if process.running(self._record(service)) is None:
                raise LabError(f"{service} ended while starting:\n{self.last_words(service)}")
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    self.layout.url(service), timeout=5
                ).close()
                return
            except urllib.error.HTTPError:
                return  # any answer will do
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise LabError(f"{service} does not answer after {START_SECONDS:.0f} s:\n{self.last_words(service)}")
            time.sleep(0.1)

    def _stop(self, service: str) -> None:
        process.stop(self._record(service))

    @property
    def _control_socket(self) -> Path:
        return self.layout.run / "nova.sock"

    def _control(self, verb: str, host: str) -> None:
        if host not in (*self.layout.computes, *PARTS):
            raise LabError(f"The lab has no compute {host!r}; it has {', '.join(self.layout.computes)}.")
        try:
            directory = os.open(self.layout.run, os.O_RDONLY | os.O_DIRECTORY)
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(CONTROL_SECONDS)
                    # By way of /proc: a socket's path is limited to 107 bytes.
                    connection.connect(f"/proc/self/fd/{directory}/{self._control_socket.name}")
                    connection.sendall(f"{verb} {host}\n".encode())
                    answer = connection.makefile().read()
            finally:
                os.close(directory)
        except OSError as error:
            raise LabError(f"nova cannot be told to {verb} {host}: {error}; is the lab up?") from None
        if answer != "done":
            what = host if host in PARTS else f"nova-compute on {host}"
            raise LabError(f"{what} does not {verb}: {answer.removeprefix('failed: ') or 'nova ended'}")

    def _start_compute(self, host: str) -> None:
        before = self._clock()
        self._control("start", host)
        self._wait_for_reports([host], since=before)

    @staticmethod
    def _clock() -> str:
        """Now, as nova's API writes it."""
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")

    def _wait_for_reports(self, hosts: Sequence[str], since: str | None = None) -> None:
        """Wait until each compute has reported since then (now by default): an older report may be about to expire."""
        # Who told a single compute to start has its answer already; a refusal in the log is then an older one.
        told = since is not None
        since = since or self._clock()
        deadline = time.monotonic() + START_SECONDS
        while True:
            services = self._compute_services()
            missing = [host for host in hosts if (services.get(host, {}).get("updated_at") or "") < since]
            if not missing:
                return
            log = [] if told else self.last_words("nova", 100).splitlines()
            refused = [line for line in log if "does not start" in line]
            if refused or time.monotonic() > deadline:
                why = "\n".join(refused) or f"after {START_SECONDS:.0f} s\n{self.last_words('nova')}"
                raise LabError(f"Computes that are not up: {', '.join(missing)}.\n{why}")
            time.sleep(0.3)

    def _compute_services(self) -> dict[str, dict[str, Any]]:
        """{compute: its entry in nova's list of services}; {} when nova cannot be asked."""
        try:
            token = self._token()
            request = urllib.request.Request(
                self.layout.endpoint("nova") + "/os-services?binary=nova-compute", headers={"X-Auth-Token": token}
            )
            with self._open(request) as answer:
                return {service["host"]: service for service in json.load(answer)["services"]}
        except OSError:
            return {}

    def _token(self) -> str:
        """An administrator's token by plain HTTP: the lab itself needs no openstacksdk."""
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": self.secrets["admin"]}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": domain}},
            }
        }
        request = urllib.request.Request(
            self.layout.endpoint("keystone") + "/auth/tokens",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with self._open(request) as answer:
            return str(answer.headers["X-Subject-Token"])

    @staticmethod
    def _open(request: urllib.request.Request) -> Any:
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
