# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which servers were refused for want of a host, by the fault nova recorded, in the languages nova speaks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# nova 34, nova/locale/*/LC_MESSAGES/nova.po, msgid "No valid host was found. %(reason)s" (FAULTS.md appendix B).
NO_VALID_HOST = re.compile(
    "No valid host was found|Nebyl nalezen žádný platný hostitel|Es wurde kein gültiger Host gefunden|"
    "No se ha encontrado ningún host válido|Hôte non valide trouvé|"
    "Non è stato trovato alcun host valido|有効なホストが見つかりませんでした|유효한 호스트가 없습니다|"
    "Nenhum host válido localizado|Допустимый узел не найден|Geçerli bir sunucu bulunamadı|找不到有效主机|"
    "找不到有效的主機"
)


def refused(servers: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The servers in ERROR, on no host, with that fault; newest first."""
    found = [
        server
        for server in servers
        if server["status"] == "ERROR" and not server["host"] and NO_VALID_HOST.search(server["fault"])
    ]
    return sorted(found, key=lambda server: server["created"] or "", reverse=True)
