# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F05: a script tells nova that the disks are on shared storage, and they are local."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "evacuate_storage_mismatch"
NAME = "evacuee"
HOST = "HOST-341"
SCRIPT = "/usr/local/bin/evacuate-server.sh"
HEAD = "#!/bin/sh\n# Evacuates one server; credentials come from the environment.\nset -u\n"
WRONG = f'{HEAD}openstack --os-compute-api-version 2.13 server evacuate --shared-storage "$1"\n'
_SENT = re.compile(r'"onSharedStorage": ?(?:"?)(true|false)', re.IGNORECASE)


def break_(lab: Lab) -> None:
    _with(WRONG)(lab)


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """What the script really sends to nova, and what nova makes of it on storage that is local.

    The server's host is up, so that nova refuses each evacuation and nothing moves; that it refuses this one on a host
    that is down as well, with the same request, is shown by tests/integration/test_evacuate.py.
    """
    script = lab.host_root("labctl") / SCRIPT.lstrip("/")
    server = next(iter(lab.cloud().compute.servers(name=f"^{NAME}$", all_projects=True)), None)
    if not script.exists() or server is None:
        return None
    sent = _SENT.search(requests_of(lab, script, server.id))
    if sent is None or sent.group(1).lower() == "false":
        return None  # the lab's computes keep disks for themselves (nova.virt.fake, instance_on_disk)
    return f"{SCRIPT} evacuates with onSharedStorage={sent.group(1)}, and the disks are local: nova refuses it"


def requests_of(lab: Lab, script: Path, server: str) -> str:
    """Run a script with the real openstack client, told to say what it sends."""
    with tempfile.TemporaryDirectory() as directory:
        client = Path(directory, "openstack")
        client.write_text(f'#!/bin/sh\nexec {lab.layout.venv}/bin/openstack --debug "$@"\n')
        client.chmod(0o755)
        done = lab.run("labctl", ["env", f"PATH={directory}:{lab.layout.venv}/bin:/usr/bin:/bin", str(script), server])
    if "evacuate" not in done.stderr:
        raise LabError(f"{SCRIPT} sent nothing:\n{done.stderr[-1500:]}")
    return done.stderr


def _with(body: str) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        changes = Changes(lab, FAULT)
        changes.boot(NAME, HOST)
        changes.write("labctl", SCRIPT, body, 0o755)

    return make


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a version at which nova finds out by itself": _with(
            f'{HEAD}openstack --os-compute-api-version 2.29 server evacuate "$1"\n'
        ),
        "an old version that says what is so": _with(
            f'{HEAD}openstack --os-compute-api-version 2.13 server evacuate "$1"\n'
        ),
        "the flag in a comment": _with(
            f"{HEAD}# not --shared-storage: server evacuate finds out\n"
            'openstack --os-compute-api-version 2.29 server evacuate "$1"\n'
        ),
    },
    approve="disruptive",  # the script is the operator's own
)
