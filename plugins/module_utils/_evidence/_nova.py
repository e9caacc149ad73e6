# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the readers of nova's API share: how much of the cloud it showed, and the pages of its collections."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Optional

from .._session import Cloud

PAGE = 1000


def pages(cloud: Cloud, path: str, key: str, newest: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Every item of a collection, in pages of a thousand, at the newest microversion up to `newest`."""
    version = cloud.newest_microversion("compute", newest)
    return cloud.pages("compute", path, key, params={"limit": PAGE, **params}, microversion=version)


def of_other_projects(cloud: Cloud, what: str) -> list[dict[str, str]]:
    """The gap that an ordinary user's view has."""
    if cloud.is_admin:
        return []
    return [
        {"reason": f"the credentials of cloud {cloud.name} have no admin role: {what} of other projects were not seen"}
    ]


def cells_down(rows: Iterable[Mapping[str, Any]], what: str) -> list[dict[str, str]]:
    """The gap of cells that did not answer; from 2.69 on they show as rows of unknown status.

    rows: of the API's answer, with "status" and "host" or "id".
    """
    unseen = sorted({str(row.get("host") or row.get("id", "?")) for row in rows if row.get("status") == "UNKNOWN"})
    if not unseen:
        return []
    named = ", ".join(unseen[:5]) + (" and others" if len(unseen) > 5 else "")
    return [{"reason": f"the cell of {named} did not answer: {what} were not seen"}]


def seconds(text: Optional[str]) -> Optional[float]:
    """nova's "2026-01-05T03:12:44.000000" or "...Z", which are UTC, as seconds since the epoch; None for none."""
    if not text:
        return None
    return float(calendar.timegm(time.strptime(text.split(".")[0].rstrip("Z"), "%Y-%m-%dT%H:%M:%S")))


def clock(response: Any) -> Optional[float]:
    """The time of the API's own clock when it answered."""
    header = response.headers.get("Date")
    return parsedate_to_datetime(header).timestamp() if header else None
