# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nova-compute says of an image's content before it boots it: ask_nova_to_inspect_image.py NOVA_CONF GLANCE_URL IMAGE_ID.

Prints nova's refusal, or nothing. This is the inspection of nova.virt.images, which the libvirt driver makes of each image
that it downloads (nova from 30 on). The administrator's credentials come from OS_*.
"""

import os
import sys
import tempfile

import nova.conf
from ask_nova_about_image import administrator
from nova import exception, objects
from nova.virt import images

CONF = nova.conf.CONF


def main(configuration, glance_url, image_id):
    CONF(["--config-file", configuration], project="nova", default_config_files=[])
    CONF.set_override("endpoint_override", glance_url, "glance")
    objects.register_all()
    who = administrator()
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "image")
        images.fetch(who, image_id, path)
        try:
            images.do_image_deep_inspection(images.get_info(who, image_id), image_id, path)
        except exception.ImageUnacceptable as error:
            print(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
