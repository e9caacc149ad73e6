# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create neutron's tables in SQLite: create_neutron_tables.py NEUTRON_CONF.

neutron's migrations use what SQLite cannot do, so the models' tables are created and the migrations marked as done.
"""

import subprocess
import sys
from pathlib import Path

from neutron.common import config
from neutron.db.migration.models import head
from neutron_lib.db import api

config.register_common_config_options()
config.init(["--config-file", sys.argv[1]])
head.get_metadata().create_all(api.get_writer_session().get_bind())
stamp = [Path(sys.executable).parent / "neutron-db-manage", "--config-file", sys.argv[1], "stamp", "heads"]
sys.exit(subprocess.run(stamp).returncode)
