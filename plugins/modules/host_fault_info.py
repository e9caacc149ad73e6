#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module host_fault_info: all checks of one host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_fault_info
short_description: Look for the known faults of an OpenStack host
version_added: 0.1.0
description:
  - Reads what the faults of the catalogue need from this host, once each, and judges it here.
  - What must be compared with other hosts or with the cloud's APIs is returned as a small observation, for the filter
    P(stackmend.openstack.fleet_findings#filter).
  - It never writes to the host. A check that could not be made is reported in RV(unknown), never as healthy.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.read_only
  - stackmend.openstack.discovery
  - stackmend.openstack.logs
options:
  faults:
    description: Ids of the faults to look for; all of them when empty.
    type: list
    elements: str
    default: []
  host:
    description: Name of the host in the report, normally C(inventory_hostname).
    type: str
    required: true
  groups:
    description: The inventory groups of the host, normally C(group_names).
    type: list
    elements: str
    default: []
  root:
    description: A directory that stands for the host's file system, such as a mounted root or an unpacked sosreport.
    type: path
    default: /
  compute_groups:
    description: Inventory groups whose hosts are computes.
    type: list
    elements: str
    default: [computes, compute, Compute, compute_hosts, nova_compute]
  restart_commands:
    description: Dictionary of service to the command, as a list, that restarts it, when it cannot be discovered.
    type: dict
    default: {}
  releases:
    description: Dictionary of service to its version, for a host that is only a directory.
    type: dict
    default: {}
  migration_peers:
    description: The computes that this one must reach by ssh for resize and cold migration.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the peer in the inventory.
        type: str
        required: true
      address:
        description: Address or name that nova uses to reach it.
        type: str
        required: true
      port:
        description: Port of its sshd.
        type: int
        default: 22
  console_listeners:
    description: The consoles that a host with nova-novncproxy tries to reach, as the computes named them in RV(observations).
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name of the compute in the inventory.
        type: str
        required: true
      address:
        description: The address that nova gives to the proxy.
        type: str
        required: true
      ports:
        description: TCP ports to try.
        type: list
        elements: int
        required: true
  nova_user:
    description: The user that runs nova-compute.
    type: str
    default: nova
  service_commands:
    description:
      - Dictionary of program to a dictionary with the commands C(start), C(stop) and C(status), each a list, when they cannot be
        discovered. C(status) ends with 0 while the program runs.
      - Only C(nova-compute) is asked for.
    type: dict
    default: {}
  ceph_command:
    description:
      - The command, as a list, in front of ceph's own arguments, on a host from which a Ceph cluster is administered, such as
        C([cephadm, shell, --, ceph]).
      - Without it C(/usr/bin/ceph) is asked where C(/etc/ceph) holds the configuration and key of the administrator.
    type: list
    elements: str
    default: []
  script_paths:
    description: Further files and directories in which to look for scripts that evacuate hosts.
    type: list
    elements: path
    default: []
  rabbit_hosts:
    description:
      - The RabbitMQ servers that controllers should be given, each as C(host:port). Without it the lists of the controllers are
        compared with each other, and which one is right is not decided.
    type: list
    elements: str
    default: []
  memcached_servers:
    description: The memcached servers that controllers should be given, each as C(host:port), in their order.
    type: list
    elements: str
    default: []
  instances_path:
    description:
      - Where nova keeps its instances on this host, when that cannot be told from C(nova.conf), as for a container's volume.
    type: path
    default: ''
  network_manager:
    description: Which of several managers of the network is to stay, where two of them own an interface.
    type: str
    choices: ['', NetworkManager, systemd-networkd, ifupdown]
    default: ''
  logs:
    description:
      - Whether to read the logs of the services, for what known faults leave in them.
      - What they say makes findings surer, and points at faults to check; a log line alone never leads to a change.
    type: bool
    default: false
  log_window:
    description: How many seconds of the logs are read, back from now.
    type: float
    default: 86400
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Look for all known faults of this host
  stackmend.openstack.host_fault_info:
    host: "{{ inventory_hostname }}"
    groups: "{{ group_names }}"
  register: faults

- name: Check the configuration of a mounted root file system against the options of nova 31
  stackmend.openstack.host_fault_info:
    host: compute7
    root: /mnt/compute7
    releases: {nova: 31.0.0}
    faults: [config_option_unknown, config_value_invalid]
"""

RETURN = r"""
findings:
  description: The faults found on this host, in the form of the report.
  returned: success
  type: list
  elements: dict
unknown:
  description: The checks that could not be made, each with C(fault), C(target) and C(reason).
  returned: success
  type: list
  elements: dict
observations:
  description: For each fault that is judged across hosts, what this host has to say.
  returned: success
  type: dict
logs:
  description:
    - What the logs say, with C(matches), C(gaps) and C(read); null where they were not asked for.
    - The filter P(stackmend.openstack.fleet_findings#filter) weighs it beside the findings of all places.
  returned: success
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils import _discovery
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import UnknownFault, select
from ansible_collections.stackmend.openstack.plugins.module_utils._detection import examine
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._host_readers import host_reader
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Target

ARGUMENTS: dict[str, dict[str, Any]] = {
    "faults": {"type": "list", "elements": "str", "default": []},
    "host": {"type": "str", "required": True},
    "groups": {"type": "list", "elements": "str", "default": []},
    "root": {"type": "path", "default": "/"},
    "compute_groups": {
        "type": "list",
        "elements": "str",
        "default": ["computes", "compute", "Compute", "compute_hosts", "nova_compute"],
    },
    **_discovery.ARGUMENTS,
    "restart_commands": {"type": "dict", "default": {}},
    "releases": {"type": "dict", "default": {}},
    "migration_peers": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 22},
        },
    },
    "console_listeners": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "host": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "ports": {"type": "list", "elements": "int", "required": True},
        },
    },
    "nova_user": {"type": "str", "default": "nova"},
    "service_commands": {"type": "dict", "default": {}},
    "ceph_command": {"type": "list", "elements": "str", "default": []},
    "script_paths": {"type": "list", "elements": "path", "default": []},
    "rabbit_hosts": {"type": "list", "elements": "str", "default": []},
    "memcached_servers": {"type": "list", "elements": "str", "default": []},
    "instances_path": {"type": "path", "default": ""},
    "network_manager": {
        "type": "str",
        "choices": ["", "NetworkManager", "systemd-networkd", "ifupdown"],
        "default": "",
    },
    "logs": {"type": "bool", "default": False},
    "log_window": {"type": "float", "default": 86400},
    "log_paths": {"type": "list", "elements": "str", "default": []},
    "log_seconds": {"type": "float", "default": 120},
}


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """The faults of a host as the module returns them. Raises UnknownFault, and NotADirectoryError for a wrong root."""
    faults = select(params["faults"])
    tree = Tree(params["root"])
    if not tree.is_dir("/"):
        raise NotADirectoryError(f"root {params['root']} is not a directory on {params['host']}")
    host = {"name": params["host"], "root": tree.root, "groups": params["groups"]}
    read = host_reader(tree, params)
    result = examine(
        faults,
        "host",
        read,
        Target("host", host["name"]),
        {"host": host, "settings": {"compute_groups": params["compute_groups"]}},
    )
    # beside what the faults ask for: whichever of them the lines point at
    return {**result, "logs": read("logs") if params["logs"] else None}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = look(module.params)
    except (UnknownFault, NotADirectoryError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
