# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The allocation check by itself, as a command: allocation_check.py CLOUDS_FILE. Prints what it found, asked and took as JSON."""

from __future__ import annotations

import json
import resource
import sys

from ansible_collections.stackmend.openstack.plugins.module_utils import _session
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._cloud_readers import CloudReader
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Target
from ansible_collections.stackmend.openstack.plugins.module_utils._settings import settings


def main(clouds_file: str, names: list[str]) -> None:
    cloud = _session.connect("stackmend-lab", clouds_file)
    reader = CloudReader(cloud)
    faults = [FAULTS[name] for name in names] or list(FAULTS.values())
    always = {"settings": settings({})}
    result = examine(faults, "cloud", reader, Target("cloud", "lab"), always)
    told = {
        "findings": [[finding["fault"], finding["target"]["id"]] for finding in result["findings"]],
        "unknown": [entry["reason"] for entry in result["unknown"]],
        "requests": dict(cloud.requests),
        "objects": reader.objects,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
