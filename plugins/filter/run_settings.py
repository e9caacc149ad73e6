# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter run_settings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_settings
short_description: Check and complete the variables of a Stackmend run
version_added: 0.1.0
description:
  - Takes the playbook variables without their prefix C(stackmend_) and returns all settings of the run.
  - A variable that cannot be used gives a dictionary with the single key C(error), a sentence.
options:
  _input:
    description: The variables.
    type: dict
    required: true
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Check the variables
  ansible.builtin.set_fact:
    settings: "{{ {'approve': 'restart', 'faults': ['image_ide_bus']} | stackmend.openstack.run_settings }}"
"""

RETURN = r"""
_value:
  description: The settings, or C(error).
  type: dict
"""

from typing import Any

from ansible_collections.stackmend.openstack.plugins.module_utils._settings import BadSetting, settings


def run_settings(given: dict[str, Any]) -> dict[str, Any]:
    try:
        return settings(given)
    except BadSetting as error:
        return {"error": str(error)}


class FilterModule:
    """Checks the variables of a run."""

    def filters(self) -> dict[str, Any]:
        return {"run_settings": run_settings}
