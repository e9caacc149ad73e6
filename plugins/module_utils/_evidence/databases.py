# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try, as each service of this host and with its own credentials, the databases that its configuration names.

The result:
  {"connections": [{
     "service", "section", "option", "path", "cell": name of nova's cell or "", "kind": "mysql" or another dialect,
     "code": the server's error number or 0, "failed": name of the exception or "", "server": "host:port", "database",
     "login": {"user", "host"} or None: the account by which the server knows the service, "server_name": its @@hostname,
     "grants": [statement]}],
   "server": {"name", "client": path of the client that can administer it or ""} or None: a MariaDB or MySQL of this host,
   "gaps": [...]}

Nothing in it is a secret; `_database_program` says how that is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._model import Unavailable
from . import _interpreter, oslo_config, services
from ._database_program import PROGRAM
from ._tree import Tree

# (section, option) of what a service keeps in a database
OPTIONS = (
    ("api_database", "connection"),
    ("database", "connection"),
    ("placement_database", "connection"),
    ("api_database", "slave_connection"),
    ("database", "slave_connection"),
)
# Every connection may take eight seconds, and few are more than three.
SECONDS = 60.0
_SERVERS = ("mariadbd", "mysqld")
_CLIENTS = ("/usr/bin/mariadb", "/usr/bin/mysql")


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of all databases. options: as for `services`."""
    connections: list[dict[str, Any]] = []
    gaps: list[dict[str, str]] = []
    for service in services.find(tree, options):
        wanted = list(_of(tree, service, gaps))
        if not any(_is_mysql(entry["url"]) for entry in wanted):
            continue
        if not tree.is_live:
            gaps.append({"reason": f"the databases of {service.name} can only be tried on a running host"})
            continue
        if not service.python:
            gaps.append(
                {
                    "reason": f"the databases of {service.name} were not tried: no interpreter of it was found. Set "
                    "stackmend_service_python"
                }
            )
            continue
        try:
            connections += _ask(service, wanted)
        except _interpreter.ProgramFailed as failure:
            gaps.append({"reason": f"the databases of {service.name} were not tried: {service.python} {failure}"})
    return {"connections": connections, "server": _server(tree) if tree.is_live else None, "gaps": gaps}


def _of(tree: Tree, service: services.Service, gaps: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """The connections that a service's programs are given, each URL once."""
    seen = set()
    for view in service.views:
        try:
            files = [(path, oslo_config.read_file(tree, path)) for path in view.files]
        except (OSError, Unavailable) as error:
            gaps.append({"reason": f"the databases of {service.name} were not tried: {error}"})
            continue
        effective = oslo_config.effective(
            {"files": dict(files)}, {"files": view.files, "environment": view.environment}
        )
        for section, option in OPTIONS:
            found = effective.raw(section, option)
            url = effective.text(section, option)
            if found and url and url not in seen:
                seen.add(url)
                yield {"section": section, "option": option, "path": found[1].path, "url": url}


def _is_mysql(url: str) -> bool:
    return url.startswith(("mysql", "mariadb"))


def _ask(service: services.Service, wanted: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    base = next((entry["url"] for entry in wanted if entry["section"] == "database"), "")
    cells = next((number for number, entry in enumerate(wanted) if entry["section"] == "api_database"), None)
    request = {
        "connections": [{"id": number, "url": entry["url"]} for number, entry in enumerate(wanted)],
        "cells": {"id": cells, "base": base} if cells is not None and service.name == "nova" else None,
    }
    command = _interpreter.isolated([str(service.python)], PROGRAM)
    answers = _interpreter.ask(command, request, user=service.user, seconds=SECONDS)["answers"]
    for answer in answers:
        origin = wanted[answer.pop("id")]
        login = answer["login"]
        yield {
            **answer,
            "service": service.name,
            "section": origin["section"],
            "option": origin["option"],
            "path": origin["path"],
            "login": {"user": login[0], "host": login[1]} if login else None,
        }


def _server(tree: Tree) -> Optional[dict[str, str]]:
    """The database server that runs on this host itself."""
    for name in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open(f"/proc/{name}/comm", encoding="utf-8", errors="replace") as file:
                if file.read().strip() not in _SERVERS:
                    continue
            container = services.in_container(int(name))
        except OSError:
            continue  # it ended
        client = "" if container else next((path for path in _CLIENTS if tree.exists(path)), "")
        return {"name": os.uname().nodename, "client": client}
    return None
