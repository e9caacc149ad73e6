# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The oslo.config.opts entry points whose options each service reads from its files (FAULTS.md 1.2).

A trailing * is a prefix: agents and plugins of a service share its files, and an option any of them reads is known.
"""

from __future__ import annotations

OWN = {
    "nova": ["nova.conf"],
    "keystone": ["keystone", "keystone.*"],
    "glance": ["glance.api", "glance.cache", "glance.manage", "glance.scrubber", "glance.store", "glance.multi_store"],
    "placement": ["placement.conf"],
    "neutron": ["neutron", "neutron.*", "nova.auth", "ironic.auth", "placement.auth", "designate.auth"],
}

# Without these a listing says too little to call anything unknown.
REQUIRED = {
    "nova": {"nova.conf"},
    "keystone": {"keystone"},
    "glance": {"glance.api", "glance.store"},
    "placement": {"placement.conf"},
    "neutron": {"neutron", "neutron.agent", "neutron.db", "neutron.extensions", "neutron.ml2"},
}

_COMMON = [
    "oslo.log",
    "oslo.policy",
    "oslo.middleware*",
    "osprofiler",
    "oslo.reports",
    "oslo.limit",
    "keystonemiddleware.*",
]
_SERVICE = [
    *_COMMON,
    "oslo.messaging",
    "oslo.concurrency",
    "oslo.db",
    "oslo.cache",
    "oslo.versionedobjects",
    "oslo.privsep",
    "oslo.service.*",
    "castellan.config",
]

LIBRARIES = {
    "nova": [*_SERVICE, "os_vif", "os_brick*"],
    "keystone": [*_COMMON, "oslo.cache", "oslo.messaging", "oslo.db", "oslo.concurrency"],
    "glance": [*_SERVICE, "os_brick*"],
    "placement": _COMMON,
    "neutron": _SERVICE,
}
