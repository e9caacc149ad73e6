#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module scheduling_info: whether a server would find a host, which, and why not the others."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scheduling_info
short_description: Explain why no host takes a server, or which does
version_added: 0.1.0
description:
  - Asks placement what nova-scheduler would ask it for a server of a flavor and an image, judges every compute as placement
    and the scheduler's filters do, and says of each what refuses it first.
  - Says also where the server would go without what is allocated to nobody, with every disabled host enabled, and with
    another flavor.
  - What no API shows, such as free NUMA cells and PCI devices, is said to be unknown.
  - Run it once, where openstacksdk is; normally on the control node.
  - It reads page by page and provider by provider, and sends no request other than GET and HEAD, the issue of a token apart.
extends_documentation_fragment:
  - stackmend.openstack.attributes
  - stackmend.openstack.attributes.read_only
  - stackmend.openstack.cloud
options:
  flavor:
    description: Name or id of the flavor.
    type: str
    required: true
  image:
    description: Name or id of the image.
    type: str
    required: true
  availability_zone:
    description: The availability zone that is asked for.
    type: str
    default: ''
  host:
    description: The one compute service host that is asked for, as O(host) of a request with microversion 2.74.
    type: str
    default: ''
  volume_backed:
    description: Whether the server boots from a volume made of the image, and needs no root disk on the compute.
    type: bool
    default: false
  schedulers:
    description:
      - How nova-scheduler is set up, as M(stackmend.openstack.host_fault_info) observes it for C(scheduler_packs_hosts), by host.
      - Without any the defaults of the cloud's release are assumed, and the answer says so.
    type: dict
    default: {}
  schedulers_not_read:
    description: Hosts of which it is not known whether they run nova-scheduler, for the answer to say so.
    type: list
    elements: str
    default: []
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Ask why a large server finds no host
  stackmend.openstack.scheduling_info:
    cloud: production
    flavor: m1.xlarge
    image: ubuntu-24.04
    availability_zone: az1
  delegate_to: localhost
  run_once: true
  register: scheduling

- name: Read the answer
  ansible.builtin.debug:
    msg: "{{ scheduling.table }}"
"""

RETURN = r"""
answer:
  description: The answer; its JSON Schema is C(stackmend/report/explanation-1.json) of the Python package.
  returned: success
  type: dict
  contains:
    schema:
      description: The version of this form.
      type: int
    cloud:
      description: Name of the cloud.
      type: str
    question:
      description: What was asked for, with names and ids.
      type: dict
    verdict:
      description: V(fits) when a host takes the server, V(none) when none does, V(unknown) when that cannot be known.
      type: str
    summary:
      description: The answer in a sentence.
      type: str
    fits:
      description: The hosts that take it, when the verdict is V(fits).
      type: list
      elements: str
    refused:
      description: Why nova's API does not take the request, or no compute builds it, wherever it would go.
      type: list
      elements: str
    request:
      description: What nova asks placement for - groups of resources and traits, the aggregates of zone and project.
      type: dict
    hosts:
      description:
        - Every compute with its C(verdict), C(refusals) in the order of their weight, each with C(kind), C(by) (C(placement),
          the name of a filter, C(nova-conductor), C(nova-compute)) and C(reason), and what is C(unknown) of it.
      type: list
      elements: dict
    scheduler:
      description:
        - How nova-scheduler is set up and whether that was C(read) or C(assumed), how many C(candidates) placement gives it,
          and with how many each filter begins and ends, as in nova's own log line C(Filter results).
      type: dict
    what_if:
      description: The hosts that would take it C(without_orphans) and if all were C(enabled), and the C(flavors) that fit.
      type: dict
    unknown:
      description: Why it cannot be known, when the verdict is V(unknown).
      type: list
      elements: str
    assumptions:
      description: What the answer rests on and was not read.
      type: list
      elements: str
table:
  description: The answer as lines of at most 100 columns.
  returned: success
  type: list
  elements: str
requests:
  description: How many requests were sent, by method; C(TOKEN) counts the issue of tokens.
  returned: success
  type: dict
  sample: {GET: 30, TOKEN: 1}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stackmend.openstack.plugins.module_utils._explain import explain
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from ansible_collections.stackmend.openstack.plugins.module_utils._scheduling_table import lines
from ansible_collections.stackmend.openstack.plugins.module_utils._scheduling_wish import UnknownName
from ansible_collections.stackmend.openstack.plugins.module_utils._session import ARGUMENTS, BadCloud, open_cloud


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "flavor": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "availability_zone": {"type": "str", "default": ""},
            "host": {"type": "str", "default": ""},
            "volume_backed": {"type": "bool", "default": False},
            "schedulers": {"type": "dict", "default": {}},
            "schedulers_not_read": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        cloud = open_cloud(given)
        answer = explain(
            cloud,
            flavor=given["flavor"],
            image=given["image"],
            zone=given["availability_zone"],
            host=given["host"],
            volume_backed=given["volume_backed"],
            schedulers=given["schedulers"],
            not_read=given["schedulers_not_read"],
        )
    except (BadCloud, UnknownName, Unavailable) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, answer=answer, table=lines(answer), requests=dict(cloud.requests))


if __name__ == "__main__":
    main()
