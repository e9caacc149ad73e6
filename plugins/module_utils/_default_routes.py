# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete a default route of the running host, and put it back."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ._evidence import _commands, network_managers
from ._evidence._tree import Tree
from ._model import ChangeFailed


def place(family: int, words: Sequence[str]) -> Optional[str]:
    """How the route, in the words that `ip route` shows, is put back where it is: None where it is not there.

    Of routes of one metric the first one counts, so it matters whether it was that.
    """
    routes = [route for route in network_managers.default_routes() if route["family"] == family]
    mine = next((route for route in routes if route["words"] == list(words)), None)
    if mine is None:
        return None
    same = [route for route in routes if route["metric"] == mine["metric"]]
    return "prepend" if same[0] is mine and len(same) > 1 else "append"


def delete(family: int, words: Sequence[str]) -> None:
    """Delete the route. Raises ChangeFailed."""
    run = _ip(family, "del", words)
    if run.returncode:
        raise ChangeFailed(f"the route {' '.join(words)} could not be deleted: {run.stderr.strip()}")


def undo(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Put a route back that the run deleted: {"name", "family", "words", "place": how}."""
    if place(entry["family"], entry["words"]):
        return "unchanged", ""
    if check_mode:
        return "would_restore", ""
    run = _ip(entry["family"], entry["place"], entry["words"])
    if run.returncode:
        raise ChangeFailed(f"the route {entry['name']} could not be put back: {run.stderr.strip()}")
    return "restored", ""


def _ip(family: int, verb: str, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return _commands.run(["ip", f"-{family}", "route", verb, *words], 20)
    except (OSError, subprocess.SubprocessError) as error:
        raise ChangeFailed(f"ip could not be run: {error}") from error
