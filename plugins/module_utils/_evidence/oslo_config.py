# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read every OpenStack service's oslo.config files on a host, and which options that service registers.

The result, by service:
  {"services": {"nova": {
     "version": "31.0.0" or None, "release": 31 or None,
     "source": "asked /usr/bin/python3" or "bundled option data of nova 31",
     "views": [{"programs": [...], "files": [path, oldest first], "environment": {OS_GROUP__OPTION: value},
                "errors": [{"group", "name", "message"}] or None where no interpreter was asked}],
     "files": {path: [{"section", "key", "value", "line", "last_line", "expect"}]},
     "options": {group: {option: description}}, "plugins": {section or "*": {option: description}},
     "others": {group: {option: [first, last release that registers it]}}, [0, 0] for a library it does not use,
     "paste": {"path": ..., "pipelines": [...]} or None,
     "restarts": {path: [{"service", "command", "unit"}]}}},
   "gaps": [{"service": "nova" or "", "reason": sentence}]}

Values of files and environment are in it as they are, secrets too: it stays on the host, and `secret` says which may
not be told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Optional

from .._model import Unavailable
from . import _options, services
from ._oslo_files import Effective, ParseError, fingerprint, normal, parse
from ._tree import Tree

_SECRET = re.compile(
    r"passw|passcode|secret|token|credential|private|hmac|transport_url|connection|role_id|backend_argument|_key$|^key$",
    re.IGNORECASE,
)
_URL_WITH_PASSWORD = re.compile(r"://[^/\s]*@")


