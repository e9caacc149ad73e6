# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters request_trace and request_search."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils import _trace
from ansible_collections.stackmend.openstack.plugins.module_utils._settings import STUCK_SECONDS
from ansible_collections.stackmend.openstack.plugins.module_utils._trace_table import lines


def request_trace(
    hosts: Mapping[str, Any],
    subject: str,
    cloud: Optional[Mapping[str, Any]] = None,
    no_cloud: str = "",
    patience: float = STUCK_SECONDS,
    window: Any = None,
) -> dict[str, Any]:
    answer = _trace.trace(
        _trace.subject_of(subject),
        _answered(cloud),
        {name: result or {"msg": "it was not looked at"} for name, result in hosts.items()},
        no_cloud=no_cloud,
        patience=float(patience),
        window=float(window) if window else None,
    )
    return {"answer": answer, "table": lines(answer)}


def request_search(
    subject: str, cloud: Optional[Mapping[str, Any]], hosts: Mapping[str, Any], window: Any = None
) -> dict[str, Any]:
    try:
        found = _trace.subject_of(subject)
    except _trace.BadSubject as error:
        return {"error": str(error)}
    answered = {name: result for name, result in hosts.items() if result and "lines" in result}
    return {**found, **_trace.search(found, _answered(cloud), answered, float(window) if window else None, time.time())}


def _answered(cloud: Optional[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    return cloud if cloud and "servers" in cloud else None


class FilterModule:
    """Brings a trace together."""

    def filters(self) -> dict[str, Any]:
        return {"request_trace": request_trace, "request_search": request_search}
