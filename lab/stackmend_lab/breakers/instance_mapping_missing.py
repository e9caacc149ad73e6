# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F25: the row that says in which cell a server is was deleted by hand."""

from __future__ import annotations

from ..lab import Lab
from ._breaker import Breaker
from ._changes import Changes
from ._nova_rows import Rows

FAULT = "instance_mapping_missing"
NAME = "unmapped"


def break_(lab: Lab) -> None:
    server = Changes(lab, FAULT).boot(NAME, "HOST-34")
    Rows(lab, FAULT).delete("nova_api", "instance_mappings", {"instance_uuid": server})


def mend(lab: Lab) -> None:
    Rows(lab, FAULT).restore()
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """A server that nova lists and does not find."""
    compute = lab.cloud().compute
    for server in compute.servers(all_projects=True):
        answer = compute.get(f"/servers/{server.id}")
        if answer.status_code == 404:
            return f"nova lists {server.name}, and asked for it says: {answer.json()['itemNotFound']['message']}"
    return None


def _running(lab: Lab) -> None:
    Changes(lab, FAULT).boot(NAME, "HOST-34")


def _failed(lab: Lab) -> None:
    """A server that never came to a compute is in cell0, and mapped to it."""
    changes = Changes(lab, FAULT)
    image = changes.create_image(NAME, os_type="linux", hw_qemu_guest_agent="yes", img_hv_type="hyperv")
    changes.boot_in_vain(NAME, image)


def _deleted(lab: Lab) -> None:
    """A server that is deleted and not archived: its row stays in the cell, its mapping may be gone."""
    server = Changes(lab, FAULT).boot(NAME, "HOST-34")
    lab.delete_server(server)
    Rows(lab, FAULT).delete("nova_api", "instance_mappings", {"instance_uuid": server})


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "a server that runs": _running,
        "a server that failed before it had a compute": _failed,
        "a deleted server whose mapping is gone": _deleted,
    },
)
