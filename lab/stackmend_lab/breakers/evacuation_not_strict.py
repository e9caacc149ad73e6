# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F30: a script evacuates every host whose name contains the one meant."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "evacuation_not_strict"
HOST = "HOST-34"
NEIGHBOUR = "HOST-340"
SCRIPT = "/usr/local/bin/ha-evacuate.sh"
HEAD = "#!/bin/sh\n# Called by the cluster when HOST-34 is fenced; credentials come from the environment.\nset -eu\n"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def break_(lab: Lab) -> None:
    changes = Changes(lab, FAULT)
    changes.boot("meant", HOST)
    changes.boot("bystander", NEIGHBOUR)
    changes.write("labctl", SCRIPT, f"{HEAD}nova host-evacuate {HOST}\n", 0o755)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """Which servers of other hosts the script asks nova to evacuate; nova refuses all, since every compute is up."""
    script = lab.host_root("labctl") / SCRIPT.lstrip("/")
    if not script.exists():
        return None
    done = lab.run("labctl", [str(script)])
    if done.returncode:
        raise LabError(f"{SCRIPT} failed with status {done.returncode}:\n{done.stderr[-2000:]}")
    servers = lab.cloud().compute.servers(all_projects=True)
    hosts = {server.id: (server.name, server.compute_host) for server in servers}
    strangers = [hosts[uuid] for uuid in UUID.findall(done.stdout) if uuid in hosts and hosts[uuid][1] != HOST]
    if not strangers:
        return None
    return f"{SCRIPT} is to evacuate {HOST}, and asks for " + ", ".join(f"{name} on {host}" for name, host in strangers)


def _script(body: str, path: str = SCRIPT, mode: int = 0o755) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        Changes(lab, FAULT).write("labctl", path, body, mode)

    return near_miss


EXACT = """\
openstack server list --all-projects --host HOST-34 --format value --column ID | while read -r server; do
    openstack server evacuate "$server"
done
"""
LOG = "2026-01-05 03:12:44 ran: nova host-evacuate HOST-34\n"

BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "the exact match asked for": _script(f"{HEAD}nova host-evacuate --strict {HOST}\n"),
        "the command in a comment": _script(f"{HEAD}# not: nova host-evacuate {HOST}\necho nothing to do\n"),
        "servers chosen by the exact host filter": _script(HEAD + EXACT),
        "the command in a log": _script(LOG, "/var/log/ha-evacuate.log", 0o640),
        "the command in a README": _script(
            f"Once we ran `nova host-evacuate {HOST}`.\n", "/usr/local/bin/README", 0o644
        ),
    },
    approve="disruptive",  # the script is the operator's own
)
