# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run `ansible-test sanity` on a copy of what git tracks: it does not work in a checkout reached by a link."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What belongs to the collection; the package and the lab are judged by ruff and mypy.
PARTS = ("COPYING", "README.md", "changelogs", "galaxy.yml", "meta", "playbooks", "plugins", "roles")


def main() -> int:
    tool = Path(sys.executable).parent / "ansible-test"
    with tempfile.TemporaryDirectory(prefix="stackmend-sanity-") as directory:
        collection = Path(directory, "ansible_collections/stackmend/openstack")
        tracked = subprocess.run(["git", "ls-files", "-z", *PARTS], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, tracked.decode().split("\0")):
            if (ROOT / name).is_file():
                target = collection / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        subprocess.run(["git", "init", "--quiet"], cwd=collection, check=True)
        subprocess.run(["git", "add", "--all"], cwd=collection, check=True)
        home = Path(directory, ".ansible")
        _stand_in_for_get_pip(home)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        command = [tool, "sanity", "--color", "no", "--python", python, *sys.argv[1:]]
        environment = {**os.environ, "ANSIBLE_HOME": str(home), "HOME": directory}
        environment["PATH"] = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(command, cwd=collection, env=environment, check=False).returncode


def _stand_in_for_get_pip(home: Path) -> None:
    """ansible-test fetches pip from a host of its own; Python brings one."""
    cache = home / "test/cache"
    cache.mkdir(parents=True)
    script = (
        "import runpy, sys\nsys.argv = ['ensurepip', '--upgrade']\nrunpy.run_module('ensurepip', run_name='__main__')\n"
    )
    # The name holds the version of the script that ansible-test wants; it is made for those of core 2.19 to 2.21.
    for version in ("23_1_2", "24_0", "24_2", "24_3_1", "25_0", "25_1", "25_2", "25_3", "26_0"):
        (cache / f"get_pip_{version}.py").write_text(script, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
