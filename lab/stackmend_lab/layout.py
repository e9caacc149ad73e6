# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a lab keeps its things: paths, ports and names, computed from the environment or given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CONTROLLER = "labctl"
COMPUTES = ("HOST-34", "HOST-340", "HOST-341")  # the first is a prefix of the others: see FAULTS.md F30
PORT_BASE = 28770  # below Linux' ephemeral ports (32768 and up)

CLOUD = "stackmend-lab"
MEMBER_CLOUD = "stackmend-lab-member"

# In the order of starting; a service listens on the port base plus its place here.
SERVICES = ("keystone", "placement", "glance", "neutron", "nova")

# Where each one's users look: endpoints in the catalogue.
ENDPOINT_TYPES = {
    "keystone": "identity",
    "placement": "placement",
    "glance": "image",
    "neutron": "network",
    "nova": "compute",
}
ENDPOINT_PATHS = {"keystone": "/v3", "nova": "/v2.1"}


def default_state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """STACKMEND_LAB_DIR, else stackmend/lab below the XDG state directory. inventories/lab computes the same."""
    if environ.get("STACKMEND_LAB_DIR"):
        return Path(environ["STACKMEND_LAB_DIR"])
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "stackmend" / "lab"


def default_cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """stackmend below the XDG cache directory: the services' environment and prepared databases outlive a lab."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stackmend"


def default_port_base(environ: Mapping[str, str] = os.environ) -> int:
    """STACKMEND_LAB_PORT_BASE, else `PORT_BASE`. Raises ValueError with a sentence for anything but a port number."""
    text = environ.get("STACKMEND_LAB_PORT_BASE") or str(PORT_BASE)
    if not text.isdecimal():
        raise ValueError(
            f"STACKMEND_LAB_PORT_BASE is {text!r}; give the first of five free port numbers, such as {PORT_BASE}."
        )
    return int(text)


def default_computes(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """STACKMEND_LAB_COMPUTES, names separated by commas, else `COMPUTES`."""
    names = tuple(name.strip() for name in environ.get("STACKMEND_LAB_COMPUTES", "").split(",") if name.strip())
    return names or COMPUTES


@dataclass(frozen=True)
class Layout:
    """The paths and ports of one lab."""

    state: Path
    cache: Path
    port_base: int = PORT_BASE
    computes: tuple[str, ...] = COMPUTES

    @property
    def hosts(self) -> tuple[str, ...]:
        return (CONTROLLER, *self.computes)

    @property
    def venv(self) -> Path:
        """A symbolic link to the services' environment: a path that can be named without running anything."""
        return self.state / "venv"

    @property
    def data(self) -> Path:
        """What a snapshot holds: databases, keys, image files and the passwords that belong to them."""
        return self.state / "data"

    @property
    def run(self) -> Path:
        """Process records, the services' first output, and nova's control socket."""
        return self.state / "run"

    @property
    def clouds_file(self) -> Path:
        return self.state / "clouds.yaml"

    def command(self, verb: str) -> Path:
        return self.state / "bin" / verb

    def root(self, host: str) -> Path:
        """The directory that stands for a host's file system."""
        return self.state / "hosts" / host

    def etc(self, service: str, host: str = CONTROLLER) -> Path:
        return self.root(host) / "etc" / service

    def log(self, service: str, host: str = CONTROLLER) -> Path:
        """The log file of a service; nova's is that of API, conductor, scheduler and running computes."""
        name = "nova-compute" if host != CONTROLLER else "glance-api" if service == "glance" else service
        return self.root(host) / "var" / "log" / service / f"{name}.log"

    def port(self, service: str) -> int:
        return self.port_base + SERVICES.index(service)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port(service)}"

    def endpoint(self, service: str) -> str:
        return self.url(service) + ENDPOINT_PATHS.get(service, "")

    def database(self, name: str) -> str:
        """An SQLAlchemy URL; the plugin makes SQLite bear several processes (overlay/)."""
        return f"sqlite:///{self.data}/{name}.sqlite?timeout=60&plugin=stackmend_lab"
