# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab's services log when a fault is there, and the fault at which it points: builds that fail, in English and in
Chinese, and a service that does not start.

nova's own code fails: its image client at glance and at a disk that is full, its inspection of images, its libvirt driver's
choice of buses, its wait for neutron. nova-compute logs that as it does everywhere.

What cannot be produced here:

* F04: "error while writing at byte" is qemu-img's, which neither the lab nor its services need.
* F10: the misspelt option made nova 13 and older ask for images without a token; since then the service that reads it ends,
  as placement does here. "Not authorized for image" is written for an image that is no longer the user's to read.
* F11: "IDE controllers are unsupported" is libvirt's, for a guest that it defines: the lab's computes have no hypervisor, and
  the systemd hosts, which have libvirt, no cloud whose nova-compute would ask it.
* F12: "Cirrus VGA not available" is that of a QEMU built without Cirrus, and Debian's is built with it; "Provided video model
  is not supported" nova has not said since its image properties know all the models, as nova 34 refuses others in the API.
* F19: nova refuses to quiesce a guest without an agent in the midst of a live snapshot only, which takes a running guest.
* F31: "fmt=qcow2 backed by" nova says from 30 on only where its inspection is disabled, and by what qemu-img tells it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import logs
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from stackmend_lab import Lab
from stackmend_lab.breakers import _images, auth_strategy_invalid
from stackmend_lab.breakers._changes import Changes
from stackmend_lab.layout import MEMBER_CLOUD

from .test_logs import CATALOGUE, compiled, locale_of

# neutron tells nova that a port is wired.
NOTIFY = """
import sys
from neutron.common import config
from neutron.notifiers import nova
config.register_common_config_options()
config.init(["--config-file", sys.argv[1], "--config-file", sys.argv[2], "--log-file", sys.argv[3]])
config.setup_logging()
server, port = "00000000-0000-0000-0000-000000000023", "00000000-0000-0000-0000-000000000001"
nova.Notifier().send_events(
    [{"name": "network-vif-plugged", "server_uuid": server, "tag": port, "status": "completed"}]
)
"""
HOST = "HOST-34"
OWN = "not-built"
SECONDS = 60.0


class Build(NamedTuple):
    """A server that is not built. about: the image that a line has to name, if one has to. message: what nova translates."""

    signature: str
    fault: str
    server: str
    about: str
    message: str


