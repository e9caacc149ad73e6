# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the OpenStack services of a host: which files each process reads, with which interpreter, how it is restarted.

What a running process says (arguments, environment, cgroup) comes before what a systemd unit says, and that before the
default paths (FAULTS.md 1.1). Nothing that is found is run, and nothing is read from other containers' file systems
but the names of installed packages.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._model import Unavailable
from . import _systemd
from ._tree import Tree


class Project(NamedTuple):
    """What is fixed about a service: its distribution, its main file, and what its WSGI programs read by default."""

    distribution: str
    main: str
    wsgi: tuple[str, ...]
    # major release of nova minus that of this project (FAULTS.md 0.2)
    behind_nova: int


PROJECTS = {
    "nova": Project("nova", "/etc/nova/nova.conf", ("nova.conf",), 0),
    "keystone": Project("keystone", "/etc/keystone/keystone.conf", ("keystone.conf",), 4),
    "glance": Project("glance", "/etc/glance/glance-api.conf", ("glance-image-import.conf", "glance-api.conf"), 1),
    "placement": Project("openstack-placement", "/etc/placement/placement.conf", ("placement.conf",), 18),
    "neutron": Project("neutron", "/etc/neutron/neutron.conf", ("neutron.conf", "plugins/ml2/ml2_conf.ini"), 5),
}
_SERIES = (
    "pike queens rocky stein train ussuri victoria wallaby xena yoga zed "
    "2023.1 2023.2 2024.1 2024.2 2025.1 2025.2 2026.1 2026.2"
)
SERIES = {name: number for number, name in enumerate(_SERIES.split(), 16)}

_NAMES = "|".join(PROJECTS)
_PROGRAM = re.compile(rf"^({_NAMES})[-_][a-z0-9_-]+$|^keystone$")
_NOT_A_SERVICE = re.compile(r"rootwrap|manage|status|helper|cleanup|-db-|haproxy|keepalived|client")
_WSGI_PROCESS = re.compile(rf"\(wsgi:({_NAMES})")
_WSGI_SERVER = re.compile(r"^(uwsgi|httpd|apache2|gunicorn|mod_wsgi|\(wsgi:)")
_OVERRIDE = re.compile(r"^OS_[A-Z0-9_-]+__[A-Z0-9_-]+$|^OS_[A-Z]+_CONFIG_(DIR|FILES)$")
# Without an argument for directories, oslo.config would read the default ones as well.
_NO_DIRECTORY = "--config-dir=/nonexistent"
UNIT_DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


class Program(NamedTuple):
    """One way in which a program of a service is started on this host."""

    project: str
    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    unit: Optional[str] = None
    container: Optional[str] = None
    user: Optional[str] = None
    python: Optional[str] = None
    prefix: Optional[str] = None
    wsgi: bool = False


class View(NamedTuple):
    """Programs that read the same files under the same environment."""

    programs: tuple[str, ...]
    files: tuple[str, ...]
    environment: dict[str, str]
    arguments: tuple[str, ...]


class Service(NamedTuple):
    """A service that is on the host. version and python are None where they could not be told."""

    name: str
    views: list[View]
    version: Optional[str]
    python: Optional[str]
    user: Optional[str]
    restarts: dict[str, list[dict[str, Any]]]


def find(tree: Tree, options: Mapping[str, Any]) -> list[Service]:
    """The services of the host, by the readers' options service_python, config_files, restart_commands, releases."""
    live = running(tree)
    units = [*_units(tree, {program.unit for program in live if program.unit}), *_apache(tree)]
    served = {(program.project, program.unit) for program in live if program.unit}
    programs = live + [u for u in units if (u.project, u.unit) not in served]
    programs += list(_containers(tree))
    return [service for name in PROJECTS if (service := _service(tree, name, programs, options))]


def running(tree: Tree) -> list[Program]:
    """The OpenStack programs that run on a live host; none on a directory that stands for one."""
    return list(_processes(tree)) if tree.is_live else []


