# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how full a Ceph cluster is, by its own program, on a host from which it is administered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._model import Unavailable
from ._tree import Tree

SECONDS = 60.0
PROGRAM = "/usr/bin/ceph"
# With these a host can ask; a compute's key of its own for RBD may not.
_ADMINISTERED = ("/etc/ceph/ceph.conf", "/etc/ceph/ceph.client.admin.keyring")
# No log of a client, no endless wait for monitors.
_QUIET = ("--connect-timeout", "20", "--log-file=/dev/null", "--format", "json")
# The fullest are enough to judge, and a cluster can have thousands.
_SHOWN = 10


def read(tree: Tree, options: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """What the cluster says of itself; None for a host from which none is administered.

    options: ceph_command, the command as a list in front of ceph's own arguments, for a host that has it elsewhere than in
      /usr/bin, or in a container ([cephadm, shell, --, ceph]).
    Returns {"command", "fsid", "checks": {name: {"message", "details": [...]}} (less those that are muted), "ratios":
      {"nearfull", "backfillfull", "full"}, "flags": [...], "osds": [{"id", "utilization" (percent), "reweight", "pgs"}]
      (the fullest), "average" (percent), "balancer": whether it is active, "unclean": placement groups that are not
      active and clean}.
    Raises Unavailable when the cluster does not answer.
    """
    command = command_of(tree, options)
    if not command:
        return None
    health = ask(command, "health", "detail")
    space = ask(command, "osd", "df")
    map_ = ask(command, "osd", "dump")
    balancer = ask(command, "balancer", "status")
    groups = ask(command, "pg", "stat")
    return understood(command, health, space, map_, balancer, groups)


def understood(
    command: Sequence[str], health: Any, space: Any, map_: Any, balancer: Any, groups: Any
) -> dict[str, Any]:
    """What `read` gives, of the cluster's answers. Raises Unavailable where they have another form."""
    try:
        return {
            "command": list(command),
            "fsid": map_["fsid"],
            "checks": {
                name: {
                    "message": check["summary"]["message"],
                    "details": [entry["message"] for entry in check["detail"][:_SHOWN]],
                }
                for name, check in health["checks"].items()
                if not check.get("muted")
            },
            "ratios": {name: round(map_[f"{name}_ratio"], 4) for name in ("nearfull", "backfillfull", "full")},
            "flags": [flag for flag in map_["flags"].split(",") if flag],
            "osds": [_osd(node) for node in sorted(space["nodes"], key=lambda node: -node["utilization"])[:_SHOWN]],
            "average": round(space["summary"]["average_utilization"], 2),
            "balancer": bool(balancer.get("active")),
            "unclean": _unclean(groups),
        }
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise Unavailable(
            f"what {' '.join(command)} says has another form than known ({type(error).__name__})"
        ) from error


def _osd(node: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": node["id"],
        "utilization": round(node["utilization"], 2),
        "reweight": round(node["reweight"], 4),
        "pgs": node["pgs"],
    }


def _unclean(groups: Mapping[str, Any]) -> int:
    states = groups.get("pg_summary", groups)["num_pg_by_state"]
    # scrubbing goes on beside everything else
    return sum(state["num"] for state in states if not state["name"].startswith("active+clean"))


def command_of(tree: Tree, options: Mapping[str, Any]) -> list[str]:
    """The command in front of ceph's arguments; empty for a host from which no cluster is administered."""
    given = list(options.get("ceph_command") or ())
    if given:
        return given
    return [PROGRAM] if tree.is_live and all(tree.exists(path) for path in (PROGRAM, *_ADMINISTERED)) else []


def ask(command: Sequence[str], *question: str) -> Any:
    """The answer of the cluster to a question, from its JSON. Raises Unavailable with ceph's own words."""
    said = run([*command, *question, *_QUIET], f"ceph {' '.join(question)}")
    try:
        return json.loads(said)
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"the answer to ceph {' '.join(question)} is no JSON") from error


def run(argv: Sequence[str], what: str) -> str:
    """What a command of ceph prints. Raises Unavailable, with its last words, where it fails."""
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"{what} could not be asked: {error}") from error
    if done.returncode:
        said = [
            line for line in done.stderr.splitlines() if line.startswith("Error")
        ] or done.stderr.strip().splitlines()
        raise Unavailable(f"{what} failed: {(said or [f'exit status {done.returncode}'])[-1]}")
    return done.stdout
