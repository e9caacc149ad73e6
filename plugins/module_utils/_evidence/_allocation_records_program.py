# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that a service's own interpreter runs to read who holds resources in placement's database, and of which of these
consumers nova's databases have a server or a migration under way.

It travels as text because it needs SQLAlchemy and the database driver; the service itself is not imported, which would take
seconds. It reads, and nothing else. URLs come on standard input; none is in the answer.

Input:  {"do": "allocations", "url": URL of placement's database}
Output: {"providers": [uuid], "consumers": {consumer: number of the provider trees that it holds something of; shared storage
         and its kin are not counted}}

Input:  {"do": "servers", "url": URL of nova's API database, "base": URL of [database] connection, "consumers": as above,
         "finished": [status of a migration that is over]}
Output: {"doubted": [consumer that is neither a server nor a migration under way, or a server that holds several trees],
         "servers": [those of doubted, and of the servers of doubted migrations, that nova has a record of],
         "newest": [the servers that were asked for last], "count": how many servers there are}
        or {"failed": name of a cell, "exception"}: one that did not answer leaves all the rest worth nothing
"""

from __future__ import annotations

from ._database_program import OF_TEMPLATE

PROGRAM = (
    r"""
import json, os, sys, warnings
warnings.simplefilter("ignore")
from urllib.parse import urlsplit
from sqlalchemy import bindparam, create_engine, text
from sqlalchemy.engine.url import make_url
request = json.load(sys.stdin)
SECONDS, CHUNK, NEWEST = 8, 500, 20
CELL0 = "00000000-0000-0000-0000-000000000000"
"""
    + OF_TEMPLATE
    + r"""

def opened(url):
    kind = make_url(url).get_backend_name()
    # SQLite would make the file that it does not find, and a check writes nothing.
    if kind == "sqlite" and not os.path.exists(make_url(url).database or ""):
        raise FileNotFoundError
    known = {"connect_timeout": SECONDS} if kind in ("mysql", "mariadb", "postgresql") else {}
    return create_engine(url, connect_args=known).connect()


def allocations():
    with opened(request["url"]) as database:
        providers = [row[0] for row in database.execute(text("SELECT uuid FROM resource_providers"))]
        sharing = {row[0] for row in database.execute(text(
            "SELECT t.resource_provider_id FROM resource_provider_traits t JOIN traits n ON n.id = t.trait_id "
            "WHERE n.name = 'MISC_SHARES_VIA_AGGREGATE'"))}
        consumers = {}
        for consumer, provider, root in database.execute(text(
                "SELECT DISTINCT a.consumer_id, p.id, p.root_provider_id FROM allocations a "
                "JOIN resource_providers p ON p.id = a.resource_provider_id")):
            roots = consumers.setdefault(consumer, set())
            if provider not in sharing:
                roots.add(root or provider)
    return {"providers": providers, "consumers": {consumer: len(roots) for consumer, roots in consumers.items()}}


def servers():
    consumers, finished = request["consumers"], set(request["finished"])
    with opened(request["url"]) as database:
        rows = database.execute(text("SELECT uuid, name, database_connection FROM cell_mappings"))
        cells = [(name or uuid, of_template(url, request["base"])) for uuid, name, url in rows
                 if not (uuid == CELL0 and url.startswith("none:"))]
        # Those that are in no cell yet; nova lists them first.
        coming = [row[0] for row in database.execute(text("SELECT instance_uuid FROM build_requests ORDER BY id DESC"))]
    known, moving, over, newest = set(coming), set(), {}, []
    for name, url in cells:
        try:
            with opened(url) as cell:
                known.update(row[0] for row in cell.execute(text("SELECT uuid FROM instances WHERE deleted = 0")))
                rows = cell.execute(text("SELECT created_at, uuid FROM instances WHERE deleted = 0 "
                                         "ORDER BY created_at DESC, uuid LIMIT %d" % NEWEST))
                newest += [(str(row[0]), row[1]) for row in rows]
        except Exception as error:
            return {"failed": name, "exception": type(error).__name__}
    # nova/compute/instance_list.py: by the time of creation, and by the uuid where that is the same
    newest.sort(key=lambda one: one[1])
    newest.sort(key=lambda one: one[0], reverse=True)
    unexplained = sorted(consumer for consumer in consumers if consumer not in known)
    of = text("SELECT uuid, instance_uuid, status FROM migrations WHERE deleted = 0 AND uuid IN :some")
    of = of.bindparams(bindparam("some", expanding=True))
    for _name, url in cells if unexplained else ():
        with opened(url) as cell:
            for start in range(0, len(unexplained), CHUNK):
                for migration, server, status in cell.execute(of, {"some": unexplained[start:start + CHUNK]}):
                    if status in finished:
                        over[migration] = server
                    else:
                        moving.add(migration)
    doubted = [consumer for consumer in unexplained if consumer not in moving]
    doubted += sorted(consumer for consumer, trees in consumers.items() if trees > 1 and consumer in known)
    named = set(doubted) | {over[migration] for migration in doubted if migration in over}
    return {"doubted": doubted, "servers": sorted(named & known), "count": len(known),
            "newest": coming[:NEWEST] + [uuid for _created, uuid in newest[:NEWEST]]}


json.dump({"allocations": allocations, "servers": servers}[request["do"]](), sys.stdout)
"""
)
