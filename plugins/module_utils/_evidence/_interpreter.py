# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a program with a service's own interpreter, as the service's own user, and nothing of whoever runs us."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import subprocess
from collections.abc import Sequence
from typing import Any, Optional

# No home: stevedore would keep a cache of entry points there, and a check writes nothing.
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "XDG_CACHE_HOME": "/nonexistent",
}


# As Python ends a traceback: the exception's class, and its message if it has one.
_RAISED = re.compile(r"((?:[A-Za-z_]\w{0,99}\.){0,9}[A-Za-z_]\w{0,99})(?::|$)")


# What starting a program may raise, see `start`.
NOT_STARTED = (OSError, KeyError, subprocess.SubprocessError)


class ProgramFailed(Exception):
    """A program that gave no answer; a clause that says why, without a value of the service's."""


def start(
    command: Sequence[str], user: Optional[str] = None, environment: Optional[dict[str, str]] = None
) -> subprocess.Popen[bytes]:
    """Start a command with pipes for its three streams, in a process group of its own.

    user: the account to run it as, where we may choose. Raises NOT_STARTED: KeyError for a user that is not there.
    """
    identity: dict[str, Any] = {}
    if user and os.geteuid() == 0:
        account = pwd.getpwnam(user)
        identity = {
            "user": account.pw_uid,
            "group": account.pw_gid,
            "extra_groups": os.getgrouplist(user, account.pw_gid),
        }
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={**ENVIRONMENT, **(environment or {})},
        start_new_session=True,
        **identity,
    )


def finish(process: subprocess.Popen[bytes], text: bytes, seconds: float) -> tuple[bytes, bytes]:
    """Feed a program and take what it says; it is killed, and ProgramFailed raised, when it takes too long."""
    try:
        return process.communicate(text, timeout=max(0.1, seconds))
    except subprocess.TimeoutExpired:
        end(process)
        raise ProgramFailed(f"did not answer within {seconds:.0f} s") from None


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that `start` started, with all that it started, unless it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def isolated(python: Sequence[str], program: str) -> list[str]:
    """The command that runs a program's text; -I: no directory or variable of ours decides what is imported."""
    return [*python, "-I", "-B", "-c", program]


def ask(
    command: Sequence[str],
    request: Any,
    *,
    user: Optional[str] = None,
    environment: Optional[dict[str, str]] = None,
    seconds: float,
) -> Any:
    """Give a program JSON and return the JSON on the last line of its output. Raises ProgramFailed."""
    try:
        process = start(command, user, environment)
    except NOT_STARTED as error:
        raise ProgramFailed(f"cannot be run: {error}") from error
    return answer(process, request, seconds)


def answer(process: subprocess.Popen[bytes], request: Any, seconds: float) -> Any:
    """The same of a program that was started already and waits for its request. Raises ProgramFailed."""
    output, errors = finish(process, json.dumps(request).encode(), seconds)
    if process.returncode == 0:
        try:
            return json.loads(last_line(output))
        except ValueError:
            pass
    raise ProgramFailed(f"failed ({exception_name(errors) or process.returncode})")


def last_line(output: bytes) -> str:
    return output.decode(errors="replace").strip().rsplit("\n", 1)[-1]


def exception_name(errors: bytes) -> str:
    """What was raised, by the last traceback; "" where none says it. The message, of any number of lines, could hold anything."""
    lines = errors.decode(errors="replace").splitlines()
    begun = max((at for at, line in enumerate(lines) if line.startswith("Traceback (")), default=None)
    told = lines[-1:] if begun is None else [line for line in lines[begun + 1 :] if line and not line[0].isspace()]
    name = _RAISED.match(told[0]) if told else None
    return name[1] if name else ""
