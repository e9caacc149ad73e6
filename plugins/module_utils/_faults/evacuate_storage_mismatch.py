# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""evacuate_storage_mismatch (F05): evacuate is told that the disks are on shared storage where they are not, or the reverse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._evidence._evacuate_calls import FIXED, WRITTEN
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target

# nova's message in English, Simplified and Traditional Chinese, Japanese and Korean (its own catalogues).
_REFUSED = re.compile(
    r"Invalid state of instance files on shared\s+storage|共享存储器上实例文件的状态无效|共用儲存體上實例檔案的狀態無效|"
    r"共有ストレージ上のインスタンスファイルの無効な状態|공유 스토리지에서 인스턴스 파일의 올바르지 않은 상태"
)
# python-openstackclient speaks 2.1 where nobody says otherwise as long as it is built on novaclient; 10.5 and, by its users'
# reports, 7.1 negotiate the newest version. Where between them that changed is not relied upon.
_SPEAKS_OLD, _SPEAKS_NEW = (5, 99), (7, 1)


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """The calls of evacuate in this host's scripts, the client they would use, and the storage of a compute."""
    compute = evidence["compute"]
    calls = evidence["scripts"]["evacuations"]
    if not calls and not compute:
        return None
    return {
        "calls": calls,
        "clients": evidence["openstack_client"]["versions"] if calls else [],
        "host": compute["host"] if compute else "",
        "storage": compute["storage"] if compute else "",
    }


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The servers whose evacuation nova refused for this reason."""
    return {
        "refused": [
            {"id": server["id"], "name": server["name"], "host": server["host"], "fault": server["fault"]}
            for server in evidence["servers"]["servers"]
            if _REFUSED.search(server["fault"])
        ]
    }


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    storage = {seen["host"]: seen["storage"] for seen in evidence["hosts"].values() if seen and seen["storage"]}
    for host, seen in evidence["hosts"].items():
        for call in seen["calls"] if seen else ():
            finding = _of_call(Target("host", host), call, seen["clients"], storage)
            if finding:
                yield finding
    for server in evidence["cloud"]["refused"] if evidence["cloud"] else ():
        yield Finding(
            fault=FAULT.id,
            target=Target("server", server["id"], server["name"]),
            certainty=Certainty.PROBABLE,
            subject="evacuation",
            summary=f"The evacuation of server {server['name']!r} was refused: what the caller said of its storage was not so",
            evidence={"source": "GET /servers/detail", "fault": server["fault"], "host": server["host"]},
            expected=f"evacuated at compute API version {FIXED[0]}.{FIXED[1]} or later, where nova finds out by itself",
            actual="Invalid state of instance files on shared storage",
            reason=(
                f"evacuate it again with --os-compute-api-version {WRITTEN}, while its host is down and fenced. On local "
                "storage that builds its disk anew from the image: what was on it is lost"
            ),
        )


def _of_call(
    target: Target, call: Mapping[str, Any], clients: list[list[int]], storage: Mapping[str, str]
) -> Optional[Finding]:
    says, sure = _what_it_says(call, clients)
    where = f"{call['path']}:{call['line']}"
    if says is None:
        return None
    if says == "refused":
        certainty = Certainty.CERTAIN if sure else Certainty.PROBABLE
        what = "gives --shared-storage to a version of the API that has no such parameter: the client refuses it"
    else:
        truth = {"shared": "true", "local": "false"}
        wrong = sorted(host for host, kind in storage.items() if truth[kind] != says)
        if storage and not wrong:
            return None
        if not storage and not sure:
            return None
        if not storage:
            certainty = Certainty.POSSIBLE
        else:
            certainty = Certainty.CERTAIN if sure and len(wrong) == len(storage) else Certainty.PROBABLE
        places = "shared" if says == "true" else "local"
        what = f"tells nova that servers' disks are on {places} storage" + (
            f", which is not so on {', '.join(wrong[:5])}{' and others' if len(wrong) > 5 else ''}: nova refuses it"
            if wrong
            else "; where they are could not be seen"
        )
    version = call["version"]
    remedy, reason = (
        None,
        "leave onSharedStorage out and ask at compute API version 2.14 or later; this code is not changed for you",
    )
    if call["client"] != "body":
        wish = {
            "path": call["path"],
            "line": call["line"],
            "client": call["client"],
            "digest": call["digest"],
            "subject": where,
        }
        remedy = Remedy("evacuate_microversion", Risk.DISRUPTIVE, {"evacuate_microversion_calls": [wish]})
        reason = "the script is your own"
    return Finding(
        fault=FAULT.id,
        target=target,
        certainty=certainty,
        subject=where,
        summary=f"{where} {what}",
        evidence={
            "file": call["path"],
            "line": call["line"],
            "version": "not given" if version is None else f"{version[0]}.{version[1]}",
            "clients": [".".join(str(part) for part in client) for client in clients],
            "storage": dict(storage),
        },
        expected=f"no word about shared storage, and compute API version {FIXED[0]}.{FIXED[1]} or later",
        actual="onSharedStorage " + ("refused" if says == "refused" else says),
        remedy=remedy,
        reason=reason,
    )


def _what_it_says(call: Mapping[str, Any], clients: list[list[int]]) -> tuple[Optional[str], bool]:
    """What nova is told: ("true" or "false", "refused" by the client, or None for nothing), and whether that is sure."""
    version = tuple(call["version"]) if call["version"] is not None else None
    said = "true" if call["shared"] else "false"
    if call["client"] == "body":
        if version is not None and version >= FIXED:
            return None, True  # nova answers 400, and not this
        return said, version is not None
    if version is not None:
        if version < FIXED:
            return said, True
        return ("refused", True) if call["shared"] else (None, True)
    if call["client"] == "nova":  # python-novaclient negotiates the newest version
        return ("refused", True) if call["shared"] else (None, True)
    known = [tuple(client) for client in clients]
    if known and all(client >= _SPEAKS_NEW for client in known):
        return ("refused", True) if call["shared"] else (None, True)
    if known and all(client <= _SPEAKS_OLD for client in known):
        return said, True
    return said, False


FAULT = Fault(
    id="evacuate_storage_mismatch",
    reference="F05",
    title="Evacuation that says the wrong thing about storage",
    scope="cloud+host",
    severity="high",
    symptom="Evacuating a server fails with 'Invalid state of instance files on shared storage'.",
    cause="Before compute API version 2.14 the caller says whether the disks are on shared storage, and nova refuses what is not "
    "so, in both directions. Old openstack clients speak 2.1 unless told otherwise, and then say 'not shared'.",
    fix="Ask at version 2.14 or later, where nova finds out by itself, and leave the flag out: in the script, on approval. A "
    "server whose evacuation failed is evacuated again by you.",
    host_evidence=("scripts", "openstack_client", "compute"),
    cloud_evidence=("servers",),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
