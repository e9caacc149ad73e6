# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The allocation check against `nova-manage placement audit`, on the same lab and data, at 100 and 200 providers.

    placement_audit.py [PROVIDERS [SERVERS_PER_PROVIDER]]

Both are run as commands, interpreter start and all, in turn, and the best of three is taken. Only ratios within one run mean
something.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackmend_lab import Lab
from stackmend_lab.breakers import _placement
from stackmend_lab.layout import SERVICES

ROUNDS = 3
CHECK = Path(__file__).with_name("allocation_check.py")
ORPHAN = "6f8f57c5-64c3-4b8f-a3b5-1f2d4c0a9e34"


def main(providers: int, each: int) -> None:
    with tempfile.TemporaryDirectory(prefix="stackmend-benchmark-") as directory:
        lab = Lab(Path(directory, "lab"), port_base=_ports())
        lab.up()
        try:
            template = lab.boot("template", host=lab.layout.computes[0]).id
            uuid = _placement.provider(lab, lab.layout.computes[0])
            _placement.allocate(lab, ORPHAN, {uuid: {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}})
            took = []
            for there, wanted in ((0, providers // 2), (providers // 2, providers)):
                grow(lab, template, wanted - there, (wanted - there) * each, 1000)
                took.append(measure(lab, wanted))
            for way in ("databases", "apis"):
                ratio = took[1][way] / took[0][way]
                print(f"linear: ours, {way}, takes {ratio:.2f} times as long for twice the providers and servers")
            whole = run_check(lab)
            told = {key: whole[key] for key in ("requests", "objects", "peak_mib")}
            print("every check of the cloud:", json.dumps(told))
        finally:
            lab.down(wipe=True)


def grow(lab: Lab, template: str, computes: int, servers: int, images: int) -> None:
    numbers = (str(number) for number in (computes, servers, images))
    done = lab.python("seed_scale.py", str(lab.layout.data), template, *numbers, seconds=600)
    if done.returncode:
        sys.exit(done.stderr[-2000:])


def measure(lab: Lab, providers: int) -> dict[str, float]:
    """{way: seconds} of ours through the APIs, ours by databases first, and the audit, taken in turn."""
    controller = ["--databases", str(lab.layout.root("labctl")), f"{lab.layout.venv}/bin/python"]
    ways: dict[str, Callable[[], Any]] = {
        "apis": lambda: run_check(lab, "allocation_orphaned"),
        "databases": lambda: run_check(lab, *controller, "allocation_orphaned"),
        "audit": lambda: run_audit(lab),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    told: dict[str, Any] = {}
    for _round in range(ROUNDS):
        for way, run in ways.items():
            seconds, told[way] = _timed(run)
            took[way].append(seconds)
            found = {found[1] for found in told[way]["findings"]} if way != "audit" else {ORPHAN} & {*told[way].split()}
            if found != {ORPHAN} or (way != "audit" and told[way]["unknown"]):
                sys.exit(f"The checks are wrong ({way}), and their speed means nothing: {told[way]}"[:3000])
    best = {way: min(seconds) for way, seconds in took.items()}
    print(f"{providers} providers, {told['databases']['objects']['server']} servers: audit {best['audit']:.1f} s")
    for way in ("databases", "apis"):
        print(
            f"  ours, {way}: {best[way]:.1f} s, ratio {best['audit'] / best[way]:.1f}; "
            f"{told[way]['requests']['GET']} requests, {told[way]['peak_mib']} MiB"
        )
    return best


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    result = work()
    return time.monotonic() - began, result


def run_check(lab: Lab, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(CHECK), str(lab.clouds_file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=dict(os.environ))
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def run_audit(lab: Lab) -> str:
    command = ["nova-manage", "--config-file", lab.nova_conf, "placement", "audit", "--verbose"]
    return lab.run("labctl", command, seconds=600).stdout


def _ports() -> int:
    for base in range(24100, 28000, 50):
        try:
            for port in range(base, base + len(SERVICES)):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    sys.exit("There is no free range of ports for a lab.")


if __name__ == "__main__":
    main(int((sys.argv[1:2] or ["200"])[0]), int((sys.argv[2:3] or ["25"])[0]))
