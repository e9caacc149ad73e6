# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a lab's cloud large by cloning rows: seed_scale.py DATA SERVER COMPUTES SERVERS IMAGES.

DATA: the directory of the databases. SERVER: id of a server that runs, of which the others are copies. COMPUTES, SERVERS, IMAGES:
how many are added. The computes are records only, of services that do not report; the servers lie on them in equal parts, and
each holds in placement what the first one holds. By API this would take an hour.
"""

import contextlib
import sqlite3
import sys
import uuid
from pathlib import Path

LONG_AGO = "2020-01-01 00:00:00"
BATCH = 500
# What is kept of a server in nova's cell besides its own row.
PARTS = ("instance_info_caches", "instance_extra", "block_device_mapping", "instance_system_metadata")


class Table:
    """Rows of a table to be copied with some columns changed; "id" is given anew by SQLite."""

    def __init__(self, database, name):
        self.database, self.name = database, name
        self.columns = [row[1] for row in database.execute(f"pragma table_info({name})")]

    def rows(self, **where):
        condition = " and ".join(f"{column} = ?" for column in where) or "1"
        found = self.database.execute(f"select * from {self.name} where {condition}", tuple(where.values()))
        return [dict(zip(self.columns, row, strict=True)) for row in found]

    def add(self, row, **changes):
        """Insert a changed copy; returns its id."""
        copy = {**row, **changes}
        copy.setdefault("id", None)
        if "id" not in changes and "id" in self.columns:
            copy["id"] = None
        names = [column for column in self.columns if column in copy]
        values = ", ".join("?" * len(names))
        statement = f"insert into {self.name} ({', '.join(names)}) values ({values})"
        return self.database.execute(statement, [copy[name] for name in names]).lastrowid


def main(data, server, computes, servers, images):
    with contextlib.ExitStack() as stack:

        def opened(name):
            database = sqlite3.connect(data / f"{name}.sqlite", timeout=120)
            return stack.enter_context(contextlib.closing(database))

        cell, api, placement = opened("nova_cell1"), opened("nova_api"), opened("placement")
        names = add_computes(cell, api, placement, server, computes)
        add_servers(cell, api, placement, server, servers, names)
        add_images(opened("glance"), images)


def add_computes(cell, api, placement, server, count):
    """Computes with service, node, mapping and provider; returns [(host, compute id, provider id)]."""
    services, nodes = Table(cell, "services"), Table(cell, "compute_nodes")
    mappings = Table(api, "host_mappings")
    providers, inventories = Table(placement, "resource_providers"), Table(placement, "inventories")
    traits = Table(placement, "resource_provider_traits")
    (instance,) = Table(cell, "instances").rows(uuid=server)
    (service,) = services.rows(host=instance["host"], binary="nova-compute", deleted=0)
    (node,) = nodes.rows(host=instance["host"], deleted=0)
    (mapping,) = mappings.rows(host=instance["host"])
    (provider,) = providers.rows(uuid=node["uuid"])
    parts = inventories.rows(resource_provider_id=provider["id"])
    of_provider = traits.rows(resource_provider_id=provider["id"])
    start = len(nodes.rows())
    made = []
    for number in range(start, start + count):
        host, identity = f"scale-{number:05}", str(uuid.uuid4())
        # Not seen for long: nova then asks these computes nothing.
        services.add(service, host=host, uuid=str(uuid.uuid4()), last_seen_up=LONG_AGO, updated_at=LONG_AGO)
        compute = nodes.add(node, host=host, hypervisor_hostname=host, uuid=identity, service_id=None)
        mappings.add(mapping, host=host)
        row = providers.add(provider, uuid=identity, name=host, root_provider_id=None)
        placement.execute("update resource_providers set root_provider_id = id where id = ?", (row,))
        for part in parts:
            inventories.add(part, resource_provider_id=row)
        for trait in of_provider:
            traits.add(trait, resource_provider_id=row)
        made.append((host, compute, row))
    for database in (cell, api, placement):
        database.commit()
    return made


def add_servers(cell, api, placement, server, count, computes):
    instances, parts = Table(cell, "instances"), [Table(cell, name) for name in PARTS]
    mappings, specs = Table(api, "instance_mappings"), Table(api, "request_specs")
    consumers, allocations = Table(placement, "consumers"), Table(placement, "allocations")
    (instance,) = instances.rows(uuid=server)
    of_server = [(table, table.rows(instance_uuid=server)) for table in (*parts, mappings, specs)]
    (consumer,) = consumers.rows(uuid=server)
    held = allocations.rows(consumer_id=server)
    for number in range(count):
        host, compute, provider = computes[number % len(computes)]
        identity = str(uuid.uuid4())
        name = f"scale-{number:05}"
        place = {"host": host, "node": host, "launched_on": host, "compute_id": compute}
        instances.add(instance, uuid=identity, display_name=name, hostname=name, **place)
        for table, rows in of_server:
            for row in rows:
                own = {"uuid": str(uuid.uuid4())} if table.name == "block_device_mapping" else {}
                table.add(row, instance_uuid=identity, **own)
        consumers.add(consumer, uuid=identity)
        for row in held:
            allocations.add(row, consumer_id=identity, resource_provider_id=provider)
        if number % BATCH == BATCH - 1:
            # The services write too, and would wait.
            for database in (cell, api, placement):
                database.commit()
    for database in (cell, api, placement):
        database.commit()


def add_images(glance, count):
    images, properties = Table(glance, "images"), Table(glance, "image_properties")
    (image,) = images.rows(name="cirros")
    of_image = properties.rows(image_id=image["id"])
    for number in range(count):
        identity = str(uuid.uuid4())
        images.add(image, id=identity, name=f"scale-{number:05}")
        for row in of_image:
            properties.add(row, image_id=identity)
    glance.commit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6]))
