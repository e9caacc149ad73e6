# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that talk to OpenStack's APIs."""

from __future__ import annotations


class ModuleDocFragment:
    """The cloud, and how patient to be with it."""

    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - Name of an entry of C(clouds.yaml).
      - Without it the environment decides, as for every program that uses openstacksdk.
    type: str
  clouds_file:
    description: A C(clouds.yaml) that is not where openstacksdk looks.
    type: path
  api_timeout:
    description: Seconds a single request may take.
    type: float
    default: 30.0
requirements:
  - openstacksdk >= 1.0.0
"""
