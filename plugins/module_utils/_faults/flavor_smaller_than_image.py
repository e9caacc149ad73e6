# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""flavor_smaller_than_image (F07): a flavor in use is too small for the image it is used with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .._model import Certainty, Evidence, Fault, Finding, Target

GIB = 1 << 30
Row = Mapping[str, Any]


class Lack(NamedTuple):
    """What of the flavor is less than the image needs; both in the unit."""

    what: str
    has: int
    needs: int
    unit: str


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Judge the servers that were not built, in {"servers", "images", "flavors"}: pairs that nobody uses are no fault.

    The API refuses what it can compare with 400, before there is a server: size, min_disk and min_ram (nova 34,
    compute/api.py _validate_flavor_image_nostatus). It drops virtual_size (image/glance.py), which shows on the compute.
    """
    images = {image["id"]: image for image in evidence["images"]["images"] if image["status"] == "active"}
    flavors = {flavor["name"]: flavor for flavor in evidence["flavors"]["flavors"]}
    tried: dict[tuple[str, str], list[Row]] = {}
    for server in evidence["servers"]["servers"]:
        # Never launched: one that ran once had room enough. Without a flavor of that name nobody tries it again.
        pair = (server["flavor"]["name"], server["image"])
        if server["vm_state"] == "error" and not server["launched"] and pair[0] in flavors and pair[1] in images:
            tried.setdefault(pair, []).append(server)
    for (name, image), servers in sorted(tried.items()):
        # The flavor of that name today: it may have been replaced by a larger one since.
        lacks = too_small(flavors[name], images[image])
        if lacks:
            yield _finding(flavors[name], images[image], servers, lacks)


def too_small(flavor: Row, image: Row) -> list[Lack]:
    """What of a flavor is less than an image needs for a root disk on the compute; a disk of 0 sets no limit."""
    lacks = []
    if flavor["ram"] < image["min_ram"]:
        lacks.append(Lack("memory", flavor["ram"], image["min_ram"], "MiB"))
    needs = max(image["size"], image["virtual_size"], image["min_disk"] * GIB)
    if 0 < flavor["disk"] * GIB < needs:
        lacks.append(Lack("disk", flavor["disk"] * GIB, needs, "bytes"))
    return lacks


def _finding(flavor: Row, image: Row, servers: list[Row], lacks: list[Lack]) -> Finding:
    told = " and ".join(f"{lack.what} of {lack.has} {lack.unit} where it needs {lack.needs}" for lack in lacks)
    # A virtual size fails on every compute. What the API compares it would have refused, so that the image was changed
    # since, and the servers may have failed by something else.
    certain = 0 < flavor["disk"] * GIB < image["virtual_size"]
    count = len(servers)
    return Finding(
        fault=FAULT.id,
        target=Target("flavor", flavor["id"], flavor["name"]),
        certainty=Certainty.CERTAIN if certain else Certainty.PROBABLE,
        subject=image["id"],
        summary=f"Flavor {flavor['name']!r} is too small for image {image['name']!r}, with {told}: {count} "
        f"{'server was' if count == 1 else 'servers were'} not built with the two",
        evidence={
            "source": "nova: servers in ERROR that were never launched, and flavors; glance: the image",
            "servers": [server["id"] for server in servers[:20]],
            "faults": sorted({server["fault"] for server in servers if server["fault"]})[:5],
            "flavor": {key: flavor[key] for key in ("ram", "disk")},
            "image": {key: image[key] for key in ("name", "size", "virtual_size", "min_disk", "min_ram")},
        },
        expected="a flavor at least as large as the image, or a boot from volume",
        actual=told,
        reason="a flavor is never changed in place: offer a larger one, or boot from a volume; on the image, set min_disk to "
        "its virtual size, so that nova refuses the request at once",
    )


FAULT = Fault(
    id="flavor_smaller_than_image",
    reference="F07",
    title="Flavor smaller than the image it is used with",
    scope="cloud",
    severity="medium",
    symptom="Servers go to ERROR with 'Build of instance ... aborted: Flavor's disk is too small for requested image', or the "
    "API answers 400 with the same words.",
    cause="nova's API compares the flavor with the image's size, min_disk and min_ram, and refuses. The virtual size of a "
    "qcow2 is larger than its size, and only nova-compute sees it when it builds the disk.",
    fix="Only reported. Use a larger flavor or boot from a volume; set the image's min_disk to its virtual size, so that the "
    "API refuses at once. Flavors are not changed in place.",
    cloud_evidence=("servers", "images", "flavors"),
    detect=detect,
)
