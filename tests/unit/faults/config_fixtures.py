# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the evidence of configuration faults from the text of files.

A fixture has files ({path: text}), releases ({service: version}) and, where a case needs them, the other options of the
reader oslo_config. The real reader reads them from a directory that stands for the host.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import oslo_config
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree

OPTIONS = ("releases", "config_files", "restart_commands", "service_python")


def build_evidence(fixture: Mapping[str, Any]) -> dict[str, Any]:
    """What detect receives: {"host": ..., "oslo_config": ...}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in fixture["files"].items():
            file = Path(root, path.lstrip("/"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        options = {name: fixture[name] for name in OPTIONS if name in fixture}
        return {
            "host": {"name": fixture.get("host", "controller1"), "root": "/", "groups": []},
            "oslo_config": oslo_config.read(Tree(root), options),
        }
