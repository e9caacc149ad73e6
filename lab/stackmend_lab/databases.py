# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services' databases: made once by the services' own tools, then copied from a snapshot."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from .layout import Layout

STEP_SECONDS = 600
PROGRAMS = Path(__file__).parent / "programs"

# Where a database holds the lab's own address or directory: a copy follows the lab it is copied into.
ADDRESSES = (
    ("keystone", "endpoint", "url"),
    ("nova_api", "cell_mappings", "database_connection"),
    ("glance", "image_locations", "value"),
)


class PreparationFailed(Exception):
    """A service's tool failed; one sentence and the end of its output."""


def create(layout: Layout, environment: Mapping[str, str], admin_password: str) -> None:
    """Create every service's tables and keystone's first administrator. Raises PreparationFailed.

    Each service's steps are a chain; the chains run side by side, nova's being as long as the rest together.
    """
    tools = layout.venv / "bin"
    keystone = [str(tools / "keystone-manage"), "--config-file", str(layout.etc("keystone") / "keystone.conf")]
    nova = [str(tools / "nova-manage"), "--config-file", str(layout.etc("nova") / "nova.conf")]
    # keystone-manage insists on an owner when run by root, and cannot change it otherwise.
    owner = ["--keystone-user", "root", "--keystone-group", "root"] if os.geteuid() == 0 else []
    urls = [
        f"--bootstrap-{interface}-url={layout.endpoint('keystone')}" for interface in ("admin", "internal", "public")
    ]
    cell1 = ["--name", "cell1", "--database_connection", layout.database("nova_cell1"), "--transport-url", "fake://"]
    chains = (
        (
            [*nova, "api_db", "sync"],
            [*nova, "cell_v2", "map_cell0", "--database_connection", layout.database("nova_cell0")],
            [*nova, "cell_v2", "create_cell", *cell1],
            [*nova, "db", "sync"],
        ),
        (
            [*keystone, "db_sync"],
            [*keystone, "fernet_setup", *owner],
            [*keystone, "credential_setup", *owner],
            # The password comes by OS_BOOTSTRAP_PASSWORD: arguments are for everybody to see.
            [*keystone, "bootstrap", *urls, "--bootstrap-region-id", "RegionOne"],
            [
                str(tools / "placement-manage"),
                "--config-file",
                str(layout.etc("placement") / "placement.conf"),
                "db",
                "sync",
            ],
            [str(tools / "glance-manage"), "--config-file", str(layout.etc("glance") / "glance-api.conf"), "db_sync"],
            [
                str(tools / "python"),
                str(PROGRAMS / "create_neutron_tables.py"),
                str(layout.etc("neutron") / "neutron.conf"),
            ],
        ),
    )
    for directory in ("fernet-keys", "credential-keys", "images", "staging", "tasks"):
        (layout.data / directory).mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {**environment, "OS_BOOTSTRAP_PASSWORD": admin_password}

    def follow(chain: tuple[list[str], ...]) -> None:
        for command in chain:
            run(command, environment)

    with ThreadPoolExecutor(len(chains)) as pool:
        for finished in [pool.submit(follow, chain) for chain in chains]:
            finished.result()


def run(command: list[str], environment: Mapping[str, str], stdin: str = "") -> None:
    """Run one step of preparation, bounded. Raises PreparationFailed."""
    what = " ".join(Path(word).name if word.startswith("/") else word for word in command[:6])
    try:
        done = subprocess.run(
            command, env=dict(environment), input=stdin, capture_output=True, text=True, timeout=STEP_SECONDS, cwd="/"
        )
    except subprocess.TimeoutExpired:
        raise PreparationFailed(f"`{what}` did not finish within {STEP_SECONDS // 60} minutes.") from None
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise PreparationFailed(f"`{what}` failed with status {done.returncode}:\n{tail}")


def save(layout: Layout, snapshot: Path) -> None:
    """Copy the data of a running, idle lab to `snapshot`, which appears whole or not at all."""
    draft = snapshot.with_name(f"{snapshot.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(layout.data, draft, ignore=shutil.ignore_patterns("*.sqlite*"))
    for path in layout.data.glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft / path.name)) as copy:
            source.backup(copy)  # consistent although the service writes
    (draft / "origin.json").write_text(json.dumps({"state": str(layout.state), "url": _address(layout.port_base)}))
    draft.chmod(0o700)
    try:
        draft.rename(snapshot)
    except OSError:  # another lab was first
        shutil.rmtree(draft)


def restore(layout: Layout, snapshot: Path) -> None:
    """Replace a stopped lab's data by a copy of `snapshot`, its addresses those of this lab."""
    shutil.rmtree(layout.data, ignore_errors=True)
    shutil.copytree(snapshot, layout.data)
    origin = json.loads((layout.data / "origin.json").read_text())
    replace(layout, {origin["state"]: str(layout.state)})
    move(layout, origin["url"])


def move(layout: Layout, old: str) -> None:
    """Make the catalogue of a stopped lab name this lab's ports; `old` is the start of every url until now."""
    new = _address(layout.port_base)
    if old == new:
        return
    prefix = "http://127.0.0.1:"
    base = int(old.removeprefix(prefix))
    # By way of a mark, or the second of two overlapping ranges would be renamed twice.
    steps = range(5)
    replace(layout, {f"{prefix}{base + step}": f"{prefix}@{step}@" for step in steps})
    replace(layout, {f"{prefix}@{step}@": f"{prefix}{layout.port_base + step}" for step in steps})


def replace(layout: Layout, words: Mapping[str, str]) -> None:
    for database, table, column in ADDRESSES:
        with closing(sqlite3.connect(layout.data / f"{database}.sqlite")) as connection, connection:
            for old, new in words.items():
                connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))


def _address(port_base: int) -> str:
    return f"http://127.0.0.1:{port_base}"
