# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What faults of nova's scheduler have in common: how it compares an extra spec with what a host or an aggregate says."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

# nova 34, scheduler/host_manager.py HostState: attributes and methods, which hasattr() finds all the same, and the keys
# of a compute's stats (compute/stats.py). The names have not changed since Ocata but for those that were added.
HOST_ATTRIBUTES = re.compile(
    r"__\w+__|_lock_name|_update_from_compute_node|_locked_consume_from_request|host|nodename|uuid|total_usable_(ram_mb|disk_gb)|disk_mb_used|free_(ram|disk)_mb|vcpus_(total|used)"
    r"|pci_stats|numa_topology|num_(instances|io_ops)|failed_builds|host_ip|hypervisor_(type|version|hostname)|cpu_info"
    r"|supported_instances|limits|metrics|aggregates|instances|(ram|cpu|disk)_allocation_ratio|cell_uuid|updated|stats"
    r"|service|allocation_candidates|update|consume_from_request"
    r"|num_(vm|task|os_type|proj)_.+|io_workload"
)

_NUMBERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTS: dict[str, Callable[[Any, Any], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
    "<in>": lambda value, wanted: wanted in value,
}


def matches(value: str, wanted: str) -> bool:
    """Whether a host's or an aggregate's value satisfies an extra spec (nova 34, scheduler/filters/extra_specs_ops.py).

    Where nova would raise, as for a number compared with a word, nothing matches.
    """
    first, *words = wanted.split() or [""]
    if first == "<or>":
        return value in words[::2]
    if first not in _NUMBERS and first not in _TEXTS and first != "<all-in>":
        return value == wanted
    if not words:
        return False
    if first == "<all-in>":
        return all(word in value for word in words)
    if first in _TEXTS:
        return _TEXTS[first](value, words[0])
    try:
        return _NUMBERS[first](float(value), float(words[0]))
    except ValueError:
        return False
