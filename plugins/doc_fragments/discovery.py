# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that run a service's own programs."""

from __future__ import annotations


class ModuleDocFragment:
    """What cannot be discovered on a host."""

    DOCUMENTATION = r"""
options:
  service_python:
    description:
      - The Python interpreter of the OpenStack services, when it cannot be told from the running processes and units.
      - A path for all services, or a dictionary of service to path.
    type: raw
  config_files:
    description: Dictionary of service to its list of configuration files, in their order, when they cannot be discovered.
    type: dict
    default: {}
  nova_exec:
    description:
      - The command, as a list, that runs another one where nova-manage and nova's API database are, such as
        C([podman, exec, -i, nova_conductor]); needed where that is a container of another name than kolla's.
    type: list
    elements: str
    default: []
"""
