# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nova's libvirt driver makes of an image: ask_nova_about_image.py NOVA_CONF GLANCE_URL IMAGE_ID [VCPUS EXTRA_SPECS].

Prints {"buses": {device: bus}, "machine_type", "quiesce_required", "quiesce_error", "video_trait": the trait that a
compute must have, or null, "scsi_controller": its model, or null where nova asks for none, "read": the properties that
nova reads, "sockets": those of a server with so many vCPUs and the
flavor's extra specs (JSON)}. The administrator's credentials come from OS_*. No libvirt is
needed: these parts of the driver compute what it will ask libvirt for.
"""

import json
import os
import sys

import nova.conf
from keystoneauth1 import loading, session
from nova import context, exception, objects
from nova.image import glance
from nova.scheduler import request_filter
from nova.virt import hardware
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


def required_traits(administrator, image):
    """What the scheduler asks placement for, with [scheduler] image_metadata_prefilter."""
    CONF.set_override("image_metadata_prefilter", True, "scheduler")
    wish = objects.RequestSpec(image=image, requested_resources=[])
    request_filter.transform_image_metadata(administrator, wish)
    return wish.root_required


def main(configuration, glance_url, image_id, vcpus="1", extra_specs="{}"):
    CONF(["--config-file", configuration], project="nova", default_config_files=[])
    CONF.set_override("endpoint_override", glance_url, "glance")
    objects.register_all()
    who = administrator()
    image = objects.ImageMeta.from_image_ref(who, glance.API(), image_id)
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
    controller = driver.LibvirtDriver._get_scsi_controller(image)
    flavor = objects.Flavor(vcpus=int(vcpus), memory_mb=512, extra_specs=json.loads(extra_specs))
    traits = required_traits(who, image)
    answer = {
        "buses": buses,
        "machine_type": utils.get_machine_type(image),
        "quiesce_required": bool(driver.LibvirtDriver._requires_quiesce(None, image)),
        "quiesce_error": refusal,
        "video_trait": next((trait for trait in traits if trait.startswith("COMPUTE_GRAPHICS_MODEL_")), None),
        "scsi_controller": controller.model if controller else None,
        "read": sorted(name for name in image.properties.fields if image.properties.obj_attr_is_set(name)),
        "sockets": hardware.get_best_cpu_topology(flavor, image).sockets,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
