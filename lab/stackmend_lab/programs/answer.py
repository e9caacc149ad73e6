# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run programs of this directory that ask nova, with nova imported once for all of them (questions.py is the other end).

Each line of standard input is [path of a program, argument, ...] in JSON, and is answered by a line [exit status, output,
errors]. A program runs in a process forked for it: none sees what another one set. The end of the input ends this.
"""

import json
import os
import runpy
import sys
import tempfile
import traceback

import keystoneauth1.loading  # noqa: F401
import nova.conf
import nova.image.glance
import nova.scheduler.request_filter
import nova.virt.libvirt.driver  # noqa: F401


def run(command):
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, open(os.devnull, "rb") as nothing:
        child = os.fork()
        if not child:
            for descriptor, file in enumerate((nothing, output, errors)):
                os.dup2(file.fileno(), descriptor)
            os._exit(status_of(command))
        _pid, ended = os.waitpid(child, 0)
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read().decode(errors="replace"))
        return [os.waitstatus_to_exitcode(ended), *said]


def status_of(command):
    sys.argv = command
    try:
        runpy.run_path(command[0], run_name="__main__")
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(run(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
