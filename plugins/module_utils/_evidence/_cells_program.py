# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that nova's own interpreter runs to read which hosts and servers the API database maps to a cell.

It travels as text because it needs nova, which Stackmend does not have. It reads by nova's own objects and models; the
two things it can change it changes as nova-manage does, by the same objects, for the named servers and hosts alone.

Input, as JSON on standard input:
  {"arguments": ["--config-file=...", ...], "environment": {"OS_GROUP__OPTION": value}, "do": "read"}
  {..., "do": "map_servers" or "unmap_servers", "cell": uuid, "servers": [uuid]}
  {..., "do": "set_mapped", "cell": uuid, "hosts": {host: 0 or 1}}
Output, as JSON on the last line of standard output, for "read":
  {"version", "discover_seconds", "cells": [{"uuid", "name", "disabled", "cell0", "error"}],
   "hosts": {mapped host: cell uuid}, "computes": [{"host", "cell", "mapped": 0 or 1, "nodes": [name]}],
   "unmapped": [{"server", "cell"}]}
and for the others {"done": [what was changed]}. No URL and no message of an exception is in it: they hold passwords.
"""

from __future__ import annotations

# What `python -c` runs for nova-manage: the entry point itself, wherever its script was put.
NOVA_MANAGE = "import sys; sys.argv[0] = 'nova-manage'; from nova.cmd.manage import main; sys.exit(main())"

# How every program begins: with the request, and the environment of the service it stands in for.
PRELUDE = r"""
import json, os, sys
request = json.load(sys.stdin)
for name in [n for n in os.environ if n.startswith("OS_") and n != "OS_NOVA_DISABLE_EVENTLET_PATCHING"]:
    del os.environ[name]
os.environ.update(request["environment"])
"""

PROGRAM = (
    PRELUDE
    + r"""
from importlib import metadata
import nova.conf
from nova import config, context, objects
try:
    from nova.db.main import api as main_db, models
except ImportError:                       # before Wallaby (23)
    from nova.db.sqlalchemy import api as main_db, models
from nova.objects import instance_mapping
api_models = instance_mapping.api_models
try:
    api_reader = instance_mapping.api_db_api.context_manager.reader
except AttributeError:
    api_reader = main_db.api_context_manager.reader
CHUNK = 500


@main_db.pick_context_manager_reader
def servers_after(ctxt, after):
    rows = ctxt.session.query(models.Instance.id, models.Instance.uuid)
    rows = rows.filter(models.Instance.deleted == 0, models.Instance.id > after)
    return [tuple(row) for row in rows.order_by(models.Instance.id).limit(CHUNK)]


@main_db.pick_context_manager_reader
def compute_nodes(ctxt):
    rows = ctxt.session.query(models.ComputeNode.host, models.ComputeNode.hypervisor_hostname, models.ComputeNode.mapped)
    return [tuple(row) for row in rows.filter(models.ComputeNode.deleted == 0)]


@main_db.pick_context_manager_reader
def compute_services(ctxt):
    rows = ctxt.session.query(models.Service.host)
    return [row[0] for row in rows.filter(models.Service.deleted == 0, models.Service.binary == "nova-compute")]


@api_reader
def mapped(ctxt, uuids):
    rows = ctxt.session.query(api_models.InstanceMapping.instance_uuid)
    return set(row[0] for row in rows.filter(api_models.InstanceMapping.instance_uuid.in_(uuids)))


def unmapped(ctxt, cctxt):
    after = 0
    while True:
        page = servers_after(cctxt, after)
        if not page:
            return
        after = page[-1][0]
        known = mapped(ctxt, [uuid for _id, uuid in page])
        for _id, uuid in page:
            if uuid not in known:
                yield uuid


def read(ctxt):
    answer = {"cells": [], "computes": [], "unmapped": []}
    answer["hosts"] = {m.host: m.cell_mapping.uuid for m in objects.HostMappingList.get_all(ctxt)}
    for cell in objects.CellMappingList.get_all(ctxt):
        entry = {"uuid": cell.uuid, "name": cell.name or "", "disabled": bool(getattr(cell, "disabled", False)),
                 "cell0": cell.is_cell0(), "error": ""}
        answer["cells"].append(entry)
        try:
            with context.target_cell(ctxt, cell) as cctxt:
                hosts = {host: {"host": host, "cell": cell.uuid, "mapped": 1, "nodes": []} for host in compute_services(cctxt)}
                for host, node, flag in compute_nodes(cctxt):
                    there = hosts.setdefault(host, {"host": host, "cell": cell.uuid, "mapped": 1, "nodes": []})
                    there["nodes"].append(node)
                    there["mapped"] = min(there["mapped"], 1 if flag else 0)
                missing = [{"server": uuid, "cell": cell.uuid} for uuid in unmapped(ctxt, cctxt)]
            answer["computes"].extend(hosts.values())
            answer["unmapped"].extend(missing)
        except Exception as error:
            entry["error"] = type(error).__name__
    answer["version"] = metadata.version("nova")
    answer["discover_seconds"] = nova.conf.CONF.scheduler.discover_hosts_in_cells_interval
    return answer


def map_servers(ctxt):
    cell = objects.CellMapping.get_by_uuid(ctxt, request["cell"])
    missing = [u for u in request["servers"] if u not in mapped(ctxt, [u])]
    done = []
    with context.target_cell(ctxt, cell) as cctxt:
        for uuid in missing:
            server = objects.Instance.get_by_uuid(cctxt, uuid, expected_attrs=[])
            mapping = objects.InstanceMapping(ctxt)
            mapping.instance_uuid = uuid
            mapping.cell_mapping = cell
            mapping.project_id = server.project_id
            if "user_id" in mapping.fields:
                mapping.user_id = server.user_id
            if "queued_for_delete" in mapping.fields:
                mapping.queued_for_delete = False
            mapping.create()
            done.append(uuid)
    return {"done": done}


def unmap_servers(ctxt):
    done = []
    for uuid in request["servers"]:
        if mapped(ctxt, [uuid]):
            objects.InstanceMapping.get_by_instance_uuid(ctxt, uuid).destroy()
            done.append(uuid)
    return {"done": done}


def set_mapped(ctxt):
    cell = objects.CellMapping.get_by_uuid(ctxt, request["cell"])
    done = []
    with context.target_cell(ctxt, cell) as cctxt:
        for host, flag in request["hosts"].items():
            for node in objects.ComputeNodeList.get_all_by_host(cctxt, host):
                node.mapped = flag
                node.save()
            done.append(host)
    return {"done": done}


objects.register_all()
config.parse_args(["nova-manage"] + request["arguments"])
answer = {"read": read, "map_servers": map_servers, "unmap_servers": unmap_servers, "set_mapped": set_mapped}[
    request["do"]](context.get_admin_context())
sys.stdout.write("\n" + json.dumps(answer, separators=(",", ":")) + "\n")
"""
)
