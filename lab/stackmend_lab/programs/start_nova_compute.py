# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the installed nova-compute up to where it has read its configuration: start_nova_compute.py NOVA_CONF.

Ends with status 0 there; a value that nova-compute refuses ends it as it ends nova-compute.
"""

import sys

from nova.cmd import compute
from oslo_privsep import priv_context


def configured(**_):
    sys.exit(0)


# The first thing main() does once every option has been read; a second nova-compute of that name must not go further.
priv_context.init = configured
# The host's own log is not for this start.
sys.argv = ["nova-compute", "--config-file", sys.argv[1], "--log-file", "/dev/stderr"]
compute.main()
