# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask for several documents at a time: the session may be used by some threads at once for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Union

from .._model import Unavailable
from .._session import Cloud

# Few: a cloud in trouble is not to be pressed, and one interpreter decodes the answers anyway.
THREADS = 4


def get(
    cloud: Cloud, service: str, paths: Mapping[str, str], microversion: str
) -> Iterator[tuple[str, Union[dict[str, Any], Unavailable]]]:
    """(key, the JSON document or why there is none) for each {key: path}, in their order.

    What is provided is taken up as it comes, so that no more than a few documents are in memory at once. After one
    answer that did not come in time the rest is not asked for: each would be waited for as long.
    """
    client = cloud.client(service)
    down: list[Unavailable] = []

    def one(path: str) -> Union[dict[str, Any], Unavailable]:
        if down:
            return down[0]
        try:
            return cloud.get(service, path, microversion=microversion, client=client)
        except Unavailable as reason:
            if "in time" in str(reason) or "refused the connection" in str(reason):
                down.append(reason)
            return reason

    keys = list(paths)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        for start in range(0, len(keys), 16 * THREADS):
            some = keys[start : start + 16 * THREADS]
            # Python 3.9 has no strict=
            yield from zip(some, pool.map(one, (paths[key] for key in some)))  # noqa: B905
