# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set the image properties that nova keeps with servers, by nova-manage; read them and undo it by nova's own objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from . import _cell_mappings
from ._evidence import _interpreter, nova_cells
from ._evidence._tree import Tree
from ._journal import JournalError

# nova-manage image_property set cannot remove a property, and refuses a server that runs. What is undone is put back the
# way it writes it (nova 34, cmd/manage.py, _update_image_properties): system_metadata and the image of the request spec.
PROGRAM = r"""
import json, os, sys
request = json.load(sys.stdin)
for name in [n for n in os.environ if n.startswith("OS_") and n != "OS_NOVA_DISABLE_EVENTLET_PATCHING"]:
    del os.environ[name]
os.environ.update(request["environment"])
from nova import config, context, exception, objects

objects.register_all()
config.parse_args(["nova-manage"] + request["arguments"])
admin = context.get_admin_context()
answer = {}
for uuid, restored in request["servers"].items():
    try:
        mapping = objects.InstanceMapping.get_by_instance_uuid(admin, uuid)
        with context.target_cell(admin, mapping.cell_mapping) as cell:
            server = objects.Instance.get_by_uuid(cell, uuid, expected_attrs=["system_metadata", "flavor"])
            if restored:
                for name, value in restored.items():
                    if value is None:
                        server.system_metadata.pop("image_" + name, None)
                    else:
                        server.system_metadata["image_" + name] = value
                wish = objects.RequestSpec.get_by_instance_uuid(admin, uuid)
                wish.image = server.image_meta
                server.save()
                wish.save()
            kept = {key[6:]: value for key, value in server.system_metadata.items() if key.startswith("image_")}
            answer[uuid] = {"vm_state": server.vm_state, "name": server.display_name, "properties": kept}
    except (exception.InstanceNotFound, exception.InstanceMappingNotFound):
        answer[uuid] = None
sys.stdout.write("\n" + json.dumps(answer, separators=(",", ":")) + "\n")
"""
# nova-manage's statuses (doc/source/cli/nova-manage.rst)
_STATUSES = {
    2: "nova does not find the server",
    3: "the server is not stopped",
    5: "nova does not know the property",
    6: "nova does not take the value",
}


class SettingFailed(Exception):
    """A property that could not be set; the sentence says which, and what nova-manage answered."""


def read(through: Mapping[str, Any], servers: Iterable[str]) -> dict[str, Optional[dict[str, Any]]]:
    """{server: {"name", "vm_state", "properties"} or None where there is none}. Raises SettingFailed."""
    return _ask(through, dict.fromkeys(servers))


def set_properties(through: Mapping[str, Any], server: str, properties: Mapping[str, str]) -> None:
    """Set properties of a stopped or shelved server. Raises SettingFailed."""
    arguments = [word for name, value in sorted(properties.items()) for word in ("--property", f"{name}={value}")]
    try:
        status, said = _cell_mappings.manage(through, "image_property", "set", server, *arguments)
    except _cell_mappings.MappingFailed as error:
        raise SettingFailed(str(error)) from error
    if status:
        why = _STATUSES.get(status) or said
        raise SettingFailed(f"nova-manage image_property set {server} ended with status {status}: {why}")


def undo(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo a journal entry of kind server_image_properties: {"id", "before": {name: value or None}, "after", "through"}."""
    try:
        now = read(entry["through"], [entry["id"]])[entry["id"]]
        if now is None:
            return "conflict", f"server {entry['id']} is gone"
        before, after, kept = entry["before"], entry["after"], now["properties"]
        wanted = {name: value for name, value in before.items() if kept.get(name) != value}
        if not wanted:
            return "unchanged", ""
        changed_since = sorted(name for name in wanted if kept.get(name) != after[name])
        if changed_since:
            return (
                "conflict",
                f"{', '.join(changed_since)} of server {entry['id']} was changed after the run and was left alone",
            )
        if check_mode:
            return "would_restore", ""
        _ask(entry["through"], {entry["id"]: wanted})
    except SettingFailed as error:
        raise JournalError(str(error)) from error
    note = "it takes effect when the server is stopped and started" if now["vm_state"] == "active" else ""
    return "restored", note


def _ask(through: Mapping[str, Any], servers: Mapping[str, Any]) -> dict[str, Any]:
    request = {"arguments": through["arguments"], "environment": through["environment"], "servers": servers}
    command = _interpreter.isolated(through["python"], PROGRAM)
    try:
        answer: dict[str, Any] = _interpreter.ask(
            command, request, user=through["user"], environment=nova_cells.THREADS, seconds=nova_cells.SECONDS
        )
    except _interpreter.ProgramFailed as failure:
        raise SettingFailed(
            f"nova could not be asked for its servers: {' '.join(through['python'])} {failure}"
        ) from failure
    return answer
