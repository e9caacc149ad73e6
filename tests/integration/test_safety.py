# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No harm and a way back: secrets stay, others' changes are respected, and a run that was killed can be undone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stackmend_lab import Lab, breakers

import stackmend

from .conftest import CloudPlace

TOOLS = Path(sys.executable).parent


@pytest.fixture
def placement_conf(lab: Lab) -> Iterator[Path]:
    """The placement.conf of the controller, put back afterwards."""
    path = lab.host_root("labctl") / "etc/placement/placement.conf"
    kept = shutil.copy2(path, path.with_name("kept"))
    yield path
    Path(kept).replace(path)
    lab.restart("placement")


@pytest.fixture
def many_images(lab: Lab) -> Iterator[list[str]]:
    """Five images that ask for IDE on q35."""
    properties = {"hw_cdrom_bus": "ide", "hw_machine_type": "q35", "hw_qemu_guest_agent": "yes"}
    with lab.cloud() as cloud:
        made = []
        for number in range(5):
            image = cloud.image.create_image(
                name=f"ide-{number}", disk_format="raw", container_format="bare", data=b"disk", validate_checksum=False,
                **properties,
            )  # fmt: skip
            made.append(image.id)
        try:
            yield made
        finally:
            for image_id in made:
                cloud.image.delete_image(image_id)


def test_a_secret_is_in_no_output_of_a_check_a_fix_or_a_rollback(
    lab: Lab, placement_conf: Path, state_home: Path, tmp_path: Path
) -> None:
    secret = "Tr0ub4dor-and-3"
    text = placement_conf.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("password = "))
    misspelt = f"{line}\npasswrod = {secret}\nmemcache_secret_kye = {secret}2"
    placement_conf.write_text(text.replace(line, misspelt), encoding="utf-8")
    known = [secret, *lab.secrets.values()]
    outputs = []
    for arguments in (["--check", "--diff"], ["--diff", "-e", "stackmend_approve=restart"]):
        command = [TOOLS / "ansible-playbook", "-vvv", "-i", lab.inventory, "-e", f"stackmend_report_dir={tmp_path}"]
        command += ["stackmend.openstack.remediate", "-e", "stackmend_faults=config_option_unknown", *arguments]
        command += ["--limit", "labctl"]  # it has the files of every service
        run = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert "config_option_unknown" in run.stdout
        outputs += [run.stdout, run.stderr, (tmp_path / "report.json").read_text(encoding="utf-8")]
    run_id = json.loads(outputs[-1])["run_id"]
    undone = subprocess.run(
        [TOOLS / "stackmend", "rollback", run_id, "-i", lab.inventory],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    outputs += [undone.stdout, undone.stderr, *(str(path) for path in lab.layout.state.rglob("*journal*/**/*"))]
    for value in known:
        assert [output[: output.index(value)][-200:] for output in outputs if value in output] == []


def test_what_changed_between_finding_and_fix_is_left_alone(lab: Lab, many_images: list[str], tmp_path: Path) -> None:
    """Whoever mended one image by hand while the run was waiting keeps what they chose."""
    from ansible_collections.stackmend.openstack.plugins.module_utils._journal import Journal
    from ansible_collections.stackmend.openstack.plugins.module_utils._session import connect
    from ansible_collections.stackmend.openstack.plugins.modules.image_properties import apply

    found = stackmend.diagnose(lab.inventory, faults=["image_ide_bus"])
    wishes: list[dict[str, Any]] = []
    for finding in found.findings:
        assert finding.remedy
        wishes += finding.remedy["vars"]["image_properties_wishes"]
    with lab.cloud() as cloud:
        cloud.image.update_image(many_images[0], hw_cdrom_bus="scsi")
        writable = connect("stackmend-lab", str(lab.clouds_file), writable=True)
        result = apply(writable, Journal(str(tmp_path), "run"), {"wishes": wishes}, check_mode=False)
        assert result["gone"] == [f"{many_images[0]} hw_cdrom_bus"]
        assert len(result["diff"]) == 4
        assert cloud.image.get(f"/images/{many_images[0]}").json()["hw_cdrom_bus"] == "scsi"


def test_too_many_targets_are_all_left_alone(lab: Lab, many_images: list[str], cloud_place: CloudPlace) -> None:
    before = cloud_place.state()
    report = stackmend.remediate(lab.inventory, faults=["image_ide_bus"], max_changes=4)
    assert {finding.status for finding in report.findings} == {"skipped"}
    assert "stackmend_max_changes allows 4" in report.findings[0].reason
    assert cloud_place.state() == before


def test_an_image_keeps_everything_but_the_property(lab: Lab, many_images: list[str]) -> None:
    with lab.cloud() as cloud:
        assert cloud.image.get_image(many_images[0]).visibility == "shared", "glance's default, without members"
        cloud.image.update_image(many_images[0], visibility="public", is_protected=True, tags=["gold"], own="kept")
        try:
            before = cloud.image.get(f"/images/{many_images[0]}").json()
            report = stackmend.remediate(lab.inventory, faults=["image_ide_bus"], max_changes=5)
            assert {finding.status for finding in report.findings} == {"fixed"}
            after = cloud.image.get(f"/images/{many_images[0]}").json()
            gone = {name: value for name, value in before.items() if after.get(name) != value}
            assert set(gone) == {"hw_cdrom_bus", "updated_at"}
        finally:
            cloud.image.update_image(many_images[0], is_protected=False)


def test_an_image_that_is_shared_with_others_is_left_to_them(lab: Lab, many_images: list[str]) -> None:
    with lab.cloud() as cloud:
        other = next(project for project in cloud.identity.projects() if project.name == "service")
        cloud.image.add_member(many_images[0], member=other.id)
        for check in (True, False):
            report = stackmend.remediate(lab.inventory, faults=["image_ide_bus"], max_changes=5, check=check)
            statuses = {finding.target.id: finding.status for finding in report.findings}
            assert statuses.pop(many_images[0]) == "skipped"
            assert set(statuses.values()) == {"would_change" if check else "fixed"}
        assert cloud.image.get(f"/images/{many_images[0]}").json()["hw_cdrom_bus"] == "ide"


def test_a_run_that_is_killed_half_way_can_be_undone(lab: Lab, cloud_place: CloudPlace, state_home: Path) -> None:
    broken = [breakers.load(fault) for fault in ("evacuation_not_strict", "image_ide_bus")]
    for breaker in broken:
        breaker.mend(lab)
        breaker.break_(lab)
    try:
        state = cloud_place.state()
        run_id = "killed-half-way"
        journal = lab.host_root("labctl") / "var/lib/stackmend/journal" / run_id
        command = [TOOLS / "ansible-playbook", "-i", lab.inventory, "stackmend.openstack.remediate"]
        command += ["-e", f"stackmend_run_id={run_id}", "-e", "stackmend_approve=disruptive"]
        command += ["-e", '{"stackmend_faults": ["evacuation_not_strict", "image_ide_bus"]}']
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        end = time.monotonic() + 300
        while not journal.exists() and process.poll() is None:
            assert time.monotonic() < end, "the run never came to its first change"
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert cloud_place.state()["images"] == state["images"], "it was killed before it came to the images"
        undone = stackmend.rollback(run_id, lab.inventory)
        assert {entry.status for entry in undone.undone} <= {"restored", "unchanged"}
        assert cloud_place.state() == state
    finally:
        for breaker in broken:
            breaker.mend(lab)
