# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read whole numbers from text that anybody may have written."""

from __future__ import annotations

import re
from typing import Optional

# str.isdigit() takes "²" for a digit, and int() refuses that, and more digits than 4300.
_WHOLE = re.compile(r"[0-9]{1,18}")


def whole(text: str) -> Optional[int]:
    """The number that a text is, in at most 18 decimal digits; None for a text that is none."""
    return int(text) if _WHOLE.fullmatch(text) else None
