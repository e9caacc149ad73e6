# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that has nova imported and answers questions about it, so that each takes a fraction of a second and not three."""

from __future__ import annotations

import json
import selectors
import subprocess
from collections.abc import Mapping, Sequence

Completed = subprocess.CompletedProcess[str]


class Questions:
    """Runs commands of programs/answer.py, which is started with the first one and ends with `close` or with this process."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def ask(self, question: Sequence[str], seconds: float) -> Completed:
        """What one of its programs, with its arguments, said. Raises TimeoutError; the next question starts it anew."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                self.close()
                raise TimeoutError
        line = process.stdout.readline()
        if not line:
            _output, errors = process.communicate()
            return Completed(list(question), process.returncode or 1, "", errors)
        return Completed(list(question), *json.loads(line))

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                self._command, env=dict(self._environment), text=True, stdin=pipe, stdout=pipe, stderr=pipe
            )
        return self._process