def read(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of every service found.

    options: service_python, config_files, restart_commands, releases (see `services`).
    """
    found = services.find(tree, options)
    reading = _read_files(tree, found)
    result, gaps = reading["services"], reading["gaps"]
    questions = [
        _question(tree, service, result[service.name]["views"])
        for service in found
        if service.python and result[service.name]["files"]
    ]
    answers = _options.ask(questions)
    for service in found:
        _add_options(service, result[service.name], answers.get(service.name), gaps)
    return reading


def read_files(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """The same without "options", "plugins" and "others": what is set, and nothing about what could be.

    No interpreter is asked, which takes seconds of a processor for each service.
    """
    return _read_files(tree, services.find(tree, options))


def _read_files(tree: Tree, found: list[services.Service]) -> dict[str, Any]:
    key = host_key(tree)
    result: dict[str, Any] = {}
    gaps: list[dict[str, str]] = []
    for service in found:
        files: dict[str, list[dict[str, Any]]] = {}
        for path in dict.fromkeys(path for view in service.views for path in view.files):
            try:
                files[path] = read_file(tree, path, key)
            except (Unavailable, OSError) as error:
                gaps.append({"service": service.name, "reason": str(error)})
        # what a program makes of its files cannot be told when one of them is missing from the picture
        whole = [view for view in service.views if all(path in files for path in view.files)]
        files = {path: found for path, found in files.items() if any(path in view.files for view in whole)}
        result[service.name] = {
            "version": service.version,
            "release": _major(service.version),
            "source": "",
            "views": [
                {
                    "programs": list(view.programs),
                    "files": list(view.files),
                    "environment": view.environment,
                    "errors": None,
                }
                for view in whole
            ],
            "files": files,
            "options": {},
            "plugins": {},
            "others": {},
            "paste": _paste(tree, service.name, files),
            "restarts": service.restarts,
        }
    return {"services": result, "gaps": gaps}


def host_key(tree: Tree) -> str:
    """What keys a host's fingerprints of values, so that a report does not give away a value that can be guessed."""
    try:
        return tree.read_text("/etc/machine-id", 4096).strip()
    except (OSError, Unavailable):
        return ""


def read_file(tree: Tree, path: str, key: str = "") -> list[dict[str, Any]]:
    """The entries of one file; Unavailable when it cannot be read or oslo.config could not parse it."""
    try:
        text = tree.read_text(path)
        text.encode()
        assignments = parse(text)
    except UnicodeEncodeError:
        raise Unavailable(f"{path} is not UTF-8; a service cannot read it either. Save it as UTF-8") from None
    except ParseError as error:
        raise Unavailable(
            f"{path} cannot be parsed (line {error.line}: {error.reason}); a service that reads it does not start. "
            "Correct that line"
        ) from None
    return [{**entry._asdict(), "expect": fingerprint(entry.value, key)} for entry in assignments]


def _major(version: Optional[str]) -> Optional[int]:
    match = re.match(r"\d+", version or "")
    return int(match.group()) if match else None


def _question(tree: Tree, service: services.Service, whole: list[dict[str, Any]]) -> _options.Question:
    views = []
    for view in whole:
        arguments = [f"--config-file={tree.path(path)}" for path in view["files"]]
        views.append({"args": arguments, "environment": view["environment"]})
    distribution = services.PROJECTS[service.name].distribution
    # A directory that stands for a host has that host's owners, not this machine's accounts.
    user = service.user if tree.is_live else None
    return _options.Question(service.name, distribution, str(service.python), user, views)


def _add_options(
    service: services.Service, evidence: dict[str, Any], answer: Optional[dict[str, Any]], gaps: list[dict[str, str]]
) -> None:
    why = ""
    if answer and "failure" not in answer:
        evidence["version"] = answer["version"] or evidence["version"]
        evidence["release"] = _major(evidence["version"])
        evidence["options"], evidence["plugins"] = answer["options"], answer["plugins"]
        evidence["source"] = f"asked {service.python}"
        for number, seen in enumerate(answer["views"]):
            if seen["failure"]:
                gaps.append(
                    {
                        "service": service.name,
                        "reason": f"{service.python} could not read the configuration of {service.name}: "
                        f"{seen['failure']}",
                    }
                )
            else:
                evidence["views"][number]["errors"] = seen["errors"]
    elif answer:
        why = f" ({answer['failure']})"
    try:
        if evidence["release"] is None:
            raise LookupError("its release is not known")
        table = _options.bundled(service.name, evidence["release"])
    except LookupError as error:
        if not evidence["options"]:
            gaps.append(
                {
                    "service": service.name,
                    "reason": f"the options of {service.name} could not be judged: {error}{why}. "
                    f"Set releases or service_python for {service.name}",
                }
            )
        return
    evidence["others"] = {g: {n: list(span) for n, span in names.items()} for g, names in table.others.items()}
    if not evidence["options"]:
        evidence["options"], evidence["plugins"] = table.options, {"*": table.auth_plugins}
        evidence["source"] = f"bundled option data of {service.name} {table.release}{why}"


def _paste(tree: Tree, name: str, files: Mapping[str, list[dict[str, Any]]]) -> Optional[dict[str, Any]]:
    """The authentication pipelines that the service's paste file offers; None when there is no such file to read."""
    effective = Effective(files.items(), {})
    if name == "neutron":
        given = effective.text("DEFAULT", "api_paste_config")
        places = ["/etc/neutron/api-paste.ini", "/usr/share/neutron/api-paste.ini"]
    elif name == "glance":
        given = effective.text("paste_deploy", "config_file")
        places = ["/etc/glance/glance-api-paste.ini", "/usr/share/glance/glance-api-dist-paste.ini"]
    else:
        return None
    if given:
        places = [given if given.startswith("/") else f"/etc/{name}/{given}"]
    for path in places + [f"{os.path.dirname(p)}/{os.path.basename(places[0])}" for p in files]:
        try:
            entries = parse(tree.read_text(path))
        except (OSError, Unavailable, ParseError):
            continue
        if name == "neutron":
            keys = [e.key for e in entries if e.section == "composite:neutronapi_v2_0"]
            found = [key for key in keys if key != "use"]
        else:
            sections = {e.section.split(":", 1)[-1] for e in entries if re.match(r"(pipeline|composite):", e.section)}
            found = sorted(s[len("glance-api-") :] for s in sections if s.startswith("glance-api-"))
        if found:
            return {"path": path, "pipelines": found}
    return None


def describe(service: Mapping[str, Any], group: str, option: str) -> Optional[dict[str, Any]]:
    """What a service registers under a normalised group and name, plugins' options included; None when nothing."""
    found: Optional[dict[str, Any]] = service["options"].get(group, {}).get(option)
    if found is None:
        found = next((o[option] for s, o in service["plugins"].items() if normal(s) == group and option in o), None)
    if found is None and "auth_type" in service["options"].get(group, {}):
        found = service["plugins"].get("*", {}).get(option)
    return found


def effective(service: Mapping[str, Any], view: Mapping[str, Any]) -> Effective:
    """What the programs of a view make of their files and environment."""
    return Effective(((path, service["files"][path]) for path in view["files"]), view["environment"])


def is_secret(option: str, description: Optional[Mapping[str, Any]] = None, value: str = "") -> bool:
    """Whether a value must not be told: marked secret by the service, named like one, or a URL with a password."""
    if _URL_WITH_PASSWORD.search(value):
        return True
    if description is not None:
        if description.get("secret"):
            return True
        if description["type"] in ("bool", "int", "float", "port") or "choices" in description:
            return False
    return bool(_SECRET.search(option)) and value.lower() not in ("true", "false", "yes", "no")
