# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of the module report: show the report, keep it, and hand it on."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.stackmend.openstack.plugins.module_utils import _report


class ActionModule(ActionBase):
    """Runs on the control node alone."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(
            argument_spec={
                "run_id": {"type": "str", "required": True},
                "mode": {"type": "str", "required": True, "choices": ["diagnose", "check", "remediate", "rollback"]},
                "started": {"type": "str", "required": True},
                "findings": {"type": "list", "elements": "dict", "default": []},
                "unknown": {"type": "list", "elements": "dict", "default": []},
                "checked": {"type": "dict", "default": {"hosts": 0, "faults": 0, "objects": {}}},
                "changed": {"type": "int", "default": 0},
                "undone": {"type": "list", "elements": "dict"},
                "directory": {"type": "path", "required": True},
            }
        )
        given = _plain(args)
        undone = given.pop("undone", None)
        directory = given.pop("directory")
        report = _report.build(**given)
        if undone is not None:
            report["undone"] = undone
        path = os.path.join(directory, "report.json")
        try:
            _write(path, report)
        except OSError as error:
            raise AnsibleActionFail(
                f"the report cannot be written to {path} ({error.strerror}): set stackmend_report_dir to a directory "
                "of the control node that can be written"
            ) from error
        Display().display("\n" + _report.table(report) + "\n")
        result.update(
            changed=False,
            path=path,
            summary=_report.summary(report),
            exit_status=_report.exit_status(report),
            ansible_stats={"data": {"stackmend_report": report}, "per_host": False, "aggregate": False},
        )
        return result


def _plain(value: Any) -> Any:
    """Without the classes in which Ansible keeps track of where a value came from."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _write(path: str, report: dict[str, Any]) -> None:
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".report-", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1, sort_keys=True)
            file.write("\n")
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
