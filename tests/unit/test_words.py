# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of many names a sentence tells the first, and how many it leaves out."""

from __future__ import annotations

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._words import listed


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
    ],
)
def test_the_first_names_are_told(names: list[str], told: str) -> None:
    assert listed(names, 3) == told
