# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that a service's own interpreter runs to try its database connections, as the service's own account.

It travels as text because it needs SQLAlchemy and the service's database driver, which Stackmend does not have. It only
logs in and asks: CURRENT_USER(), @@hostname, SHOW GRANTS, and of nova's API database its cell mappings. URLs come on
standard input; neither they nor a password, a hash or a message of the server leave it.

Input:  {"connections": [{"id": number, "url": URL}], "cells": {"id": number, "base": URL of [database] connection} or null}
Output: {"answers": [{"id", "cell": name or "", "kind": "mysql" or another dialect, "code": error number or 0,
         "failed": exception's name or "", "server": "host:port", "database", "login": [user, host] or null: the account by
         which the server knows the service, "server_name", "grants": [statements without what identifies a user]}]}
"""

from __future__ import annotations

# nova/objects/cell_mapping.py, _format_url: a mapping may hold {hostname} and the like, of the URL in nova.conf. Needs urlsplit.
OF_TEMPLATE = r"""
def of_template(url, base):
    parts = urlsplit(base)
    known = {"username": parts.username, "password": parts.password, "hostname": parts.hostname, "port": parts.port,
             "scheme": parts.scheme, "query": parts.query, "fragment": parts.fragment, "path": parts.path.lstrip("/")}
    try:
        return url.format(**{name: "" if value is None else value for name, value in known.items()})
    except Exception:
        return url
"""

PROGRAM = (
    r"""
import json, re, sys, warnings
warnings.simplefilter("ignore")
from urllib.parse import urlsplit
request = json.load(sys.stdin)
from sqlalchemy import create_engine
SECONDS = 8


def number_of(error):
    orig = getattr(error, "orig", None) or error
    args = getattr(orig, "args", ())
    return args[0] if args and isinstance(args[0], int) else 0


def ask(cursor, statement):
    cursor.execute(statement)
    return [list(row) for row in cursor.fetchall()]


def without_secrets(statement):
    return re.sub(r"\s+(IDENTIFIED|REQUIRE|WITH MAX|PASSWORD|ACCOUNT)\b.*", "", statement)


def look(url, wanted, cell=""):
    answer = {"id": wanted, "cell": cell, "kind": "", "code": 0, "failed": "", "server": "", "database": "", "login": None,
              "server_name": "", "grants": []}
    rows = []
    try:
        engine = create_engine(url)
        answer["kind"] = engine.dialect.name
        if engine.dialect.name not in ("mysql", "mariadb"):
            return answer, rows
        answer["kind"] = "mysql"
        arguments, named = engine.dialect.create_connect_args(engine.url)
        answer["server"] = named.get("unix_socket") or "%s:%s" % (named.get("host", "localhost"), named.get("port", 3306))
        key = "database" if "database" in named else "db"
        answer["database"] = named.get(key, "")
        named = dict(named, connect_timeout=SECONDS)
        if engine.dialect.driver == "pymysql":
            named.update(read_timeout=SECONDS, write_timeout=SECONDS)
        try:
            connection = engine.dialect.connect(*arguments, **named)
        except Exception as error:
            answer["code"], answer["failed"] = number_of(error), type(error).__name__
            if answer["code"] != 1044:
                return answer, rows
            answer["failed"] = ""
            # The login is good; without a database the server tells as whom it took it.
            named.pop(key, None)
            connection = engine.dialect.connect(*arguments, **named)
        try:
            cursor = connection.cursor()
            user, _at, host = ask(cursor, "SELECT CURRENT_USER()")[0][0].rpartition("@")
            answer["login"] = [user, host]
            answer["server_name"] = ask(cursor, "SELECT @@hostname")[0][0]
            answer["grants"] = [without_secrets(row[0]) for row in ask(cursor, "SHOW GRANTS")]
            if request["cells"] and request["cells"]["id"] == wanted and not answer["code"] and not cell:
                try:
                    rows = ask(cursor, "SELECT name, uuid, database_connection, disabled FROM cell_mappings")
                except Exception as error:
                    if number_of(error) not in (1146, 1142, 1143):   # no such table yet; no right to read it
                        raise
        finally:
            connection.close()
    except Exception as error:
        answer["code"], answer["failed"] = answer["code"] or number_of(error), type(error).__name__
    return answer, rows


"""
    + OF_TEMPLATE
    + r"""
answers, seen = [], set()
for connection in request["connections"]:
    answer, rows = look(connection["url"], connection["id"])
    answers.append(answer)
    seen.add(connection["url"])
    for name, uuid, url, disabled in rows:
        url = of_template(url, request["cells"]["base"])
        if not disabled and url not in seen and not url.startswith("none:"):
            answers.append(look(url, connection["id"], name or uuid)[0])
            seen.add(url)
json.dump({"answers": answers}, sys.stdout)
"""
)
