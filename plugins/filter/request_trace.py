# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters request_trace and request_search."""

from __future__ import annotations

DOCUMENTATION = r"""
name: request_trace
short_description: Bring together what hosts and cloud know of a server or request
version_added: 0.2.0
description:
  - Takes the results of M(stackmend.openstack.request_trace_info), by host, and that of
    M(stackmend.openstack.server_actions_info), and makes one timeline of them, with what it means.
  - A host that failed or could not be reached is told as unknown.
options:
  _input:
    description: Registered result of each host, by its inventory name.
    type: dict
    required: true
  subject:
    description: A server's uuid or a request id.
    type: str
    required: true
  cloud:
    description: Registered result for the cloud; nothing when no cloud was read.
    type: dict
  no_cloud:
    description: Why no cloud was read.
    type: str
    default: ''
  patience:
    description: Seconds that a step may take before it counts as stuck.
    type: float
    default: 600
  window:
    description: Seconds of the logs that were read; a day for a request and 14 days for a server when not given.
    type: float
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Tell what became of a request
  ansible.builtin.debug:
    msg: "{{ ({inventory_hostname: trace} | stackmend.openstack.request_trace(subject=request)).table }}"
  vars:
    request: req-0b9f877d-be4e-4896-8d7f-f6aa55c35aeb
"""

RETURN = r"""
_value:
  description:
    - RV(_value.answer), whose JSON Schema is C(stackmend/report/trace-1.json) of the Python package, and RV(_value.table),
      the same as lines of at most 100 columns.
  type: dict
"""

import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.stackmend.openstack.plugins.module_utils import _trace
from ansible_collections.stackmend.openstack.plugins.module_utils._trace_table import lines


def request_trace(
    hosts: Mapping[str, Any],
    subject: str,
    cloud: Optional[Mapping[str, Any]] = None,
    no_cloud: str = "",
    patience: float = _trace.PATIENCE,
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
