# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of the module request_trace_info: run it, and measure by how much the host's clock is wrong."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.stackmend.openstack.plugins.module_utils import _clock


class ActionModule(ActionBase):
    """Adds `clock` to what the module returns."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        sent = time.time()
        result.update(
            self._execute_module(
                module_name="stackmend.openstack.request_trace_info",
                module_args=self._task.args,
                task_vars=task_vars,
            )
        )
        received = time.time()
        if "began" in result and "ended" in result:
            result["clock"] = _clock.offset(sent, result["began"], result["ended"], received)
        return result