def installed(tree: Tree) -> list[Program]:
    """The OpenStack programs that units or containers of this host start, whether they run or not."""
    return [*_units(tree, set()), *_containers(tree)]


def present(tree: Tree) -> list[Program]:
    """Those that run and those that are installed; one that is both is there twice, by its process first."""
    return [*running(tree), *installed(tree)]


def _service(tree: Tree, name: str, programs: list[Program], options: Mapping[str, Any]) -> Optional[Service]:
    project = PROJECTS[name]
    mine = [program for program in programs if program.project == name]
    given = (options.get("config_files") or {}).get(name)
    if given:
        arguments = (*_as_arguments(given), _NO_DIRECTORY)
        mine = [p._replace(arguments=arguments, wsgi=False, environment={}) for p in mine]
        mine = mine or [Program(name, name, arguments, {})]
    views: dict[tuple[Any, ...], View] = {}
    readers: dict[str, list[Program]] = {}
    for program in mine:
        files = config_files(tree, program)
        if not files:
            continue
        overrides = {k: v for k, v in program.environment.items() if "__" in k}
        key = (files, tuple(sorted(overrides.items())))
        names = views[key].programs if key in views else ()
        if program.name not in names:
            names += (program.name,)
        views[key] = View(names, files, overrides, _as_arguments(files))
        for path in files:
            readers.setdefault(path, []).append(program)
    if not any(project.main in view.files for view in views.values()) and not given:
        files = config_files(tree, Program(name, name, (), {}, wsgi=True))
        if project.main in files:
            views[(files,)] = View((name,), files, {}, _as_arguments(files))
    if not views:
        return None
    python, user = _interpreter(tree, name, mine, options)
    return Service(
        name,
        list(views.values()),
        _version(tree, name, python, mine, options),
        python,
        user,
        {path: _restarts(tree, name, who, options) for path, who in readers.items()}
        or {path: _restarts(tree, name, [], options) for view in views.values() for path in view.files},
    )


def _as_arguments(files: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"--config-file={path}" for path in files)


# -- files of a program ----------------------------------------------------------------------------------------------


def config_files(tree: Tree, program: Program) -> tuple[str, ...]:
    """The files the program reads, oldest first, those only that exist (oslo_config/cfg.py _parse_config_files)."""
    project = program.project
    main = PROJECTS[project].main
    if program.wsgi and not program.arguments:
        prefix = f"OS_{project.upper()}_CONFIG_"
        directory = program.environment.get(prefix + "DIR", "").strip() or os.path.dirname(main)
        named = [f.strip() for f in program.environment.get(prefix + "FILES", "").split(";") if f.strip()]
        files = [os.path.join(directory, name) for name in named or PROJECTS[project].wsgi]
        if not named:
            files[:0] = [f"/usr/share/{project}/{project}-dist.conf"]
            files += _of_directory(tree, os.path.join(directory, os.path.basename(main) + ".d"))
        if program.container:
            files = [f"/etc/kolla/{program.container}/{os.path.basename(f)}" for f in files]
        return _existing(tree, files)
    found: list[str] = []
    chosen = _config_arguments(program.arguments)
    kinds = {kind for kind, _path in chosen}
    if "file" not in kinds:
        # RDO's oslo.config reads the packager's defaults first
        found.append(f"/usr/share/{project}/{project}-dist.conf")
        for base in dict.fromkeys((project, program.name)):
            found += _first(tree, [f"/etc/{project}/{base}.conf", f"/etc/{base}.conf"])
    if "dir" not in kinds:
        for base in dict.fromkeys((project, program.name)):
            for directory in _first(tree, [f"/etc/{project}/{base}.conf.d", f"/etc/{base}.conf.d"]):
                found += _of_directory(tree, directory)
    for kind, path in chosen:
        found += [path] if kind == "file" else _of_directory(tree, path)
    return _existing(tree, found)


