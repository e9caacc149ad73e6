# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that nova's own interpreter runs to read the message queues that nova's cell mappings name.

It travels as text because it needs SQLAlchemy and the database driver; nova itself is not imported, which would take seconds.

Input:  {"url": URL of nova's API database}, on standard input
Output: {"cells": [{"uuid", "name", "transport_url", "disabled"}]}, to the reader alone: the URLs hold passwords.
"""

from __future__ import annotations

PROGRAM = r"""
import json, os, sys, warnings
warnings.simplefilter("ignore")
request = json.load(sys.stdin)
from sqlalchemy import create_engine, text
engine = create_engine(request["url"])
rows = []
# SQLite would make the file that it does not find, and a check writes nothing.
if engine.dialect.name != "sqlite" or os.path.exists(engine.url.database or ""):
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT uuid, name, transport_url, disabled FROM cell_mappings")).fetchall()
cells = [{"uuid": row[0], "name": row[1] or "", "transport_url": row[2], "disabled": bool(row[3])} for row in rows]
json.dump({"cells": cells}, sys.stdout)
"""
