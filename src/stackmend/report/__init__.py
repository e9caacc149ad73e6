# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render a report: one function a format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import jsonschema
from ansible_collections.stackmend.openstack.plugins.module_utils import _report

from stackmend.model import Report


def schema() -> dict[str, Any]:
    """The JSON Schema of the report, version 1."""
    text = resources.files(__package__).joinpath("schema-1.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def as_json(report: Report) -> str:
    """The report as JSON, checked against its schema."""
    jsonschema.validate(report.document, schema())
    return json.dumps(report.document, indent=2, sort_keys=True) + "\n"


def as_table(report: Report) -> str:
    """The report as a person reads it on a terminal."""
    return _report.table(report.document, min(shutil.get_terminal_size((120, 24)).columns, 160)) + "\n"


FORMATS: Mapping[str, Callable[[Report], str]] = {"table": as_table, "json": as_json}
