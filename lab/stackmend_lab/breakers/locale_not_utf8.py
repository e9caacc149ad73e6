# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give a controller an ASCII output and a locale of old, while a cell has a name that is not ASCII."""

from __future__ import annotations

from ..hosts import Hosts
from ._breaker import Breaker

HOST = "controller1"
KEPT = "/root/lab-locale"
_FILES = ("/etc/environment", "/etc/default/locale")

_NAME_CELL = """
import sqlite3, sys
with sqlite3.connect("/var/lib/nova/nova-api.sqlite", timeout=30) as database:
    database.execute("update cell_mappings set name = ? where name in ('cell1', ?)", (sys.argv[1], "\u5982"))
"""


def break_(hosts: Hosts) -> None:
    """Sessions get PYTHONIOENCODING=ascii, and below it a locale of Western Europe."""
    _keep(hosts)
    hosts.must(HOST, ["localedef", "-i", "en_US", "-f", "ISO-8859-1", "en_US.ISO-8859-1"])
    _append(hosts, "/etc/environment", "PYTHONIOENCODING=ascii")
    _append(hosts, "/etc/default/locale", "LANG=en_US.ISO-8859-1")


def mend(hosts: Hosts) -> None:
    """Put the files back, and the name of the cell."""
    back = (
        f"[ -d {KEPT} ] || exit 0; for file in {' '.join(_FILES)}; do rm -f $file;"
        f" if [ -e {KEPT}$file ]; then cp -a {KEPT}$file $file; fi; done;"
        f" rm -rf {KEPT} /etc/profile.d/lab-locale.sh /usr/lib/locale/en_US.iso88591 /usr/lib/locale/locale-archive"
    )
    hosts.must(HOST, ["sh", "-ec", back])
    hosts.must(HOST, ["python3", "-X", "utf8", "-c", _NAME_CELL, "cell1"])


def symptom(hosts: Hosts) -> str | None:
    """What nova-manage says when it lists the cells in a new session, and in a login shell."""
    for shell in (["sh", "-c"], ["bash", "-lc"]):
        command = [*shell, "nova-manage cell_v2 list_cells 2>&1"]
        done = hosts.ssh(HOST, command, user="nova", new_session=True)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()
            return next((line for line in said if "Error" in line), said[-1] if said else f"exit {done.returncode}")
    return None


def c_locale(hosts: Hosts) -> None:
    """LC_ALL=C, which broke Python 2 and does nothing any more."""
    _keep(hosts)
    _append(hosts, "/etc/environment", "LC_ALL=C")


def replaced_later(hosts: Hosts) -> None:
    """An encoding that is not UTF-8 in /etc/environment, and UTF-8 in the file that is read after it."""
    _keep(hosts)
    _append(hosts, "/etc/environment", "PYTHONIOENCODING=ascii")
    _append(hosts, "/etc/default/locale", "PYTHONIOENCODING=utf-8")


def _append(hosts: Hosts, path: str, line: str) -> None:
    hosts.must(HOST, ["sh", "-ec", f"printf '%s\\n' '{line}' >>{path}"])


def _keep(hosts: Hosts) -> None:
    keep = (
        f"[ -d {KEPT} ] || for file in {' '.join(_FILES)}; do mkdir -p {KEPT}${{file%/*}};"
        f" if [ -e $file ]; then cp -a $file {KEPT}$file; fi; done"
    )
    hosts.must(HOST, ["sh", "-ec", keep])
    hosts.must(HOST, ["python3", "-X", "utf8", "-c", _NAME_CELL, "\u5982"])


BREAKER = Breaker(
    fault="locale_not_utf8",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "LC_ALL=C under Python 3.11": c_locale,
        "an encoding that a later file replaces": replaced_later,
    },
)
