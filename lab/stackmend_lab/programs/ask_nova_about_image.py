# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nova's libvirt driver makes of an image in glance: ask_nova_about_image.py NOVA_CONF GLANCE_URL IMAGE_ID.

Prints {"buses": {device: bus}, "machine_type", "quiesce_required", "quiesce_error"}. The administrator's credentials
come from OS_*. No libvirt is needed: these parts of the driver compute what it will ask libvirt for.
"""

import json
import os
import sys

import nova.conf
from keystoneauth1 import loading, session
from nova import context, exception, objects
from nova.image import glance
from nova.virt.libvirt import blockinfo, driver, utils

CONF = nova.conf.CONF


def administrator():
    names = ("auth_url", "username", "password", "project_name", "user_domain_name", "project_domain_name")
    plugin = loading.get_plugin_loader("password").load_from_options(
        **{name: os.environ[f"OS_{name.upper()}"] for name in names}
    )
    keystone = session.Session(auth=plugin)
    return context.RequestContext(
        plugin.get_user_id(keystone),
        plugin.get_project_id(keystone),
        is_admin=True,
        auth_token=plugin.get_token(keystone),
    )


def main(configuration, glance_url, image_id):
    CONF(["--config-file", configuration], project="nova", default_config_files=[])
    CONF.set_override("endpoint_override", glance_url, "glance")
    objects.register_all()
    image = objects.ImageMeta.from_image_ref(administrator(), glance.API(), image_id)
    instance = objects.Instance(uuid=image_id)
    buses = {
        device: blockinfo.get_disk_bus_for_device_type(instance, CONF.libvirt.virt_type, image, device)
        for device in ("disk", "cdrom")
    }
    try:
        driver.LibvirtDriver._can_quiesce(None, instance, image)
        refusal = None
    except exception.NovaException as error:
        refusal = str(error)
    answer = {
        "buses": buses,
        "machine_type": utils.get_machine_type(image),
        "quiesce_required": bool(driver.LibvirtDriver._requires_quiesce(None, image)),
        "quiesce_error": refusal,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
