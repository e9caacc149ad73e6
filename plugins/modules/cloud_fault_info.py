#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module cloud_fault_info: all checks through OpenStack's APIs, once for the cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_fault_info
short_description: Look for the known faults of an OpenStack cloud through its APIs
version_added: 0.1.0
description:
  - Reads what the faults of the catalogue need from the APIs, page by page and never object by object, and judges it.
  - Run it once, where openstacksdk is; normally on the control node.
  - It sends no request other than GET and HEAD, the issue of a token apart. This is enforced by its session.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.read_only
  - stackmend.openstack.cloud
options:
  faults:
    description: Ids of the faults to look for; all of them when empty.
    type: list
    elements: str
    default: []
  guest_agent:
    description:
      - The policy for the QEMU guest agent.
      - V(required) reports each bootable disk image without it, V(quiesce_only) those that need it because of
        C(os_require_quiesce), V(ignore) none.
    type: str
    choices: [required, quiesce_only, ignore]
    default: required
  image_content:
    description:
      - Of which images the beginning of the content is read.
      - V(suspects) are those whose metadata do not go together, or that nova refused; V(all) reads each image, a few at a
        time; V(none) reads none.
    type: str
    choices: [suspects, all, none]
    default: suspects
  allocation_records:
    description:
      - What the databases of nova and placement say about allocations, as
        M(stackmend.openstack.allocation_records_info) returns it.
      - With it C(allocation_orphaned) and C(allocation_doubled) ask the APIs about the consumers that these do not explain, and
        not about all servers and allocations of the cloud. Databases that are not those of this cloud are passed over.
    type: dict
    suboptions:
      doubted:
        description: Consumers that the databases do not explain.
        type: list
        elements: str
        required: true
      servers:
        description: Those that nova has a record of, among them and the servers of their migrations.
        type: list
        elements: str
        required: true
      newest:
        description: The servers that were asked for last.
        type: list
        elements: str
        required: true
      providers:
        description: Fingerprint of placement's resource providers.
        type: str
        required: true
      count:
        description: How many objects of each kind the databases have.
        type: dict
        required: true
  observation_seconds:
    description:
      - Seconds between the two looks at what a healthy cloud shows for a moment, such as a server without a host.
      - A second look is taken only when the first one found something of that kind.
    type: float
    default: 120
  stuck_seconds:
    description: Seconds after which a server that still waits for a host is stuck.
    type: float
    default: 600
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Look for all known faults of the cloud
  stackmend.openstack.cloud_fault_info:
    cloud: production
  delegate_to: localhost
  run_once: true
  register: faults
"""

RETURN = r"""
findings:
  description: The faults found, in the form of the report.
  returned: success
  type: list
  elements: dict
unknown:
  description: The checks that could not be made, each with C(fault), C(target) and C(reason).
  returned: success
  type: list
  elements: dict
observations:
  description: For each fault that is judged together with hosts, what the cloud has to say.
  returned: success
  type: dict
objects:
  description: How many objects of each kind were looked at.
  returned: success
  type: dict
  sample: {image: 12}
requests:
  description: How many requests were sent, by method; C(TOKEN) counts the issue of tokens.
  returned: success
  type: dict
  sample: {GET: 4, TOKEN: 1}
addresses:
  description: The address that nova knows for each compute, by service host; empty when nova was not asked.
  returned: success
  type: dict
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import UnknownFault, select
from ansible_collections.stackmend.openstack.plugins.module_utils._cloud_readers import CloudReader
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import (
    Read,
    examine,
    seen_twice,
    suspicious,
    together,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Fault, Target, Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._session import ARGUMENTS, BadCloud, Cloud, open_cloud
from ansible_collections.stackmend.openstack.plugins.module_utils._settings import OBSERVATION_SECONDS, STUCK_SECONDS

OPTIONS: dict[str, dict[str, Any]] = {
    **ARGUMENTS,
    "faults": {"type": "list", "elements": "str", "default": []},
    "guest_agent": {
        "type": "str",
        "choices": ["required", "quiesce_only", "ignore"],
        "default": "required",
    },
    "image_content": {"type": "str", "choices": ["suspects", "all", "none"], "default": "suspects"},
    "allocation_records": {
        "type": "dict",
        "options": {
            "doubted": {"type": "list", "elements": "str", "required": True},
            "servers": {"type": "list", "elements": "str", "required": True},
            "newest": {"type": "list", "elements": "str", "required": True},
            "providers": {"type": "str", "required": True},
            "count": {"type": "dict", "required": True},
        },
    },
    "observation_seconds": {"type": "float", "default": OBSERVATION_SECONDS},
    "stuck_seconds": {"type": "float", "default": STUCK_SECONDS},
}


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """The faults of a cloud as the module returns them. Raises UnknownFault or BadCloud."""
    faults = select(params["faults"])
    cloud = open_cloud(params)
    reader = CloudReader(cloud, params)
    # What a fault asks for is read below, and not a second time where it cannot be had.
    asked = {name for fault in faults for name in fault.cloud_evidence}
    for hint in sorted({name for fault in faults for name in fault.cloud_hints} - asked):
        with contextlib.suppress(Unavailable):
            reader(hint)
    recorded = _recorded(cloud, params["allocation_records"], faults)
    result = _examine(faults, reader, recorded, params)
    again = suspicious(result, faults)
    if again:
        time.sleep(params["observation_seconds"])
        result = seen_twice(result, _examine(again, CloudReader(cloud, params), recorded, params), again)
    objects = {**(params["allocation_records"]["count"] if recorded else {}), **reader.objects}
    return {"objects": objects, "addresses": reader.addresses, "requests": dict(cloud.requests), **result}


def _recorded(
    cloud: Cloud, records: Optional[Mapping[str, Any]], faults: Iterable[Fault]
) -> Optional[Callable[[], Read]]:
    """What makes a reader that begins with what databases say, where a fault asks for it and they are this cloud's."""
    if not records or not any(fault.recorded for fault in faults):
        return None
    # loaded like other readers: when it is first asked
    from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import recorded_allocations

    try:
        if not recorded_allocations.of_this_cloud(cloud, records):
            return None
    except Unavailable:
        return None  # whoever reads the APIs for a fault meets it too, and tells
    return lambda: recorded_allocations.RecordedReader(cloud, records)


def _examine(
    faults: Iterable[Fault], reader: CloudReader, recorded: Optional[Callable[[], Read]], params: Mapping[str, Any]
) -> dict[str, Any]:
    here = Target("cloud", reader.cloud.name)
    always = {"settings": {name: params[name] for name in ("guest_agent", "stuck_seconds")}}
    if recorded is None:
        return examine(faults, "cloud", reader, here, always)
    rest = examine([fault for fault in faults if not fault.recorded], "cloud", reader, here, always)
    return together(rest, examine([fault for fault in faults if fault.recorded], "cloud", recorded(), here, always))


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        result = look(module.params)
    except (UnknownFault, BadCloud) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
