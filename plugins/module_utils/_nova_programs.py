# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change something by nova's own programs and objects, on a host that has them (nova_cells.find says how)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._evidence import _interpreter, nova_cells
from ._evidence._cells_program import NOVA_MANAGE
from ._evidence._tree import Tree
from ._model import ChangeFailed


def find(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """How nova's own programs are run on the host of a module's options. Raises ChangeFailed where there are none."""
    through = nova_cells.find(Tree(params["root"]), params)
    if through is None:
        raise ChangeFailed("this host has no nova with an API database: it is to be done on a controller")
    return through


def manage(through: Mapping[str, Any], *arguments: str) -> tuple[int, str]:
    """Run nova-manage; its status and the last line of what it said. Raises ChangeFailed where it cannot be run."""
    command = [*through["python"], "-B", "-c", NOVA_MANAGE, *through["arguments"], *arguments]
    environment = {**nova_cells.THREADS, **through["environment"]}
    try:
        process = _interpreter.start(command, through["user"], environment)
        output, errors = _interpreter.finish(process, b"", nova_cells.SECONDS)
    except (*_interpreter.NOT_STARTED, _interpreter.ProgramFailed) as error:
        raise ChangeFailed(f"nova-manage {' '.join(arguments)} could not be run: {error}") from error
    return process.returncode, _interpreter.last_line(output) or _interpreter.exception_name(errors)


def ask(through: Mapping[str, Any], program: str, **request: Any) -> Any:
    """The answer of a program that nova's interpreter runs (nova_cells.ask). Raises ChangeFailed."""
    try:
        return nova_cells.ask(through, program, **request)
    except _interpreter.ProgramFailed as failure:
        raise ChangeFailed(f"nova's objects could not be used: {' '.join(through['python'])} {failure}") from failure
