# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change options of a test host's nova.conf, and put the file back as it was, with its times."""

from __future__ import annotations

import json

from ..hosts import Hosts

FILE = "/etc/nova/nova.conf"
KEPT = "/root/lab-nova.conf"

# In place of what the section has; a value of null takes the option out.
_SET = r"""
import json, re, sys
path = sys.argv[1]
text = open(path).read()
for section, option, value in json.load(sys.stdin):
    start = text.find(f"[{section}]\n")
    if start < 0:
        text = text.rstrip("\n") + f"\n\n[{section}]\n"
        start = text.index(f"[{section}]\n")
    start += len(section) + 3
    end = text.find("\n[", start - 1)
    end = len(text) if end < 0 else end
    body = re.sub(rf"(?m)^{option}\s*=.*\n?", "", text[start:end])
    text = text[:start] + (f"{option} = {value}\n" if value is not None else "") + body + text[end:]
open(path, "w").write(text)
"""


def change(hosts: Hosts, host: str, options: list[tuple[str, str, str | None]]) -> None:
    """Set (section, option, value), once what the file was is kept."""
    hosts.must(host, ["sh", "-c", f"[ -e {KEPT} ] || cp -a {FILE} {KEPT}"])
    hosts.must(host, ["python3", "-c", _SET, FILE], input=json.dumps(options))


def restore(hosts: Hosts, host: str) -> bool:
    """Put the file back; whether there was anything to put back."""
    return "kept" in hosts.must(
        host, ["sh", "-c", f"[ ! -e {KEPT} ] || {{ cp -a {KEPT} {FILE} && rm {KEPT} && echo kept; }}"]
    )
