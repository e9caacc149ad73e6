# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No finding about a configuration file tells a secret that stands in it."""

from __future__ import annotations

import json

from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import FAULTS

from tests.unit.faults.config_fixtures import build_evidence

CONFIG = """
[DEFAULT]
transport_ulr = rabbit://nova:hunter2@controller
frobnicated_pwd = hunter2
[default]
transport_url = rabbit://nova:hunter2@controller
[database]
conection = mysql://nova:hunter2@controller/nova
max_retries = mysql://nova:hunter2@controller/nova
[keystone_authtoken]
auth_type = password
pasword = hunter2
password = hunter2
admin_password = hunter2
[service_usr]
password = hunter2
[oslo_messaging_rabbit]
rabbit_password = hunter2
"""


def test_no_finding_tells_a_secret():
    evidence = build_evidence({"files": {"/etc/nova/nova.conf": CONFIG}, "releases": {"nova": "31.0.0"}})
    reports = [
        fault.report(finding)
        for name in ("auth_strategy_invalid", "config_option_unknown", "config_value_invalid")
        for fault in [FAULTS[name]]
        for finding in fault.detect(evidence)
    ]
    assert len(reports) >= 6
    assert "hunter2" not in json.dumps(reports)
