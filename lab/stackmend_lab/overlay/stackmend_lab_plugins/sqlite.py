# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQLAlchemy plug-in: SQLite that several processes of one service write to.

oslo.db opens transactions deferred; the upgrade from read to write then fails at once with "database is locked",
whatever the timeout. BEGIN IMMEDIATE takes the lock first and waits for it.
"""

from sqlalchemy import event
from sqlalchemy.engine import CreateEnginePlugin


class Plugin(CreateEnginePlugin):
    def update_url(self, url):
        return url

    def engine_created(self, engine):
        @event.listens_for(engine, "connect")
        def connected(connection, _record):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")  # a lab may lose its last second when the machine crashes

        @event.listens_for(engine, "begin")
        def begun(connection):
            # oslo.db's own listener runs after this one and does nothing once the mark is set.
            if "in_transaction" not in connection.info:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.info["in_transaction"] = True
