# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log reader on what real services write: nova's own catalogues, nova in Chinese, a server that nova refused, and how
sure a finding is with and without the line that nova-compute wrote about it."""

from __future__ import annotations

import json
import re
import runpy
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import logs
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._messages_nova import MESSAGES
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from stackmend_lab import Lab
from stackmend_lab.breakers import _placement
from stackmend_lab.breakers._changes import Changes

import stackmend

from .conftest import CloudPlace

CATALOGUE = runpy.run_path(str(Path(__file__).parents[2] / "tools/message_data.py"))["catalogue"]
# nova itself, as a service with that locale, raises and logs.
CHINESE = """
import sys
from oslo_config import cfg
from oslo_log import log
from nova import exception, i18n
log.register_options(cfg.CONF)
cfg.CONF([], project="nova", default_config_files=[], default_config_dirs=[])
cfg.CONF.set_override("log_file", sys.argv[1])
log.setup(cfg.CONF, "nova")
for error in (
    exception.NoValidHost(reason=i18n._("There are not enough hosts available.")),
    exception.InstanceNotFound(instance_id="362ee7ed-ea2d-43ce-9bc7-1280223875b7"),
    exception.VirtualInterfaceCreateException(),
):
    try:
        raise error
    except exception.NovaException:
        log.getLogger("nova.conductor.manager").exception("It failed")
"""


def locale_of(lab: Lab) -> Path:
    (found,) = Path(lab.layout.venv).glob("lib/python3*/site-packages/nova/locale")
    return found


def compiled(messages: dict[str, str]) -> bytes:
    """A message catalogue as gettext reads it (.mo)."""
    entries = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **messages}.items())
    keys = [key.encode() for key, _text in entries]
    texts = [text.encode() for _key, text in entries]
    at = 28 + 16 * len(entries)
    tables = []
    for column in (keys, texts):
        for text in column:
            tables.append(struct.pack("<2I", len(text), at))
            at += len(text) + 1
    header = struct.pack("<7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0)
    return header + b"".join(tables) + b"".join(text + b"\0" for text in keys + texts)


def test_the_bundled_translations_are_those_of_nova(lab: Lab) -> None:
    known = {path.parts[-3]: CATALOGUE(path) for path in locale_of(lab).glob("*/LC_MESSAGES/nova.po")}
    assert len(known) == 12
    for message, translations in MESSAGES.items():
        assert translations == {name: texts[message] for name, texts in known.items() if message in texts}


@pytest.mark.parametrize("language", ["zh_CN", "ja", "de"])
def test_what_nova_logs_in_another_language_is_recognised(lab: Lab, tmp_path: Path, language: str) -> None:
    catalogue = tmp_path / "locale" / language / "LC_MESSAGES/nova.mo"
    catalogue.parent.mkdir(parents=True)
    texts = CATALOGUE(locale_of(lab) / language / "LC_MESSAGES/nova.po")
    catalogue.write_bytes(compiled(texts))
    log = tmp_path / "host/var/log/nova/nova-conductor.log"
    log.parent.mkdir(parents=True)
    done = subprocess.run(
        [lab.layout.venv / "bin/python", "-c", CHINESE, log],
        env={"NOVA_LOCALEDIR": str(tmp_path / "locale"), "LANGUAGE": language, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert texts["There are not enough hosts available."] in log.read_text(encoding="utf-8")
    found = {match["signature"]: match for match in _read(tmp_path / "host")["matches"]}
    assert {"no_valid_host", "server_not_found", "vif_plugging"} <= found.keys()
    assert found["server_not_found"]["values"] == ["362ee7ed-ea2d-43ce-9bc7-1280223875b7"]
    assert all(line["level"] == "ERROR" for line in found["vif_plugging"]["lines"])


def test_a_server_that_nova_refused_is_in_the_logs_and_its_request_can_be_followed(lab: Lab) -> None:
    compute = lab.cloud().compute
    flavor = compute.create_flavor(name="larger-than-any-host", ram=99_999_999, vcpus=1, disk=1)
    began = time.time()
    try:
        server = lab.boot_in_vain("in-vain", flavor=flavor.name)
        (action,) = compute.get(f"/servers/{server}/os-instance-actions").json()["instanceActions"]
        lab.delete_server(server)
    finally:
        compute.delete_flavor(flavor)
    found = {match["signature"]: match for match in _read(lab.host_root("labctl"))["matches"]}
    assert found["no_valid_host"]["fault"] == "placement_capacity_exhausted"
    assert action["request_id"] in {line["request_id"] for line in found["no_valid_host"]["lines"]}
    trail = logs.follow(Tree(str(lab.host_root("labctl"))), [action["request_id"], server], began - 5)
    assert {"nova.scheduler.manager", "nova.conductor.manager"} <= {line["logger"] for line in trail["lines"]}
    assert any(server in line["ids"] for line in trail["lines"])
    times = [line["time"] for line in trail["lines"]]
    assert times == sorted(times)
    assert not trail["gaps"]


# A server that nova does not know; its compute says so whenever it counts what it has, first of all when it starts.
UNKNOWN_SERVER = "8a5c0a43-3c1f-4a7e-9d58-6f3f0e0b7c21"
ITS_HOST = "HOST-34"
ORPHANED = "allocation_orphaned"


@pytest.fixture(scope="module")
def told_by_its_compute(lab: Lab) -> Iterator[None]:
    """An allocation that may be another service's, for all that the APIs say, and the line of nova-compute about it."""
    changes = Changes(lab, "told-by-its-compute")
    changes.create_service("zun", "container")
    changes.allocate(UNKNOWN_SERVER, {_placement.provider(lab, ITS_HOST): {"VCPU": 1, "MEMORY_MB": 512}})
    try:
        lab.restart(ITS_HOST)
        yield
    finally:
        changes.undo()


