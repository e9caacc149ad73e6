# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of nova's databases that a breaker takes away beside nova, as a hand with an SQL client does, and puts back."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..lab import Lab


class Rows:
    """What one breaker deleted; the rows are on disk before they go."""

    def __init__(self, lab: Lab, fault: str) -> None:
        self.lab = lab
        self.record = lab.layout.state / "breakers" / f"{fault}.rows.json"

    def delete(self, database: str, table: str, where: Mapping[str, Any]) -> None:
        """Delete the rows whose columns have these values."""
        condition = " and ".join(f"{column} = ?" for column in where)
        with contextlib.closing(self._connect(database)) as connection, connection:
            rows = [
                dict(row) for row in connection.execute(f"select * from {table} where {condition}", [*where.values()])
            ]
            self._save([*self._entries(), {"database": database, "table": table, "rows": rows}])
            connection.execute(f"delete from {table} where {condition}", [*where.values()])

    def restore(self) -> None:
        """Put back what is not there again; unique columns say what that is."""
        for entry in reversed(self._entries()):
            with contextlib.closing(self._connect(entry["database"])) as connection, connection:
                for kept in entry["rows"]:
                    # Not its number, which another row may have by now.
                    row = {column: value for column, value in kept.items() if column != "id"}
                    marks = ", ".join("?" for _ in row)
                    connection.execute(
                        f"insert or ignore into {entry['table']} ({', '.join(row)}) values ({marks})", [*row.values()]
                    )
        self.record.unlink(missing_ok=True)

    def _connect(self, database: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self.lab.layout.data / f"{database}.sqlite", timeout=60)
        connection.row_factory = sqlite3.Row
        return connection

    def _entries(self) -> list[dict[str, Any]]:
        return json.loads(self.record.read_text()) if self.record.exists() else []

    def _save(self, entries: list[dict[str, Any]]) -> None:
        self.record.parent.mkdir(exist_ok=True, mode=0o700)
        draft = Path(f"{self.record}.new")
        draft.touch(0o600)
        draft.write_text(json.dumps(entries))
        os.replace(draft, self.record)
