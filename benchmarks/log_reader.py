# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log reader against `grep -F` of the same literals and against searchkit, the engine of hotsos, on the same files.

    log_reader.py [MEGABYTES]

All are run as commands, in turn, and the best of three is taken: of the processor's time, start and all where nothing else is
said. The reader and grep look for
every literal of every signature, in all languages and both spellings; searchkit for the same thirty patterns, and once
more for English alone, in a part of the file, since the whole would take it hours. searchkit is installed into an environment of
its own. Only ratios within one run mean something.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._signatures import SIGNATURES

ROUNDS = 3
FILES = 200
SLOW_MEGABYTES = 8
SEARCHKIT = "searchkit==0.4.3.post9"
SHARE_OF_HITS = 1000

READER = """
import json, sys
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import logs
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
found = logs.read(Tree(sys.argv[1]), {"log_window": 10 ** 8, "log_megabytes": 10 ** 6, "log_seconds": 10 ** 6})
print(json.dumps([sum(match["count"] for match in found["matches"]), found["read"], found["gaps"]]))
"""
OTHER = """
import json, sys
from searchkit import FileSearcher, SearchDef
searcher = FileSearcher(decode_errors="surrogateescape")
for pattern in json.load(sys.stdin):
    searcher.add(SearchDef(".*(?:" + pattern + ")", store_result_contents=False), sys.argv[1])
print(len(searcher.run()))
"""

# What the services write most, as they write it in a lab and in the logs of production clouds.
ORDINARY = (
    'INFO nova.api.openstack.requestlog [{context}] 10.0.0.{n} "GET /v2.1/servers/{uuid}" status: 200 len: {n}',
    "INFO nova.compute.manager [{context}] [instance: {uuid}] Took {n}.42 seconds to spawn the instance on the hypervisor.",
    "DEBUG nova.compute.resource_tracker [{context}] Compute driver doesn't require allocation refresh and we're on a compute "
    "host in a deployment that only has compute hosts with Nova versions >=16 (Pike). Skipping auto-correction of allocations.",
    "DEBUG nova.scheduler.manager [{context}] Filtered [(compute{n}, compute{n}) ram: {n}MB disk: {n}MB io_ops: 0 instances: 2]",
    'INFO placement.requestlog [{context}] 10.0.0.{n} "GET /allocation_candidates?limit=1000&resources=DISK_GB:{n}" status: 200',
    "DEBUG oslo_service.periodic_task [{context}] Running periodic task ComputeManager._heal_instance_info_cache",
    'ERROR oslo_messaging.rpc.server   File "/usr/lib/python3/dist-packages/nova/compute/manager.py", line {n}, in _do_build',
    'DEBUG oslo_concurrency.lockutils [{context}] Lock "{uuid}" acquired by "nova.compute.manager.sync" :: waited 0.{n}s',
    "WARNING nova.virt.libvirt.driver [{context}] [instance: {uuid}] Could not be reached in time, will be looked at again",
    'INFO neutron.wsgi [{context}] 10.0.0.{n} "GET /v2.0/ports?device_id={uuid} HTTP/1.1" status: 200  len: 9{n} time: 0.1{n}',
)
TELLING = (
    "ERROR nova.conductor.manager [{context}] Failed to schedule instances: nova.exception_Remote.NoValidHost_Remote: "
    "No valid host was found. There are not enough hosts available.",
    "ERROR nova.compute.manager [{context}] [instance: {uuid}] 虚拟接口创建失败",
    "INFO nova.api.openstack.wsgi [{context}] HTTP exception thrown: Instance {uuid} could not be found.",
    "ERROR nova.scheduler.utils [{context}] NoValidHost: \\u627e\\u4e0d\\u5230\\u6709\\u6548\\u4e3b\\u673a\\uff0c",
)


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory(prefix="stackmend-benchmark-") as directory:
        root = Path(directory)
        literals = root / "literals"
        literals.write_bytes(
            b"\n".join({literal for signature in SIGNATURES for literal in signature.literals}) + b"\n"
        )
        one, many = root / "one/var/log/nova", root / "many/var/log/nova"
        one.mkdir(parents=True)
        many.mkdir(parents=True)
        write(one / "nova-api.log", megabytes)
        for number in range(FILES):
            write(many / f"nova-{number}.log", 1, number)
        for what, place in ((f"one file of {megabytes} MB", root / "one"), (f"{FILES} files of 1 MB", root / "many")):
            against_grep(what, place, literals)
        against_searchkit(root)


