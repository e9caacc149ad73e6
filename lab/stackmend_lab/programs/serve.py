# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Serve one OpenStack WSGI application on loopback: serve.py SERVICE PORT.

The services' modules parse sys.argv and read OS_<SERVICE>_CONFIG_* from the environment.
"""

import importlib
import signal
import sys

from cheroot import wsgi

APPLICATIONS = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "glance": "glance.wsgi.api",
    "neutron": "neutron.wsgi.api",
}


def main(service, port):
    sys.argv = [service]
    application = importlib.import_module(APPLICATIONS[service]).application
    server = wsgi.Server(("127.0.0.1", port), application, numthreads=8, request_queue_size=128)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.start()
    finally:
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
