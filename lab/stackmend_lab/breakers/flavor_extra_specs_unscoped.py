# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F07: a flavor has an extra spec without a scope, which no aggregate knows."""

from __future__ import annotations

from collections.abc import Callable

from ..lab import Lab, LabError
from ._breaker import Breaker
from ._changes import Changes

FAULT = "flavor_extra_specs_unscoped"
NAME = "broken-unscoped"
SERVER = "tries-unscoped"
SCOPE = "aggregate_instance_extra_specs"


def break_(lab: Lab) -> None:
    Changes(lab, FAULT).create_flavor(NAME, xxx="123")


def mend(lab: Lab) -> None:
    Changes(lab, FAULT).undo()


def symptom(lab: Lab) -> str | None:
    """What becomes of a server with this flavor; it is deleted again."""
    with lab.cloud() as cloud:
        if cloud.compute.find_flavor(NAME) is None:
            return None
        try:
            lab.boot(SERVER, flavor=NAME)
        except LabError as error:
            return str(error)
        finally:
            for server in list(cloud.compute.servers(name=f"^{SERVER}$", all_projects=True)):
                lab.delete_server(server.id)
    return None


def _flavor(metadata: dict[str, str], extra_specs: dict[str, str]) -> Callable[[Lab], None]:
    def near_miss(lab: Lab) -> None:
        changes = Changes(lab, FAULT)
        if metadata:
            changes.create_aggregate("fast", lab.layout.computes, **metadata)
        changes.create_flavor(NAME, **extra_specs)

    return near_miss


BREAKER = Breaker(
    fault=FAULT,
    needs="cloud",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "the key under its scope": _flavor({"xxx": "123"}, {f"{SCOPE}:xxx": "123"}),
        "an unscoped key that an aggregate has": _flavor({"xxx": "123,456"}, {"xxx": "123"}),
        "a capability that the hosts have": _flavor({}, {"capabilities:hypervisor_type": "fake"}),
        "a key for the hypervisor's driver": _flavor({}, {"hw:hide_hypervisor_id": "true"}),
    },
    approve="disruptive",  # it changes where new servers may run
)