def _config_arguments(arguments: Iterable[str]) -> list[tuple[str, str]]:
    found = []
    waiting = ""
    for argument in arguments:
        if waiting:
            found.append((waiting, argument))
            waiting = ""
        elif argument in ("--config-file", "--config-dir"):
            waiting = argument[9:]
        elif argument.startswith(("--config-file=", "--config-dir=")):
            option, _equals, path = argument.partition("=")
            found.append((option[9:], path))
    return [(kind, os.path.normpath(path)) for kind, path in found if path.startswith("/")]


def _first(tree: Tree, paths: Iterable[str]) -> list[str]:
    return next(([path] for path in paths if tree.exists(path)), [])


def _of_directory(tree: Tree, directory: str) -> list[str]:
    return [path for path in tree.glob(f"{directory}/*.conf") if not os.path.basename(path).startswith(".")]


def _existing(tree: Tree, paths: Iterable[str]) -> tuple[str, ...]:
    # nova's WSGI program hands api-paste.ini to oslo.config too; it holds no options
    return tuple(path for path in dict.fromkeys(paths) if not path.endswith("paste.ini") and tree.exists(path))


# -- processes -------------------------------------------------------------------------------------------------------


def _processes(tree: Tree) -> Iterator[Program]:
    seen = set()
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            program = _process(int(pid))
        except OSError:
            continue  # it ended, or is not ours to look at
        if program is None:
            continue
        identity = (
            program.project,
            program.name,
            program.arguments,
            tuple(sorted(program.environment.items())),
            program.unit,
        )
        if identity not in seen:
            seen.add(identity)
            yield program


