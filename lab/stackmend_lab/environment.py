# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services' Python environment: the released packages, installed once into the cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

# The five services are what the lab is about; everything else is the newest that goes with them.
REQUIREMENTS = (
    "keystone==30.0.0",
    "glance==33.0.0",
    "openstack-placement==16.0.0",
    "nova==34.0.0",
    "neutron==29.0.0",
    "cheroot",
    "openstacksdk",
    "osc-placement",
    "pymemcache",
    "python-memcached",
    "python-novaclient",
    "python-openstackclient",
)
OVERLAY = Path(__file__).parent / "overlay"
INSTALL_SECONDS = 1800


class EnvironmentFailed(Exception):
    """The environment could not be made; one sentence and the end of pip's output."""


def ensure(cache: Path, progress: Callable[[str], None]) -> Path:
    """The directory of the environment, made if it is not there yet. Raises EnvironmentFailed.

    A virtual environment cannot be moved, so it is built where it stays and counts only once its stamp is written.
    """
    directory = cache / f"services-{_key()}"
    stamp = directory / "complete.json"
    if stamp.exists():
        return directory
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two labs that start at once share one installation
        if stamp.exists():
            return directory
        progress(f"installing the services into {directory} (once; some minutes)")
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=True, symlinks=True)
        _install(directory)
        site_packages = next(directory.glob("lib/python3*/site-packages"))
        shutil.copytree(OVERLAY, site_packages, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        stamp.write_text(json.dumps({"requirements": REQUIREMENTS, "python": sys.version}, indent=1))
    return directory


def service_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a service or its tool gets: nothing of the caller's Python, proxies or OpenStack credentials."""
    kept = {name: environ[name] for name in ("HOME", "TMPDIR", "USER", "LOGNAME") if name in environ}
    fixed = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
        "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1",  # native threads, as nova itself advises
    }
    return {**kept, **fixed}


def _key() -> str:
    """Changes with whatever the environment is made of."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {sorted(REQUIREMENTS)}".encode())
    for path in sorted(OVERLAY.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(OVERLAY).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _install(directory: Path) -> None:
    # pip's own configuration says where packages come from; PYTHON* of the caller would mix in its packages.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [
        *(str(directory / "bin" / "python"), "-m", "pip", "install"),
        *("--quiet", "--no-input", "--disable-pip-version-check", "--root-user-action=ignore", *REQUIREMENTS),
    ]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise EnvironmentFailed(f"pip did not finish within {INSTALL_SECONDS // 60} minutes.") from None
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise EnvironmentFailed(f"pip could not install the services into {directory}:\n{tail}")
