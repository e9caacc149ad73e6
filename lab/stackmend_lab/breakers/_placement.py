# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placement and the movements of servers, as breakers and tests use them: through the lab's own APIs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..layout import CONTROLLER

if TYPE_CHECKING:
    from ..lab import Lab

SECONDS = 90.0
UNDER_WAY = ("accepted", "queued", "preparing", "running", "pre-migrating", "migrating", "post-migrating")
Holds = Mapping[str, Mapping[str, int]]


def provider(lab: Lab, name: str) -> str:
    """The id of the resource provider of that name."""
    rows = lab.cloud().placement.get(f"/resource_providers?name={name}").json()["resource_providers"]
    return str(rows[0]["uuid"])


def holds(lab: Lab, consumer: str) -> dict[str, dict[str, int]]:
    """{provider: {class: amount}} of a consumer."""
    document = lab.cloud().placement.get(f"/allocations/{consumer}", microversion="1.38").json()
    return {uuid: entry["resources"] for uuid, entry in document["allocations"].items()}


def used_by(lab: Lab) -> set[str]:
    """The consumers that hold something."""
    placement = lab.cloud().placement
    providers = placement.get("/resource_providers").json()["resource_providers"]
    documents = (placement.get(f"/resource_providers/{entry['uuid']}/allocations").json() for entry in providers)
    return {consumer for document in documents for consumer in document["allocations"]}


def allocate(lab: Lab, consumer: str, wanted: Holds, consumer_type: str | None = None) -> None:
    """Make the allocations of a consumer these; without a type as nova does it, whose consumers have none."""
    placement = lab.cloud().placement
    now = placement.get(f"/allocations/{consumer}", microversion="1.38").json()
    body = {
        "allocations": {uuid: {"resources": dict(resources)} for uuid, resources in wanted.items()},
        "consumer_generation": now.get("consumer_generation"),
        "project_id": now.get("project_id") or lab.cloud().current_project_id,
        "user_id": now.get("user_id") or lab.cloud().current_user_id,
    }
    if consumer_type:
        body["consumer_type"] = consumer_type
    answer = placement.put(f"/allocations/{consumer}", json=body, microversion="1.38" if consumer_type else "1.36")
    if not answer.ok:
        raise RuntimeError(f"placement refuses to allocate for {consumer}: {answer.text}")


def share_disk(lab: Lab, uuid: str, name: str, hosts: Iterable[str]) -> None:
    """Make a provider of disk that hosts share through an aggregate of the same id."""
    _send(lab, "post", "/resource_providers", {"uuid": uuid, "name": name})
    inventory = {"DISK_GB": {"total": 5000, "max_unit": 5000}}
    _send(lab, "put", f"/resource_providers/{uuid}/inventories", _of_now(lab, uuid, {"inventories": inventory}))
    traits = {"traits": ["MISC_SHARES_VIA_AGGREGATE"]}
    _send(lab, "put", f"/resource_providers/{uuid}/traits", _of_now(lab, uuid, traits))
    for member in (uuid, *(provider(lab, host) for host in hosts)):
        _send(lab, "put", f"/resource_providers/{member}/aggregates", _of_now(lab, member, {"aggregates": [uuid]}))


def unshare_disk(lab: Lab, uuid: str, hosts: Iterable[str]) -> None:
    for host in hosts:
        member = provider(lab, host)
        _send(lab, "put", f"/resource_providers/{member}/aggregates", _of_now(lab, member, {"aggregates": []}))
    lab.cloud().placement.delete(f"/resource_providers/{uuid}")


