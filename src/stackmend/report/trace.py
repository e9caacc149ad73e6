# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render a trace: one function a format, and the table in colours for a terminal."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import jinja2
import jsonschema
from ansible_collections.stackmend.openstack.plugins.module_utils import _trace_table
from rich.console import Console
from rich.text import Text

from stackmend.model import Trace

_COLOURS = {
    "nova-api": "cyan",
    "nova-conductor": "blue",
    "nova-scheduler": "magenta",
    "nova-compute": "green",
    "placement": "yellow",
}
_OTHERS = "bright_black"
_LEVELS = {"ERROR": "bold red", "CRITICAL": "bold red", "WARNING": "bold"}


def schema() -> dict[str, Any]:
    """The JSON Schema of a trace, version 1."""
    loaded: dict[str, Any] = json.loads(_file("trace-1.json"))
    return loaded


def as_json(trace: Trace) -> str:
    """The trace as JSON, checked against its schema."""
    jsonschema.validate(trace.document, schema())
    return json.dumps(trace.document, indent=2, sort_keys=True) + "\n"


def as_table(trace: Trace) -> str:
    """The trace as a person reads it."""
    return "\n".join(_trace_table.lines(trace.document, _width())) + "\n"


def in_colours(trace: Trace) -> str:
    """The same for a terminal: each service in its colour, errors in red."""
    width = _width()
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=width, highlight=False)
    for line in _trace_table.parts(trace.document, width):
        style = _LEVELS.get(line.level) or (_COLOURS.get(line.service, _OTHERS) if line.service else "")
        terminal.print(Text(line.text, style=style), no_wrap=True, crop=False)
    assert isinstance(terminal.file, io.StringIO)
    return terminal.file.getvalue()


def as_html(trace: Trace) -> str:
    """The trace as one page that needs nothing else."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_file("trace.html.j2")).render(trace=trace.document) + "\n"


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


FORMATS: Mapping[str, Callable[[Trace], str]] = {"table": as_table, "json": as_json, "html": as_html}