def _process(pid: int) -> Optional[Program]:
    directory = f"/proc/{pid}"
    with open(f"{directory}/cmdline", "rb") as file:
        arguments = [part for part in file.read(65536).decode(errors="replace").split("\0") if part]
    # neutron rewrites its title: "neutron-server: rpc worker (/usr/bin/python3 /usr/bin/neutron-server --config-...)"
    words = [word.strip("()") if "(wsgi:" not in word else word for argument in arguments for word in argument.split()]
    named = program_of(words)
    if named is None:
        return None
    project, name, wsgi = named
    with open(f"{directory}/environ", "rb") as file:
        pairs = (part.partition("=") for part in file.read(1 << 20).decode(errors="replace").split("\0"))
        environment = {key: value for key, _equals, value in pairs if _OVERRIDE.match(key)}
    if os.readlink(f"{directory}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
        # a container: its files are not this host's; what is installed in it tells the release
        container = f"{project}-{name.split('-', 1)[-1]}" if "-" in name else project
        return Program(project, name, (), {}, container=container, prefix=f"{directory}/root", wsgi=True)
    python = next(
        (w for w in words[:2] if w.startswith("/") and re.match(r"python[0-9.]*$", os.path.basename(w))), None
    )
    return Program(
        project,
        name,
        tuple(words),
        environment,
        unit=_systemd.unit_of(pid),
        user=_account(os.stat(directory).st_uid),
        python=python or _shebang(Tree(), words),
        wsgi=wsgi,
    )


def in_container(pid: int) -> bool:
    """Whether a process sees another root directory than we do; a unit with mounts of its own sees the same one.

    A root that may not look at other users' processes is that of a container itself, which holds no other one.
    Raises OSError for a process that has ended.
    """
    try:
        theirs = os.stat(f"/proc/{pid}/root/")
    except PermissionError:
        return False
    ours = os.stat("/")
    return (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino)


def container_engine(tree: Tree) -> Optional[str]:
    """The program that manages a host's containers. Docker's client alone, without its daemon, is none where podman is."""
    found = [path for path in ("/usr/bin/docker", "/usr/bin/podman") if tree.exists(path)]
    if len(found) > 1 and not docker_runs(tree):
        return "/usr/bin/podman"
    return found[0] if found else None


def docker_runs(tree: Tree) -> bool:
    """Whether Docker's daemon is there to be asked, beside its client."""
    return any(tree.exists(path) for path in ("/run/docker.sock", "/var/run/docker.sock"))


def program_of(words: list[str]) -> Optional[tuple[str, str, bool]]:
    """(project, program, whether a WSGI server runs it) of a command line; None when it is no OpenStack service."""
    if not words:
        return None
    process = _WSGI_PROCESS.search(" ".join(words[:2]))
    if process:
        return process.group(1), f"{process.group(1)}-wsgi", True
    server = bool(_WSGI_SERVER.match(os.path.basename(words[0])))
    for word in words if server else words[:3]:
        if word.startswith("-") and not server:
            break
        base = os.path.basename(word.rsplit("=", 1)[-1]).removesuffix(".py").removesuffix(".ini").rstrip(":")
        known = _PROGRAM.match(base)
        if known and not _NOT_A_SERVICE.search(base) and (server or "/" in word or word is words[0]):
            name = re.sub(r"[-_](uwsgi|wsgi)$", "", base).replace("_", "-")
            return re.split("[-_]", base)[0], name, server or "wsgi" in base
        if server:
            module = re.match(rf"(?:--?[a-z-]+=)?({_NAMES})\.[a-z_.]*wsgi", word)
            if module:
                return module.group(1), f"{module.group(1)}-api", True
    return None


def _account(uid: int) -> Optional[str]:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _shebang(tree: Tree, words: Iterable[str]) -> Optional[str]:
    for word in words:
        if word.startswith("/") and not word.startswith("/proc/"):
            try:
                first = tree.read_bytes(word)[:200].split(b"\n", 1)[0].decode(errors="replace")
            except (OSError, Unavailable):
                continue
            match = re.match(r"#!\s*(/\S*/python[0-9.]*)\b", first)
            if match:
                return match.group(1)
    return None


# -- units and containers --------------------------------------------------------------------------------------------


def _units(tree: Tree, running: set[str]) -> Iterator[Program]:
    """Services' units that are enabled or running; a unit that nobody starts is no reader of its files."""
    paths: dict[str, str] = {}
    for directory in UNIT_DIRECTORIES:
        everything = directory.startswith("/etc/")
        for path in tree.glob(f"{directory}/*.service"):
            unit = os.path.basename(path)
            if unit not in paths and (everything or re.search(_NAMES, unit)):
                paths[unit] = path
    started = {
        os.path.basename(link)
        for kind in ("wants", "requires")
        for link in tree.glob(f"/etc/systemd/system/*.{kind}/*.service")
    }
    for unit, path in sorted(paths.items()):
        if os.path.realpath(tree.path(path)).endswith("/dev/null") or not (unit in started or unit in running):
            continue
        settings = _unit_settings(tree, unit, path)
        command = settings.get("ExecStart", [""])[-1]
        try:
            words = shlex.split(command.lstrip("-@:+!"))
        except ValueError:
            continue
        named = program_of(words)
        if named is None:
            continue
        project, name, wsgi = named
        if words[0].startswith("/etc/init.d/"):
            words, wsgi = _init_script(tree, words[0], project, name)
        environment = _unit_environment(tree, settings)
        user = settings.get("User", [""])[-1] or None
        yield Program(
            project, name, tuple(words), environment, unit=unit, user=user, python=_shebang(tree, words), wsgi=wsgi
        )


def unit_settings(tree: Tree, unit: str) -> dict[str, list[str]]:
    """What a unit's file and drop-ins say: {key: [values]}; nothing for a unit that has no file."""
    name = re.sub(r"@[^.]*\.", "@.", unit)
    path = next((p for d in UNIT_DIRECTORIES for p in (f"{d}/{unit}", f"{d}/{name}") if tree.exists(p)), None)
    return _unit_settings(tree, unit, path) if path else {}


def _unit_settings(tree: Tree, unit: str, path: str) -> dict[str, list[str]]:
    dropins = {os.path.basename(p): p for d in reversed(UNIT_DIRECTORIES) for p in tree.glob(f"{d}/{unit}.d/*.conf")}
    settings: dict[str, list[str]] = {}
    for source in [path] + [dropins[name] for name in sorted(dropins)]:
        try:
            text = tree.read_text(source)
        except (OSError, Unavailable):
            continue
        for line in re.sub(r"\\\n", " ", text).splitlines():
            key, equals, value = line.strip().partition("=")
            if equals and not key.startswith(("#", ";")):
                key, value = key.strip(), value.strip()
                if value:
                    settings.setdefault(key, []).append(value)
                else:
                    settings.pop(key, None)  # an empty assignment resets a list
    return settings


def _unit_environment(tree: Tree, settings: Mapping[str, list[str]]) -> dict[str, str]:
    pairs: list[str] = []
    for value in settings.get("Environment", []):
        try:
            pairs += shlex.split(value)
        except ValueError:
            continue
    for path in settings.get("EnvironmentFile", []):
        try:
            text = tree.read_text(path.lstrip("-"))
        except (OSError, Unavailable):
            continue
        for line in text.splitlines():
            key, _equals, value = line.strip().partition("=")
            pairs.append(f"{key}={value.strip().strip(chr(34) + chr(39))}")
    split = (pair.partition("=") for pair in pairs)
    return {key: value for key, _equals, value in split if _OVERRIDE.match(key)}


def _init_script(tree: Tree, path: str, project: str, name: str) -> tuple[list[str], bool]:
    """The command that Debian's init scripts (openstack-pkg-tools) run, and whether it is uwsgi."""
    try:
        text = tree.read_text(path).split("# The content after this line", 1)[0]
    except (OSError, Unavailable):
        text = ""
    text = text.replace("${PROJECT_NAME}", project).replace("${NAME}", name)
    if re.search(r"^UWSGI_INI_PATH=", text, re.MULTILINE):
        return [], True
    chosen = re.search(r"^CONFIG_FILE=(\S+)", text, re.MULTILINE)
    files = [chosen.group(1) if chosen else f"/etc/{project}/{project}.conf"]
    files += re.findall(r"--config-file[= ]([^\s\"'$]+)", text)
    return [f"/usr/bin/{name}", *(f"--config-file={f}" for f in files if tree.exists(f))], False


def _apache(tree: Tree) -> Iterator[Program]:
    """Services that Apache serves: its configuration names their WSGI scripts."""
    for pattern, unit in (
        ("/etc/httpd/conf.d/*.conf", "httpd.service"),
        ("/etc/apache2/sites-enabled/*.conf", "apache2.service"),
    ):
        for path in tree.glob(pattern):
            try:
                text = tree.read_text(path)
            except (OSError, Unavailable):
                continue
            script = re.search(rf"^[ \t]*WSGIScriptAlias[ \t]+\S+[ \t]+\S*/({_NAMES})[-_./]", text, re.MULTILINE)
            if script:
                yield Program(script.group(1), f"{script.group(1)}-wsgi", (), {}, unit=unit, wsgi=True)


def _containers(tree: Tree) -> Iterator[Program]:
    """kolla: one directory per container, copied into it when it starts."""
    for directory in tree.glob("/etc/kolla/*"):
        name = os.path.basename(directory)
        project = name.split("-", 1)[0]
        if project not in PROJECTS or not tree.is_dir(directory):
            continue
        first = os.path.basename(PROJECTS[project].main)
        rest = [os.path.basename(p) for p in tree.glob(f"{directory}/*.conf") + tree.glob(f"{directory}/*.ini")]
        known = [f for f in (first, f"{project}.conf", f"{name}.conf") if f in rest]
        files = known + [f for f in rest if re.search(r"ml2_conf|_agent\.ini$", f)]
        if files:
            unit = f"kolla-{name.replace('-', '_')}-container.service"
            has_unit = any(tree.exists(f"{d}/{unit}") for d in UNIT_DIRECTORIES)
            # the host's /etc/nova/nova.conf.d is not in the container
            arguments = (*_as_arguments(f"{directory}/{f}" for f in dict.fromkeys(files)), _NO_DIRECTORY)
            yield Program(project, name, arguments, {}, unit=unit if has_unit else None, container=name)


# -- interpreter, release, restart -----------------------------------------------------------------------------------


def _interpreter(
    tree: Tree, name: str, programs: list[Program], options: Mapping[str, Any]
) -> tuple[Optional[str], Optional[str]]:
    """The interpreter that has the service, and the account to run it as: a process' own, never a more powerful one."""
    owners = [program.user for program in programs if not program.container and program.user]
    account = next((user for user in [*owners, name] if _exists(user)), None)
    given = options.get("service_python")
    if isinstance(given, Mapping):
        given = given.get(name)
    if given:
        return str(given), account
    if not tree.is_live:
        return None, None
    found = [(p.python, p.user) for p in programs if p.python and p.user and not p.container]
    manage = "neutron-db-manage" if name == "neutron" else f"{name}-manage"
    script = _shebang(tree, [f"{d}/{manage}" for d in ("/usr/bin", "/usr/local/bin")])
    if script:
        found.append((script, account or "nobody"))
    return next(((python, user) for python, user in found if os.access(python, os.X_OK)), (None, None))


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _version(
    tree: Tree, name: str, python: Optional[str], programs: list[Program], options: Mapping[str, Any]
) -> Optional[str]:
    given = options.get("releases")
    if isinstance(given, Mapping):
        given = given.get(name)
    if given:
        number = SERIES.get(str(given).lower())
        return str(number - PROJECTS[name].behind_nova) if number else str(given)
    own = [os.path.dirname(os.path.dirname(python))] if python else []
    prefixes = own + [p.prefix + root for p in programs if p.prefix for root in ("/var/lib/kolla/venv", "/usr")]
    versions = set()
    for prefix in prefixes:
        versions |= _installed(Tree(), name, prefix)
    if not versions:
        for prefix in ("/usr", "/usr/local", "/opt/*", "/openstack/venvs/*", "/var/lib/kolla/venv"):
            versions |= _installed(tree, name, prefix)
    majors = {version.split(".", 1)[0] for version in versions}
    return sorted(versions)[-1] if len(majors) == 1 else None


def _installed(tree: Tree, name: str, prefix: str) -> set[str]:
    distribution = PROJECTS[name].distribution.replace("-", "_")
    found = set()
    for where in ("lib*/python3*/site-packages", "lib/python3*/dist-packages"):
        for path in tree.glob(f"{prefix}/{where}/{distribution}-*-info"):
            match = re.match(rf"{distribution}-(\d+(?:\.\d+)*)", os.path.basename(path))
            if match:
                found.add(match.group(1))
    return found


def _restarts(tree: Tree, name: str, programs: list[Program], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How the programs that read a file are restarted; empty when that cannot be told."""
    given = options.get("restart_commands") or {}
    if given.get(name):
        return [{"service": name, "command": list(given[name]), "unit": ""}]
    found: dict[str, dict[str, Any]] = {}
    for program in programs:
        if given.get(program.name):
            wish = {"service": program.name, "command": list(given[program.name]), "unit": ""}
        elif program.unit:
            wish = {"service": program.name, "command": ["systemctl", "restart", program.unit], "unit": program.unit}
        elif program.container and not program.prefix:
            engine = container_engine(tree)
            if engine is None:
                continue
            wish = {
                "service": program.name,
                "command": [engine, "restart", program.container.replace("-", "_")],
                "unit": "",
            }
        else:
            continue
        found.setdefault(" ".join(wish["command"]), wish)
    return [found[command] for command in sorted(found)]
