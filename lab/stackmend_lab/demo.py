# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show the whole way once: a real cloud, broken in five ways, checked, fixed, clean, and brought back.

Every claim that it prints is one that it has just checked; it ends with status 1 at the first that does not hold.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import Lab, breakers
from .lab import LabError

# The last one takes placement down, so nothing can be booted after it.
FAULTS = (
    "config_value_invalid",
    "evacuation_not_strict",
    "image_guest_agent_missing",
    "image_ide_bus",
    "auth_strategy_invalid",
)


class DemoFailed(Exception):
    """Something did not hold; the sentence says what."""


def main() -> int:
    began = time.monotonic()
    try:
        with _lab() as lab:
            show(lab)
    except (DemoFailed, LabError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    print(f"\nAll of this held. {time.monotonic() - began:.0f} s.", flush=True)
    return 0


def show(lab: Lab) -> None:
    """The eight scenes."""
    broken = [breakers.load(fault) for fault in FAULTS]
    _scene("Break it in five ways; what a user of this cloud then sees:")
    for breaker in broken:
        breaker.break_(lab)
    before = _symptoms(lab, broken)
    _expect(all(before.values()), "a breaker showed no symptom")
    state = _state(lab)

    _scene("Check: exactly these five are found, every change is shown, none is made")
    report = _playbook(lab, "remediate.yml", "--check", "--diff")
    found = sorted({finding["fault"] for finding in report["findings"]})
    _expect(found == sorted(FAULTS), f"found {', '.join(found) or 'nothing'}")
    # Placement does not start with what it was given: what has to be asked of it is unknown, and not healthy.
    unexplained = [gap for gap in report["unknown"] if not any(breaker.explains(gap["reason"]) for breaker in broken)]
    _expect(not unexplained, f"could not check {', '.join(gap['fault'] for gap in unexplained)}")
    _expect(_state(lab) == state, "the check changed something")

    _scene("Approve, and fix")
    report = _playbook(lab, "remediate.yml", "-e", "stackmend_approve=disruptive")
    _expect({finding["status"] for finding in report["findings"]} == {"fixed"}, "not everything was fixed")
    run_id = report["run_id"]

    _scene("The symptoms:")
    _expect(not any(_symptoms(lab, broken).values()), "a symptom is still there")

    _scene("Once more: nothing to find, nothing to change")
    report = _playbook(lab, "remediate.yml", "-e", "stackmend_approve=disruptive")
    _expect(not report["findings"] and not report["unknown"] and report["changed"] == 0, "the second run was not clean")

    _scene(f"And back: stackmend rollback {run_id}")
    _run(lab, [_tool("stackmend"), "rollback", run_id, "-i", str(lab.inventory)])
    _expect(_state(lab) == state, "the broken state was not restored exactly")
    print("\nThe symptoms:")
    _expect(all(_symptoms(lab, broken).values()), "a symptom did not come back")


@contextmanager
def _lab() -> Iterator[Lab]:
    """A lab of the demo's own, with its journals; nothing of it is left behind but the caches."""
    home = Path(tempfile.mkdtemp(prefix="stackmend-demo-"))
    os.environ["XDG_STATE_HOME"] = str(home)
    os.environ["STACKMEND_LAB_DIR"] = str(home / "lab")
    lab = Lab()
    _scene("Start a cloud: keystone, glance, placement, neutron and nova themselves, with three computes")
    try:
        lab.up(lambda line: print(line, flush=True))
        yield lab
    finally:
        lab.down(wipe=True)
        shutil.rmtree(home, ignore_errors=True)


def _scene(title: str) -> None:
    print(f"\n=== {title}", flush=True)


def _symptoms(lab: Lab, broken: Sequence[breakers.Breaker]) -> dict[str, str | None]:
    seen = {breaker.fault: breaker.symptom(lab) for breaker in broken}
    for fault, symptom in seen.items():
        print(f"  {fault:<27} {symptom or 'gone'}", flush=True)
    return seen


def _playbook(lab: Lab, playbook: str, *arguments: str) -> dict[str, Any]:
    """Run a playbook of the collection as an operator would, and return its report."""
    kept = Path(os.environ["XDG_STATE_HOME"], "report")
    name = f"stackmend.openstack.{playbook.removesuffix('.yml')}"
    own = ["-e", f"stackmend_report_dir={kept}"]
    print(f"$ ansible-playbook {playbook} {' '.join(arguments)}", flush=True)
    _run(lab, [_tool("ansible-playbook"), "-i", str(lab.inventory), *own, name, *arguments])
    report: dict[str, Any] = json.loads((kept / "report.json").read_text(encoding="utf-8"))
    return report


def _run(lab: Lab, command: list[str]) -> None:
    environment = {
        **os.environ,
        **lab.environ,
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if subprocess.run(command, env=environment, check=False, timeout=1200).returncode:
        raise DemoFailed(f"{Path(command[0]).name} did not succeed")


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _state(lab: Lab) -> dict[str, Any]:
    """What a check may not change: the hosts' configuration and scripts, and the images."""
    files = {
        str(path): (path.read_bytes(), path.stat().st_mode)
        for place in ("etc", "usr")
        for path in sorted(lab.layout.state.glob(f"hosts/*/{place}/**/*"))
        if path.is_file() and "fernet" not in str(path) and "credential" not in str(path)
    }
    with lab.cloud() as cloud:
        images = cloud.image.get("/images?limit=500").json()["images"]
    return {"files": files, "images": [{k: v for k, v in i.items() if k != "updated_at"} for i in images]}


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailed(otherwise)


if __name__ == "__main__":
    sys.exit(main())
