# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what placement has of each resource provider: one request a provider."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._model import Unavailable
from .._session import Cloud
from . import _parallel, placement


def read(cloud: Cloud, providers: Iterable[str]) -> dict[str, Any]:
    """{"inventories": {provider: {class: {total, reserved, allocation_ratio, min_unit, max_unit, step_size}}}, "gaps": [...]}.

    A provider that could not be read is missing, and a gap.
    """
    paths = {uuid: f"/resource_providers/{uuid}/inventories" for uuid in providers}
    inventories = {}
    gaps = []
    for uuid, document in _parallel.get(cloud, "placement", paths, placement.version_of(cloud)):
        if isinstance(document, Unavailable):
            gaps.append({"reason": f"the inventory of resource provider {uuid} was not seen: {document}"})
        else:
            inventories[uuid] = document["inventories"]
    return {"inventories": inventories, "gaps": gaps}
