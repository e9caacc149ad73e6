# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/faults: a page for each fault of the catalogue, and a list of them. --check only says which are stale."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Fault
from stackmend_lab import breakers

ROOT = Path(__file__).resolve().parent.parent


def page(fault: Fault) -> str:
    """The page of one fault."""
    breaker = breakers.load(fault.id)
    misses = "\n".join(f"* {name}" for name in breaker.near_misses)
    read = [f"on the hosts: {', '.join(fault.host_evidence)}"] * bool(fault.host_evidence)
    read += [f"through the APIs: {', '.join(fault.cloud_evidence)}"] * bool(fault.cloud_evidence)
    recorded = f"\n\nOf its test, this rests on recorded output: {breaker.recorded}" if breaker.recorded else ""
    risk = "It is only reported" if breaker.report_only else f"Risk to approve: {breaker.approve}"
    tried = f"Try it: `stackmend lab break {fault.id}`."
    if breaker.needs == "hosts":
        tried = "It is tried on systemd hosts, by `make test` as root."
    elif breaker.needs == "ceph":
        tried = "It is tried on a Ceph cluster of its own, by `make test` where Ceph is installed."
    return f"""# {fault.id} ({fault.reference})

{fault.title}. Scope: {fault.scope}. Severity: {fault.severity}. {risk}.

**What is seen.** {fault.symptom}

**Why.** {fault.cause}

**What is done.** {fault.fix}

**What is read.** {"; ".join(read)}.

**What only looks like it**, and is not reported:

{misses}

{tried}{recorded}
"""


def pages() -> dict[Path, str]:
    """All pages, by their path."""
    rows = "\n".join(
        f"| [{fault.id}]({fault.id}.md) | {fault.reference} | {fault.scope} | {fault.severity} | {fault.title} |"
        for fault in FAULTS.values()
    )
    index = f"# Known faults\n\n| id | reference | scope | severity | |\n|---|---|---|---|---|\n{rows}\n"
    directory = ROOT / "docs/faults"
    return {directory / "README.md": index, **{directory / f"{id_}.md": page(fault) for id_, fault in FAULTS.items()}}


def main() -> int:
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run python tools/fault_pages.py")
        return bool(stale)
    for path in stale:
        path.write_text(pages()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
