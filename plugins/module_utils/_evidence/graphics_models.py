# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which graphics models the computes report to placement as traits (nova from Ussuri on)."""

from __future__ import annotations

from typing import Any

from .._session import Cloud

PREFIX = "COMPUTE_GRAPHICS_MODEL_"
# Filtering providers by a required trait; the listing of traits is older (1.6).
MICROVERSION = "1.18"


def read(cloud: Cloud) -> dict[str, Any]:
    """{"models": {"virtio": [hypervisor names]}}: by model, spelt as in hw_video_model, the providers that have it.

    One request for the models that any provider has, and one for each of them; a model that nobody has is not in it.
    A trait is the union over a compute's architectures and machine types (nova 34, virt/libvirt/driver.py).
    """
    params = {"name": f"startswith:{PREFIX}", "associated": "true"}
    traits = cloud.get("placement", "/traits", params=params, microversion=MICROVERSION)["traits"]
    models = {}
    for trait in traits:
        answer = cloud.get("placement", "/resource_providers", params={"required": trait}, microversion=MICROVERSION)
        models[trait[len(PREFIX) :].lower()] = sorted(row["name"] for row in answer["resource_providers"])
    return {"models": models}
