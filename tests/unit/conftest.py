# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The property tests try the same examples each time, and new ones where STACKMEND_EXAMPLES asks for many."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("stackmend", derandomize="STACKMEND_EXAMPLES" not in os.environ, database=None)
settings.load_profile("stackmend")