def _of_now(lab: Lab, uuid: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with the provider's generation, without which placement takes none."""
    generation = lab.cloud().placement.get(f"/resource_providers/{uuid}").json()["generation"]
    return {"resource_provider_generation": generation, **body}


def _send(lab: Lab, verb: str, path: str, body: Mapping[str, Any]) -> None:
    answer = getattr(lab.cloud().placement, verb)(path, json=dict(body), microversion="1.36")
    if not answer.ok:
        raise RuntimeError(f"placement refuses {verb} {path}: {answer.text}")


def ratio(lab: Lab, host: str, resource_class: str, wanted: float) -> None:
    """Set the allocation ratio of a host, which nova-compute leaves alone while nova.conf has none."""
    uuid = provider(lab, host)
    path = f"/resource_providers/{uuid}/inventories/{resource_class}"
    inventory = lab.cloud().placement.get(path, microversion="1.36").json()
    if inventory["allocation_ratio"] != wanted:
        _send(lab, "put", path, {**inventory, "allocation_ratio": wanted})


def flavor(lab: Lab, name: str, ram: int = 512, disk: int = 1) -> None:
    compute = lab.cloud().compute
    if not compute.find_flavor(name):
        compute.create_flavor(name=name, ram=ram, disk=disk, vcpus=1)


def no_flavor(lab: Lab, name: str) -> None:
    compute = lab.cloud().compute
    found = compute.find_flavor(name)
    if found:
        compute.delete_flavor(found)


def candidates(lab: Lab, resources: str, host: str) -> int:
    """How many allocation candidates placement has on a host for such an amount, as "MEMORY_MB:512"."""
    path = f"/allocation_candidates?resources={resources}&in_tree={provider(lab, host)}"
    return len(lab.cloud().placement.get(path, microversion="1.31").json()["allocation_requests"])


def wait(what: str, ready: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The first true answer. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (answer := ready()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.2)
    return answer


def status(lab: Lab, server: str, wanted: str) -> Any:
    """Wait until a server has a status; returns it."""
    compute = lab.cloud().compute

    def reached() -> Any:
        found = compute.get_server(server)
        return found if found.status == wanted and (wanted != "ACTIVE" or not found.task_state) else None

    return wait(f"{wanted} of server {server}", reached)


def act(lab: Lab, server: str, action: Mapping[str, Any]) -> None:
    """Ask nova for an action on a server."""
    answer = lab.cloud().compute.post(f"/servers/{server}/action", json=dict(action), microversion="2.95")
    if not answer.ok:
        raise RuntimeError(f"nova refuses {next(iter(action))} of server {server}: {answer.text}")


def migrate(lab: Lab, server: str, host: str) -> None:
    """Migrate a server to a host, up to where the move waits to be confirmed."""
    act(lab, server, {"migrate": {"host": host}})
    status(lab, server, "VERIFY_RESIZE")


def confirm(lab: Lab, server: str) -> None:
    act(lab, server, {"confirmResize": None})
    status(lab, server, "ACTIVE")


def migrations(lab: Lab, server: str = "") -> list[dict[str, Any]]:
    """nova's records of the migrations (of a server), newest first."""
    path = f"/os-migrations?instance_uuid={server}" if server else "/os-migrations"
    rows: list[dict[str, Any]] = lab.cloud().compute.get(path, microversion="2.80").json()["migrations"]
    return rows


@contextmanager
def held(lab: Lab, operation: str) -> Iterator[None]:
    """Every FakeDriver stands still in an operation (spawn, live_migration, migrate_disk_and_power_off) until this ends."""
    hold(lab, operation)
    try:
        yield
    finally:
        let_go(lab)


def hold(lab: Lab, operation: str) -> None:
    directory = lab.host_root(CONTROLLER) / "var/lib/nova/hold"
    directory.mkdir(exist_ok=True)
    (directory / operation).touch()


def let_go(lab: Lab) -> None:
    """Let what stands still go on, and wait until the moves are over: of a server that is deleted in the midst of its live
    migration, the migration would keep the source for good (nova 34, manager.py, _post_live_migration)."""
    held = list((lab.host_root(CONTROLLER) / "var/lib/nova/hold").glob("*"))
    for file in held:
        file.unlink()
    if held:
        wait("the end of the moves", lambda: not any(row["status"] in UNDER_WAY for row in migrations(lab)))
