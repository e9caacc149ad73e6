# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the value that nova reads for an option of [DEFAULT]: read_nova_option.py NOVA_CONF OPTION."""

import sys

import nova.conf

nova.conf.CONF(["--config-file", sys.argv[1]], project="nova", default_config_files=[])
print(nova.conf.CONF[sys.argv[2]])