@pytest.fixture(scope="module", params=["en", "zh_CN"])
def language(request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The language in which nova speaks meanwhile."""
    if request.param == "en":
        yield request.param
        return
    locale = tmp_path_factory.mktemp("locale")
    catalogue = locale / request.param / "LC_MESSAGES/nova.mo"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_bytes(compiled(CATALOGUE(locale_of(lab) / request.param / "LC_MESSAGES/nova.po")))
    try:
        lab.restart("nova", LANGUAGE=request.param, NOVA_LOCALEDIR=str(locale))
        yield request.param
    finally:
        lab.restart("nova")


@contextmanager
def built_as_libvirt(lab: Lab, *steps: str) -> Iterator[Callable[[], None]]:
    """Computes take these steps before they build, and stand still before that until what this gives is called."""
    state = lab.host_root("labctl") / "var/lib/nova"
    told = [state / "hold/spawn", *(state / "libvirt" / step for step in steps)]
    for file in told:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    try:
        yield told[0].unlink
    finally:
        for file in told:
            file.unlink(missing_ok=True)


def ask(cloud: Any, flavor: str, name: str, image: str, networks: Any = "none", **wishes: str) -> str:
    """Ask for a server; its id."""
    wish = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": networks, **wishes}
    answer = cloud.compute.post("/servers", json={"server": wish}, microversion="2.74")
    assert answer.ok, answer.text
    return str(answer.json()["server"]["id"])


def until(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < end, f"{what} did not come within {SECONDS:.0f} s"
        time.sleep(0.1)


class Images(NamedTuple):
    """By what becomes of them: their ids."""

    plain: str
    bus: str
    barred: str
    format: str
    backed: str


@pytest.fixture(scope="module")
def images(lab: Lab) -> Iterator[Images]:
    """Images of which no server is built."""
    changes = Changes(lab, OWN)
    changes.will_boot(f"{OWN}-.*")
    try:
        plain = changes.create_image(f"{OWN}-plain")
        bus = changes.create_image(f"{OWN}-bus", hw_disk_bus="xen")
        barred = changes.create_image(f"{OWN}-barred")
        with lab.cloud() as cloud:
            cloud.image.update_image(barred, visibility="community")
        # Both as a glance before 2025.1 took them.
        taken, disc = _images.qcow2(), _images.iso().ljust(256 << 10, b"\0")
        format_ = changes.create_old_image(f"{OWN}-format", "qcow2", taken, disc, None)
        delta = _images.qcow2(backing="/srv/build/base.qcow2")
        backed = changes.create_old_image(f"{OWN}-backed", "qcow2", taken, delta, 1 << 30)
        yield Images(plain, bus, barred, format_, backed)
    finally:
        changes.undo()


@contextmanager
def full_disk(lab: Lab, image: str) -> Iterator[None]:
    """What a compute writes of an image meets ENOSPC: its place in the cache is the device that is always full."""
    part = lab.host_root(HOST) / f"var/lib/nova/instances/_base/{image}.part"
    part.parent.mkdir(exist_ok=True)
    part.symlink_to("/dev/full")
    try:
        yield
    finally:
        part.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def builds(
    language: str, lab: Lab, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[Build]]]:
    """(a directory that stands for a host with what nova logged meanwhile, what it did not build)."""
    log = lab.layout.log("nova")
    with lab.cloud() as cloud, lab.cloud(MEMBER_CLOUD) as member:
        begin = log.stat().st_size
        try:
            with full_disk(lab, images.plain), built_as_libvirt(lab, "bus", "image", "port") as go_on:
                asked = _asked(cloud, member, images)
                servers = [build.server for build in asked]
                until(lambda: _states(cloud, servers, "OS-EXT-STS:task_state") == {"spawning"}, "every build")
                # While it waits, the user loses the right to the image that nova took the order with.
                cloud.image.deactivate_image(images.barred)
                go_on()
                pinned = [build.server for build in asked if build.about != images.barred]
                until(lambda: _states(cloud, pinned, "status") == {"ERROR"}, "the end of every build")
            with log.open("rb") as file:
                file.seek(begin)
                host = tmp_path_factory.mktemp("host")
                copy = host / "var/log/nova/nova.log"
                copy.parent.mkdir(parents=True)
                copy.write_bytes(file.read())
            yield host, asked
        finally:
            for server in list(cloud.compute.servers(name=f"^{OWN}-", all_projects=True)):
                cloud.compute.delete_server(server)
            until(
                lambda: not list(cloud.compute.servers(name=f"^{OWN}-", all_projects=True)), "the end of every server"
            )
            cloud.image.reactivate_image(images.barred)


def _asked(cloud: Any, member: Any, images: Images) -> list[Build]:
    """Servers, asked for."""
    flavor = cloud.compute.find_flavor("m1.tiny").id
    ports = [{"uuid": cloud.network.find_network("lab").id}]
    cirros = cloud.image.find_image("cirros").id
    return [
        # first, for it is tried on other hosts too, and the others are waited for
        Build(
            "image_not_authorized",
            "auth_strategy_invalid",
            ask(member, flavor, f"{OWN}-barred", images.barred),
            images.barred,
            "Not authorized for image %(image_id)s.",
        ),
        Build("disk_full", "instances_disk_full", ask(cloud, flavor, f"{OWN}-disk", images.plain, host=HOST), "", ""),
        Build(
            "video_unsupported",
            "image_video_unsupported",
            ask(cloud, flavor, f"{OWN}-bus", images.bus, host=HOST),
            "",
            "Requested hardware '%(model)s' is not supported by the '%(virt)s' virt driver",
        ),
        Build(
            "vif_plugging",
            "vif_plugging_masked",
            ask(cloud, flavor, f"{OWN}-port", cirros, ports, host=HOST),
            "",
            "Failed to allocate the network(s), not rescheduling.",
        ),
        Build(
            "image_unacceptable",
            "image_format_mismatch",
            ask(cloud, flavor, f"{OWN}-format", images.format),
            images.format,
            "Image %(image_id)s is unacceptable: %(reason)s",
        ),
        Build(
            "image_backed",
            "image_has_backing_file",
            ask(cloud, flavor, f"{OWN}-backed", images.backed),
            images.backed,
            "",
        ),
    ]


def _states(cloud: Any, servers: list[str], key: str) -> set[str | None]:
    return {cloud.compute.get(f"/servers/{server}").json()["server"][key] for server in servers}


def test_what_nova_compute_logs_of_a_build_that_fails_points_at_its_fault(
    builds: tuple[Path, list[Build]], language: str, lab: Lab
) -> None:
    host, asked = builds
    text = (host / "var/log/nova/nova.log").read_text()
    texts = {} if language == "en" else CATALOGUE(locale_of(lab) / language / "LC_MESSAGES/nova.po")
    found = {match["signature"]: match for match in logs.read(Tree(str(host)), {})["matches"]}
    for build in asked:
        match = found[build.signature]
        assert match["fault"] == build.fault
        assert build.about in match["values"] if build.about else build.server in match["servers"], (build, match)
        if build.message:
            said = texts.get(build.message, build.message)
            assert "".join(said.split("%(")[0]) in text


def test_what_placement_logs_when_it_does_not_start_points_at_its_authentication(lab: Lab) -> None:
    begin = time.time()
    auth_strategy_invalid.break_(lab)
    try:
        found = logs.read(Tree(str(lab.host_root("labctl"))), {"log_window": time.time() - begin})["matches"]
    finally:
        auth_strategy_invalid.mend(lab)
    (match,) = [match for match in found if match["signature"] == "authentication_unknown"]
    assert match["fault"] == auth_strategy_invalid.FAULT
    assert {line["file"] for line in match["lines"]} == {"/var/log/placement/placement.log"}
    assert any(line["level"] == "CRITICAL" for line in match["lines"])


def test_what_neutron_logs_when_nova_does_not_listen_to_it_points_at_the_port_that_is_not_wired(
    lab: Lab, tmp_path: Path
) -> None:
    speaker = tmp_path / "nova.conf"
    speaker.write_text(
        f"[nova]\nauth_type = password\nauth_url = {lab.layout.endpoint('keystone')}\nregion_name = RegionOne\n"
        # a user without the role that nova asks for
        f"username = member\npassword = {lab.secrets['member']}\nproject_name = lab-member\n"
        "user_domain_name = Default\nproject_domain_name = Default\n"
    )
    log = tmp_path / "host/var/log/neutron/neutron-server.log"
    log.parent.mkdir(parents=True)
    own = lab.layout.etc("neutron") / "neutron.conf"
    python = str(lab.layout.venv / "bin/python")
    done = lab.run("labctl", [python, "-c", NOTIFY, str(own), str(speaker), str(log)])
    assert done.returncode == 0, done.stderr
    (match,) = logs.read(Tree(str(tmp_path / "host")), {})["matches"]
    assert (match["signature"], match["fault"]) == ("vif_plugging", "vif_plugging_masked")
    assert "Failed to notify nova on events" in match["lines"][-1]["line"]
