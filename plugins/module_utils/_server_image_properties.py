# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set the image properties that nova keeps with servers, by nova-manage; read them and undo it by nova's own objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ._evidence._cells_program import PRELUDE
from ._evidence._tree import Tree
from ._model import ChangeFailed
from ._nova_programs import ask, manage

# nova-manage image_property set cannot remove a property, and refuses a server that runs. What is undone is put back the
# way it writes it (nova 34, cmd/manage.py, _update_image_properties): system_metadata and the image of the request spec.
PROGRAM = (
    PRELUDE
    + r"""
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
)
# nova-manage's statuses (doc/source/cli/nova-manage.rst)
_STATUSES = {
    2: "nova does not find the server",
    3: "the server is not stopped",
    5: "nova does not know the property",
    6: "nova does not take the value",
}


def read(through: Mapping[str, Any], servers: Iterable[str]) -> dict[str, Optional[dict[str, Any]]]:
    """{server: {"name", "vm_state", "properties"} or None where there is none}. Raises ChangeFailed."""
    found: dict[str, Optional[dict[str, Any]]] = ask(through, PROGRAM, servers=dict.fromkeys(servers))
    return found


def set_properties(through: Mapping[str, Any], server: str, properties: Mapping[str, str]) -> None:
    """Set properties of a stopped or shelved server. Raises ChangeFailed."""
    arguments = [word for name, value in sorted(properties.items()) for word in ("--property", f"{name}={value}")]
    status, said = manage(through, "image_property", "set", server, *arguments)
    if status:
        why = _STATUSES.get(status) or said
        raise ChangeFailed(f"nova-manage image_property set {server} ended with status {status}: {why}")


def undo(tree: Tree, entry: Mapping[str, Any], check_mode: bool) -> tuple[str, str]:
    """Undo a journal entry of kind server_image_properties: {"id", "before": {name: value or None}, "after", "through"}."""
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
    ask(entry["through"], PROGRAM, servers={entry["id"]: wanted})
    note = "it takes effect when the server is stopped and started" if now["vm_state"] == "active" else ""
    return "restored", note
