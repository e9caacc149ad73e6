# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read nova's cells from a host that has nova-manage: which hosts and servers the API database maps, and which not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._model import Unavailable
from . import _interpreter, _oslo_files, oslo_config, services
from ._cells_program import PROGRAM
from ._tree import Tree

# nova imports in 3 s; the rest is one query a page of each cell.
SECONDS = 180.0


def read(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """What `_cells_program` answers, with "through" and "gaps"; None for a host that has no API database of nova.

    through: {"python": [command], "user", "arguments": ["--config-file=..."], "environment"}, by which nova's own
    programs are run here. options: as for `services`, and nova_exec, the command that runs another inside the
    container that has nova-manage.
    """
    through = find(tree, options)
    if through is None:
        return None
    try:
        answer: dict[str, Any] = ask(through, PROGRAM, do="read")
    except _interpreter.ProgramFailed as failure:
        raise Unavailable(f"nova's cells could not be read: {' '.join(through['python'])} {failure}") from failure
    gaps = [
        {"reason": f"the database of cell {cell['name'] or cell['uuid']} did not answer ({cell['error']})"}
        for cell in answer["cells"]
        if cell["error"]
    ]
    return {**answer, "through": through, "gaps": gaps}


def find(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """How nova's own programs are run on this host; None when it has no configured API database.

    Raises Unavailable where there is one and no interpreter to read it with.
    """
    nova = next((service for service in services.find(tree, options) if service.name == "nova"), None)
    return through_nova(tree, options, nova) if nova else None


def through_nova(tree: Tree, options: Mapping[str, Any], nova: services.Service) -> Optional[dict[str, Any]]:
    """The same of a nova that `services.find` has found."""
    view = next((view for view in nova.views if _has_api_database(tree, view)), None)
    if view is None:
        return None
    inside = list(options.get("nova_exec") or _container(tree))
    if inside:
        return {"python": [*inside, "python3"], "user": None, "arguments": [], "environment": {}}
    if not nova.python:
        raise Unavailable(
            "nova's cells could not be read: no interpreter of nova was found. Set stackmend_service_python, or "
            "stackmend_nova_exec where nova-manage is in a container"
        )
    return {
        "python": [nova.python],
        # A directory that stands for a host has that host's owners, not this machine's accounts.
        "user": nova.user if tree.is_live else None,
        "arguments": [f"--config-file={tree.path(path)}" for path in view.files],
        "environment": view.environment,
    }


def ask(through: Mapping[str, Any], program: str, **request: Any) -> Any:
    """Run a program that begins with _cells_program.PRELUDE by nova's interpreter. Raises ProgramFailed."""
    known = {"arguments": through["arguments"], "environment": through["environment"]}
    command = _interpreter.isolated(through["python"], program)
    return _interpreter.ask(command, {**known, **request}, user=through["user"], environment=THREADS, seconds=SECONDS)


# nova's own advice for programs that must not be patched by eventlet; releases that know no such variable ignore it.
THREADS = {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"}


def _has_api_database(tree: Tree, view: services.View) -> bool:
    return bool(database_urls(tree, view, "api_database")[0])


def database_urls(tree: Tree, view: services.View, *sections: str) -> list[str]:
    """What `connection` is in each section, with its password: "" where it is not set, and where a file cannot be read."""
    try:
        files = [(path, oslo_config.read_file(tree, path)) for path in view.files]
    except (OSError, Unavailable):
        return [""] * len(sections)
    effective = _oslo_files.Effective(files, view.environment)
    return [effective.text(section, "connection") for section in sections]


def _container(tree: Tree) -> list[str]:
    """kolla: the container that has nova-manage and the API database (kolla-ansible runs discovery in it)."""
    if not tree.exists("/etc/kolla/nova-conductor/nova.conf"):
        return []
    engine = services.container_engine(tree)
    return [engine, "exec", "--interactive", "nova_conductor"] if engine and tree.is_live else []
