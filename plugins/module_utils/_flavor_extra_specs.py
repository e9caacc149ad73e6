# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scope or remove single extra specs of flavors, and nothing else of them; and undo it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import quote

from ._model import ChangeFailed
from ._session import Cloud


def read(cloud: Cloud, flavor: str) -> Optional[dict[str, str]]:
    """The extra specs as nova has them now, None when there is no such flavor."""
    document = cloud.find("compute", f"/flavors/{flavor}/os-extra_specs")
    return document and document["extra_specs"]


def change(cloud: Cloud, flavor: str, wanted: Mapping[str, Optional[str]]) -> None:
    """Set extra specs, see that they are there, and only then remove those wanted as None. Raises ChangeFailed.

    The first microversion is spoken on purpose: from 2.86 on nova validates keys, and undoing may need one it refuses.
    """
    path = f"/flavors/{flavor}/os-extra_specs"
    failure = f"the extra specs of flavor {flavor} could not be changed, which takes nova's admin role"
    new = {key: value for key, value in wanted.items() if value is not None}
    if new:
        cloud.change("POST", "compute", path, failure, json={"extra_specs": new})
        now = read(cloud, flavor) or {}
        missing = [key for key, value in new.items() if now.get(key) != value]
        if missing:
            raise ChangeFailed(
                f"flavor {flavor} does not have {', '.join(missing)} after it was set; nothing was removed"
            )
    for key, value in wanted.items():
        if value is None:
            cloud.change("DELETE", "compute", f"{path}/{quote(key, safe='')}", failure, also=[404])


def undo(cloud: Cloud, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo one journal entry of kind flavor_extra_specs: {"id", "before": {key: value or None}, "after": {...}}.

    A run that was killed between its two requests left both keys; each of them is then as before or as after.
    """
    now = read(cloud, entry["id"])
    if now is None:
        return "conflict", f"flavor {entry['id']} is gone"
    before, after = entry["before"], entry["after"]
    wanted = {key: value for key, value in before.items() if now.get(key) != value}
    if not wanted:
        return "unchanged", ""
    since = sorted(key for key in wanted if now.get(key) != after[key])
    if since:
        return "conflict", f"{', '.join(since)} of flavor {entry['id']} was changed after the run and was left alone"
    if not check_mode:
        change(cloud, entry["id"], wanted)
    return ("would_restore" if check_mode else "restored"), ""
