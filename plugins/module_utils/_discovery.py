# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options by which modules are told what cannot be discovered on a host (doc fragment discovery)."""

from __future__ import annotations

from typing import Any

ARGUMENTS: dict[str, dict[str, Any]] = {
    "service_python": {"type": "raw"},
    "config_files": {"type": "dict", "default": {}},
    "nova_exec": {"type": "list", "elements": "str", "default": []},
}
