# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a command of the host in a way that does not depend on who runs us: no input, a known path, one language, an end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# With what an administrator installed, before it.
LOCAL_PATH = f"/usr/local/sbin:/usr/local/bin:{SYSTEM_PATH}"


def run(
    command: Sequence[str], seconds: float, path: str = SYSTEM_PATH, locale: str = "C"
) -> subprocess.CompletedProcess[str]:
    """What came of the command, whatever its status. Raises OSError or subprocess.SubprocessError where it gave no answer."""
    return subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
        env={"PATH": path, "LC_ALL": locale},
    )