def test_a_line_that_nova_compute_wrote_makes_a_possible_finding_probable(
    told_by_its_compute: None, lab: Lab, cloud_place: CloudPlace
) -> None:
    without = cloud_place.look([ORPHANED], {}, [ITS_HOST])
    assert [(name, certainty) for _fault, _kind, name, certainty, _summary in without.found] == [
        (UNKNOWN_SERVER, "possible")
    ]
    report = stackmend.diagnose(lab.inventory, faults=[ORPHANED], limit=ITS_HOST, variables={"stackmend_logs": True})
    (finding,) = report.findings
    assert (finding.target.id, finding.certainty) == (UNKNOWN_SERVER, "probable")
    (told,) = finding.evidence["logs"]
    assert (told["host"], told["signature"]) == (ITS_HOST, "allocation_left_behind")
    assert f"Instance {UNKNOWN_SERVER} has allocations against this compute host" in told["lines"][-1]["line"]
    # the container service may own it all the same
    assert finding.remedy is None


def test_a_line_alone_is_probable_at_most_and_brings_no_remedy(
    told_by_its_compute: None, lab: Lab, tmp_path: Path
) -> None:
    nowhere = tmp_path / "clouds.yaml"
    # nobody listens on port 1
    nowhere.write_text(re.sub(r"auth_url: \S+", "auth_url: http://127.0.0.1:1/v3", lab.clouds_file.read_text()))
    variables = {"stackmend_logs": True, "stackmend_clouds_file": str(nowhere)}
    report = stackmend.diagnose(lab.inventory, faults=[ORPHANED], limit=ITS_HOST, variables=variables)
    assert [entry.fault for entry in report.unknown] == [ORPHANED]
    (finding,) = report.findings
    assert (finding.fault, finding.target.id, finding.certainty) == (ORPHANED, ITS_HOST, "probable")
    assert finding.remedy is None
    assert "the check itself could not be made" in finding.reason
    assert UNKNOWN_SERVER in finding.actual


def test_no_secret_of_the_lab_is_in_what_its_logs_say(lab: Lab) -> None:
    root = Tree(str(lab.host_root("labctl")))
    said = json.dumps([_read(lab.host_root("labctl")), logs.follow(root, ["req-"], time.time() - 86400)])
    assert not [name for name, secret in lab.secrets.items() if secret in said]


def _read(root: Path) -> dict[str, Any]:
    return logs.read(Tree(str(root)), {})
