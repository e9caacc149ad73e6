# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nova's FakeDriver with a node uuid that survives a restart and a size worth scheduling on.

It lives here because nova imports drivers below `nova.virt` only: `[DEFAULT] compute_driver = stackmend_lab.Driver`.
"""

import subprocess
import uuid

from nova import exception
from nova.image import glance
from nova.virt import fake
from oslo_utils import units


def node_uuid(host):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, host))


class Driver(fake.FakeDriver):
    vcpus = 16
    memory_mb = 32768
    local_gb = 1000

    def get_available_resource(self, nodename):
        # Several computes share one process: CONF.host, which FakeDriver reports, is that of the last one started.
        return {
            **super().get_available_resource(nodename),
            "uuid": node_uuid(nodename),
            "hypervisor_hostname": nodename,
        }

    def spawn(self, context, instance, image_meta, *args, **kwargs):
        _refuse_larger_image(context, instance, image_meta)
        super().spawn(context, instance, image_meta, *args, **kwargs)

    def get_host_uptime(self):
        # FakeDriver has none, and the hypervisor API then logs an error for each compute asked.
        return subprocess.run(["uptime"], check=False, capture_output=True, text=True).stdout

    def get_nodenames_by_uuid(self, refresh=False):
        return {node_uuid(name): name for name in self.get_available_nodes()}


def _refuse_larger_image(context, instance, image_meta):
    """What libvirt's image backend does when the image it has fetched is larger than the flavor's disk
    (nova/virt/libvirt/imagebackend.py, Image.verify_base_size). nova drops virtual_size from what it hands to drivers."""
    disk = instance.flavor.root_gb * units.Gi
    # FakeDriver.post_live_migration_at_destination() spawns without an image.
    if not disk or image_meta is None or not image_meta.obj_attr_is_set("id"):
        return
    client = glance.GlanceClientWrapper()
    size = client.call(context, 2, "get", args=(image_meta.id,)).virtual_size or 0
    if size > disk:
        raise exception.FlavorDiskSmallerThanImage(flavor_size=disk, image_size=size)
