# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say what nova's libvirt driver does with a server whose port was not wired: ask_nova_about_vif.py NOVA_CONF.

The driver's own decision is asked for, the one it comes to when neutron reports that plugging failed.
"""

import sys

import nova.conf
from nova import exception, objects
from nova.virt.libvirt import driver

SERVER = "00000000-0000-0000-0000-000000000023"

nova.conf.CONF(["--config-file", sys.argv[1]], project="nova", default_config_files=[])
if not nova.conf.CONF.vif_plugging_timeout:
    print("does not wait for the port")
    sys.exit()
try:
    driver.LibvirtDriver._neutron_failed_callback(None, "network-vif-plugged", objects.Instance(uuid=SERVER))
except exception.VirtualInterfaceCreateException:
    print("refuses the server")
else:
    print("boots the server")
