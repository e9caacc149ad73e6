# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python -m stackmend_lab: the lab by itself, for those who develop it; `stackmend lab` is for everybody else."""

from __future__ import annotations

import argparse
import json
import sys
from typing import NoReturn

from . import breakers
from .lab import Lab, LabError

USAGE_ERROR = 64


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns 0, 1 when it failed; exits 64 on wrong usage."""
    parser = Parser(prog="stackmend_lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start what does not run yet")
    down = commands.add_parser("down", help="stop everything, keep the data")
    down.add_argument("--wipe", action="store_true", help="remove the data too")
    commands.add_parser("status", help="what runs, as JSON; status 1 unless everything is up")
    commands.add_parser("restart", help="restart a service or a compute").add_argument(
        "name", metavar="SERVICE|COMPUTE"
    )
    for verb in ("break", "mend"):
        command = commands.add_parser(verb, help=f"{verb} the cloud: a fault of the catalogue")
        command.add_argument("name", metavar="FAULT", choices=breakers.all_breakers())
    for verb, text in (("stop", "stop one compute"), ("start", "start it"), ("status", "status 1 unless it runs")):
        commands.add_parser(f"{verb}-compute", help=text).add_argument("name", metavar="COMPUTE")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except ValueError as error:  # of the environment or of an option
        print(error, file=sys.stderr)
        return USAGE_ERROR


def _run(options: argparse.Namespace) -> int:
    lab = Lab()
    match options.command:
        case "up":
            lab.up(lambda line: print(line, flush=True))
        case "down":
            lab.down(wipe=options.wipe)
        case "status":
            status = lab.status()
            print(json.dumps(status, indent=2))
            return 0 if status["up"] else 1
        case "restart":
            lab.restart(options.name)
        case "break":
            breaker = breakers.load(options.name)
            breaker.break_(lab)
            print(breaker.symptom(lab) or "No symptom shows.")
        case "mend":
            breakers.load(options.name).mend(lab)
        case "stop-compute":
            lab.stop_compute(options.name)
        case "start-compute":
            lab.start_compute(options.name)
        case "status-compute":
            return 0 if lab.compute_runs(options.name) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
