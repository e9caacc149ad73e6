# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the logs of a host and go through them: files, rotated and compressed ones, the journal, and containers' output.

Nothing is waited for without an end, and what could not be read is told as a gap.
"""

from __future__ import annotations

import bz2
import gzip
import os
import re
import shutil
import stat
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone, tzinfo
from typing import Any, BinaryIO, NamedTuple, Optional, Protocol
from zoneinfo import ZoneInfo

from . import services
from ._log_lines import Clock, moment, told
from ._log_scan import Line, Window, scan, start_of
from ._prefilter import Prefilter
from ._tree import Tree

_PROJECTS = ("nova", "placement", "neutron", "glance", "keystone", "cinder", "horizon", "ceph")
# Where distributions, kolla (one directory per project) and TripleO put logs.
PATHS = (
    *(f"/var/log/{project}/*log*" for project in _PROJECTS),
    "/var/log/ceph/*/*.log*",
    "/var/log/kolla/*/*log*",
    "/var/log/containers/*/*.log*",
    "/var/log/httpd/*error*log*",
    "/var/log/apache2/*error*log*",
    "/var/log/audit/audit.log*",
)
_COMPRESSED = (".gz", ".xz", ".bz2", ".zst", ".lz4")
# name.log, name.log.1, name.log.2.gz, name.log-20261121.xz, name_error_log; not name.log.swp or name.logrotate.conf
_LOG = re.compile(r"^(?P<name>.+?)[._-]?log(?:[.-]\d[\d.T_-]*)?(?:\.old)?(?:\.(?:gz|xz|bz2|zst|lz4))?$|^log$")
_CONTAINER = re.compile(rf"^(?:{'|'.join(_PROJECTS)})[_-]")
_FUTURE = 3600.0
_END = 64 << 10
_ROUNDS = 3


class _Readable(Protocol):
    def read(self, wanted: int, /) -> bytes: ...


class Limits(NamedTuple):
    """How much may be read: bytes (of a compressed file those that come out), and the moment (monotonic) to stop at."""

    bytes: int
    deadline: float


class Logs:
    """One way through a host's logs. `gaps` and `read` tell afterwards what was not and what was seen."""

    def __init__(self, tree: Tree, prefilters: Callable[[str], Prefilter], window: Window, limits: Limits) -> None:
        """prefilters: gives what is looked for in the logs of a service, by its name."""
        self._tree = tree
        self._prefilters = prefilters
        self._window = window
        self._limits = limits
        self._now = time.time()
        self._clock = Clock(_zone(tree), datetime.fromtimestamp(self._now, timezone.utc))
        self._full = False
        self.gaps: list[dict[str, str]] = []
        self.read = {"files": 0, "bytes": 0}
        # whose logs there are, also those that nothing was written to within the window
        self.services: set[str] = set()

    def lines(self, paths: Iterable[str]) -> Iterator[tuple[str, str, Line]]:
        """(file, service, line) of every line within the window that holds what is looked for in its service's logs."""
        projects: set[str] = set()
        for path, service in self._files(tuple(paths)):
            projects.update(re.split(r"[-_./]", path.split("/var/log/", 1)[-1].replace("kolla/", "", 1))[:1])
            projects.update(re.split("[-_]", service)[:1])
            for line in self._file(path, service):
                yield path, service, line
            if self._full:
                return
        for name, service, command in [
            *_journals(self._tree, projects, self._window),
            *_containers(self._tree, projects, self._window, self._gap),
        ]:
            self.services.add(service)
            for line in self._output(name, service, command):
                yield name, service, line
            if self._full:
                return

    # -- files ---------------------------------------------------------------------------------------------------------

    def _files(self, patterns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Each log file once, whatever it is called at the moment: a file that is rotated meanwhile keeps its inode."""
        seen: set[tuple[int, int]] = set()
        listed: set[str] = set()
        for turn in range(_ROUNDS):
            fresh = 0
            for pattern in patterns:
                for path in self._tree.glob(pattern):
                    named = _LOG.match(os.path.basename(path))
                    try:
                        facts = self._tree.stat(path)
                    except OSError:
                        continue  # a link to nowhere, or gone since it was listed
                    if not named or not stat.S_ISREG(facts.st_mode) or (facts.st_dev, facts.st_ino) in seen:
                        continue
                    seen.add((facts.st_dev, facts.st_ino))
                    # a file that was compressed meanwhile was read before, as what it was compressed from
                    if turn and path.endswith(_COMPRESSED) and os.path.splitext(path)[0] in listed:
                        continue
                    listed.add(path)
                    service = named.group("name") or os.path.basename(os.path.dirname(path))
                    self.services.add(service)
                    if facts.st_mtime >= self._window.since and facts.st_size:
                        fresh += 1
                        yield path, service
            if not fresh:
                return

    def _file(self, path: str, service: str) -> Iterator[Line]:
        try:
            # O_NONBLOCK: a fifo that took the place of the log must not hang
            descriptor = os.open(self._tree.path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return  # rotated away since it was listed; it is found again under its new name
        except OSError as error:
            self._gap(path, f"cannot be read: {error.strerror}")
            return
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                self._gap(path, "is not a regular file")
                return
            before = None
            if path.endswith(_COMPRESSED):
                compressed = self._open_compressed(path, file)
                if compressed is None:
                    return
                source = _Source(compressed, path, self)
            else:
                before = self._seek(path, file, facts.st_size)
                source = _Source(file, path, self, plain=file)
            self.read["files"] += 1
            yield from scan(source.read, self._prefilters(service), self._clock, self._window, before)

    def _seek(self, path: str, file: BinaryIO, size: int) -> Optional[float]:
        """Go to where the window begins in a plain file; the time of what stands there, if it is before the window."""
        file.seek(max(0, size - _END))
        lines = file.read(_END).split(b"\n")
        newest = next((when for line in reversed(lines) if (when := moment(line, self._clock)) is not None), None)
        if newest is not None and newest > self._now + _FUTURE:
            self._gap(path, f"holds lines dated {told(newest)}, in the future: its times cannot be relied on")
            file.seek(0)
            return None
        start, before = start_of(file, size, self._clock, self._window.since)
        file.seek(start)
        return before

    def _open_compressed(self, path: str, file: BinaryIO) -> Optional[_Readable]:
        if path.endswith(".gz"):
            return gzip.GzipFile(fileobj=file)
        if path.endswith(".bz2"):
            return bz2.BZ2File(file)
        if path.endswith(".xz"):
            try:
                import lzma  # some builds of Python are without it
            except ImportError:
                self._gap(path, "is compressed with xz, which the Python of this host cannot read")
                return None
            return lzma.LZMAFile(file)
        self._gap(path, "is compressed in a way that Python cannot read")
        return None

    # -- the journal and containers ------------------------------------------------------------------------------------

    def _output(self, name: str, service: str, command: list[str]) -> Iterator[Line]:
        """The lines of a program that prints a log, each with its time before it."""
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_english()
            )
        except OSError as error:
            self._gap(name, f"cannot be read: {error.strerror}")
            return
        alarm = threading.Timer(max(0.1, self._limits.deadline - time.monotonic()), process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            with process.stdout as output:  # type: ignore[union-attr]
                self.read["files"] += 1
                source = _Source(output, name, self)
                yield from scan(source.read, self._prefilters(service), self._clock, self._window)
                stopped_early = self._full or output.read(1) != b""
        finally:
            alarm.cancel()
            process.kill()
            status = process.wait()
        if status and not stopped_early:
            self._gap(name, f"was not read whole: {os.path.basename(command[0])} ended with status {status}")

    # -- what is not seen ----------------------------------------------------------------------------------------------

    def _gap(self, path: str, what: str) -> None:
        self.gaps.append({"reason": f"{path} {what}"})

    def account(self, path: str, wanted: int) -> int:
        """How many of the wanted bytes may still be read; 0 ends the whole reading, and says so."""
        if self._full:
            return 0
        left = self._limits.bytes - self.read["bytes"]
        if left <= 0 or time.monotonic() > self._limits.deadline:
            self._full = True
            limit = "the limit of bytes" if left <= 0 else "the limit of time"
            self._gap(path, f"and the logs after it were not read to the end: {limit} was reached")
            return 0
        return min(wanted, left)

    def cut_short(self, path: str, error: Exception) -> None:
        if isinstance(error, OSError) and error.strerror:
            self._gap(path, f"was read in part only: {error.strerror}")
        else:
            self._gap(path, "is damaged or cut short; what it holds up to there was read")

    def truncated(self, path: str) -> None:
        self._gap(path, "was truncated while it was read; lines may be missing")


class _Source:
    """Reads within the limits, and takes an end that comes too early for an end."""

    def __init__(self, file: _Readable, path: str, logs: Logs, plain: Optional[BinaryIO] = None) -> None:
        self._file = file
        self._path = path
        self._logs = logs
        self._plain = plain
        self._truncations = 0

    def read(self, wanted: int) -> bytes:
        wanted = self._logs.account(self._path, wanted)
        if not wanted:
            return b""
        try:
            content = self._file.read(wanted)
            if not content and self._truncated():
                content = self._file.read(wanted)
        except (OSError, EOFError, zlib.error, ValueError) as error:
            self._logs.cut_short(self._path, error)
            return b""
        except Exception as error:
            if type(error).__name__ != "LZMAError":
                raise
            self._logs.cut_short(self._path, error)
            return b""
        self._logs.read["bytes"] += len(content)
        return content

    def _truncated(self) -> bool:
        """Whether logrotate's copytruncate emptied the file meanwhile; what follows stands at its beginning again."""
        file = self._plain
        if file is None or self._truncations >= _ROUNDS or os.fstat(file.fileno()).st_size >= file.tell():
            return False
        self._truncations += 1
        self._logs.truncated(self._path)
        file.seek(0)
        return True


def _journals(tree: Tree, projects: set[str], window: Window) -> Iterator[tuple[str, str, list[str]]]:
    """(name, service, command) for each unit of a service that has no log file."""
    program = shutil.which("journalctl")
    directory = "/var/log/journal"
    if program is None or not (tree.is_live or tree.is_dir(directory)):
        return
    units: dict[str, str] = {}
    # also those that do not run: what keeps them from it stands in their journal
    for found in services.present(tree):
        if found.unit and found.project not in projects:
            units.setdefault(found.unit, found.name)
    for unit, name in sorted(units.items()):
        command = [program, "--quiet", "--no-pager", "--all", "--output=short-iso-precise", f"--unit={unit}"]
        command += [f"--since=@{int(window.since)}"]
        if window.until is not None:
            command.append(f"--until=@{int(window.until) + 1}")
        if not tree.is_live:
            command.append(f"--directory={tree.path(directory)}")
        yield f"journal of {unit}", name, command


def _containers(
    tree: Tree, projects: set[str], window: Window, gap: Callable[[str, str], None]
) -> Iterator[tuple[str, str, list[str]]]:
    """(name, service, command) for each container of a service that has no log file. gap: is told what was not seen."""
    if not tree.is_live:
        return
    since = ("--since", told(window.since) or "")
    for engine in ("podman", "docker"):
        program = shutil.which(engine)
        if program is None or (engine == "docker" and not services.docker_runs(tree)):
            continue
        names = _names_of_containers(program)
        if names is None:
            gap(f"the output of {engine}'s containers", f"was not read: {engine} did not list them")
        for name in names or ():
            if _CONTAINER.match(name) and re.split("[-_]", name)[0] not in projects:
                yield f"{engine} logs {name}", name.replace("_", "-"), [program, "logs", "--timestamps", *since, name]


def _names_of_containers(program: str) -> Optional[list[str]]:
    """None where it does not list them."""
    command = [program, "ps", "--all", "--format", "{{.Names}}"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=_english())
    except (OSError, subprocess.TimeoutExpired):
        return None
    return listed.stdout.split() if listed.returncode == 0 else None


def _english() -> Mapping[str, str]:
    return {**os.environ, "LC_ALL": "C", "TZ": "UTC"}


def _zone(tree: Tree) -> tzinfo:
    """The time zone that the host's services write their logs in."""
    try:
        with open(tree.path("/etc/localtime"), "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return timezone.utc


def limits_of(options: Mapping[str, Any]) -> Limits:
    megabytes = float(options.get("log_megabytes") or 4096)
    seconds = float(options.get("log_seconds") or 120)
    return Limits(int(megabytes * 1e6), time.monotonic() + seconds)