def write(path: Path, megabytes: int, seed: int = 0) -> None:
    """A log of today; the text of 8 MB is repeated with other times, since writing takes longer than reading."""
    rows = list(_rows(random.Random(seed), min(megabytes, 8) * 1_000_000))
    when = datetime.now() - timedelta(hours=20)
    with path.open("wb") as file:
        while file.tell() < megabytes * 1_000_000:
            for row in rows:
                when += timedelta(microseconds=3000)
                file.write(f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d} {row}".encode())


def _rows(chance: random.Random, size: int) -> Iterator[str]:
    def uuid() -> str:
        text = f"{chance.getrandbits(128):032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    while size > 0:
        row = chance.choice(TELLING if not chance.randrange(SHARE_OF_HITS) else ORDINARY)
        context = f"None req-{uuid()} {uuid().replace('-', '')} {uuid().replace('-', '')} - - default default"
        text = (
            f"{chance.randrange(9999)} " + row.format(context=context, uuid=uuid(), n=chance.randrange(10, 99)) + "\n"
        )
        size -= len(text) + 24
        yield text


def against_grep(what: str, place: Path, literals: Path) -> None:
    size = sum(path.stat().st_size for path in place.rglob("*.log"))
    ours, grep = [], []
    for _round in range(ROUNDS):
        seconds, told = _timed([sys.executable, "-c", READER, str(place)])
        matches, read, gaps = json.loads(told)
        ours.append(seconds)
        seconds, counted = _timed(["grep", "-rFhc", "-f", str(literals), str(place)], LC_ALL="C")
        grep.append(seconds)
        if read["bytes"] != size or gaps or matches != sum(map(int, counted.split())):
            sys.exit(f"The reader is wrong, and its speed means nothing: {matches}, {read}, {gaps}, {counted[:200]}")
    peak = _peak(place)
    print(
        f"{what}: ours {size / min(ours) / 1e6:.0f} MB/s, grep -F {size / min(grep) / 1e6:.0f} MB/s, "
        f"ratio {min(grep) / min(ours):.2f}; {matches} lines found; {peak} MiB"
    )


def against_searchkit(root: Path) -> None:
    place = root / "part"
    path = place / "var/log/nova/nova-api.log"
    path.parent.mkdir(parents=True)
    write(path, SLOW_MEGABYTES)
    venv.create(root / "venv", with_pip=True)
    python = root / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", SEARCHKIT], check=True, stderr=subprocess.DEVNULL)
    startup = min(_timed([str(python), "-c", "import searchkit"])[0] for _round in range(ROUNDS))
    began = min(_timed([sys.executable, "-c", READER, "/nonexistent"])[0] for _round in range(ROUNDS))
    ours = min(_timed([sys.executable, "-c", READER, str(place)])[0] for _round in range(ROUNDS)) - began
    size = path.stat().st_size
    for what, several in (("the same patterns", None), ("English alone", 1)):
        # the first pattern of a signature is the English one
        patterns = ["|".join(dict.fromkeys([*signature.literals.values()][:several])) for signature in SIGNATURES]
        theirs, found = _timed([str(python), "-c", OTHER, str(path)], json.dumps(patterns))
        theirs -= startup
        print(
            f"searchkit, {len(patterns)} patterns ({what}), {SLOW_MEGABYTES} MB: ours {size / ours / 1e6:.0f} MB/s, searchkit "
            f"{size / theirs / 1e6:.2f} MB/s, ratio {theirs / ours:.0f} (without the start of either); {found.strip()} found"
        )


def _timed(command: list[str], given: str = "", **environment: str) -> tuple[float, str]:
    """(seconds of processor time, output) of a command; on a machine with other work to do, the clock says little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def _peak(place: Path) -> int:
    """The most memory, in MiB, that the reader held."""
    script = f"{READER}\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)"
    return int(_timed([sys.executable, "-c", script, str(place)])[1].split()[-1])


if __name__ == "__main__":
    main(int((sys.argv[1:2] or ["2000"])[0]))
