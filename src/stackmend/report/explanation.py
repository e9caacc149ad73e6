# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render an explanation: one function a format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import jinja2
import jsonschema
from ansible_collections.stackmend.openstack.plugins.module_utils import _scheduling_table

from stackmend.model import Explanation


def schema() -> dict[str, Any]:
    """The JSON Schema of the answer, version 1."""
    loaded: dict[str, Any] = json.loads(_file("explanation-1.json"))
    return loaded


def as_json(explanation: Explanation) -> str:
    """The answer as JSON, checked against its schema."""
    jsonschema.validate(explanation.document, schema())
    return json.dumps(explanation.document, indent=2, sort_keys=True) + "\n"


def as_table(explanation: Explanation) -> str:
    """The answer as a person reads it on a terminal."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 160)
    return "\n".join(_scheduling_table.lines(explanation.document, width)) + "\n"


def as_html(explanation: Explanation) -> str:
    """The answer as one page that needs nothing else."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_file("explanation.html.j2")).render(answer=explanation.document) + "\n"


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


FORMATS: Mapping[str, Callable[[Explanation], str]] = {"table": as_table, "json": as_json, "html": as_html}
