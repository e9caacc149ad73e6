# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of the faults say what the catalogue says."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_of_the_faults_are_fresh() -> None:
    pages = runpy.run_path(str(ROOT / "tools/fault_pages.py"))["pages"]()
    stale = [str(path) for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    assert stale == [], "run python tools/fault_pages.py"


def test_every_page_belongs_to_a_fault() -> None:
    pages = runpy.run_path(str(ROOT / "tools/fault_pages.py"))["pages"]()
    assert set((ROOT / "docs/faults").glob("*.md")) == set(pages)
