# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `stackmend`.

Exit status: 0 nothing found and everything was checked; 2 findings remain; 3 nothing found but some checks could not be
made; 1 the run itself failed; 64 usage.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from ansible_collections.stackmend.openstack.plugins.module_utils._catalogue import UnknownFault, select
from ansible_collections.stackmend.openstack.plugins.module_utils._model import CERTAINTIES, RISKS
from ansible_collections.stackmend.openstack.plugins.module_utils._trace import BadSubject, subject_of
from rich.console import Console

from stackmend import api, report
from stackmend.model import Progress, Report
from stackmend.report import explanation
from stackmend.report import trace as traces
from stackmend.runner import RunFailed

USAGE = 64
FAILED = 1

_inventory = click.option("-i", "--inventory", required=True, help="Inventory file or directory.")
_cloud = click.option("--cloud", help="Entry of clouds.yaml; stackmend_cloud of the inventory or OS_CLOUD without it.")
_limit = click.option("--limit", metavar="PATTERN", help="Only hosts that match.")


def _known(_context: click.Context, _parameter: click.Parameter, ids: tuple[str, ...]) -> tuple[str, ...]:
    try:
        select(list(ids))
    except UnknownFault as error:
        raise click.BadParameter(str(error)) from error
    return ids


_faults = click.option(
    "--fault", "faults", multiple=True, metavar="ID", callback=_known, help="Only this fault; may be repeated."
)
_certainty = click.option("--min-certainty", type=click.Choice(CERTAINTIES), help="Leave out what is less certain.")
_format = click.option(
    "--format", "form", type=click.Choice(sorted(report.FORMATS)), default="table", show_default=True
)
_output = click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead.")
_check = click.option("--check", is_flag=True, help="Change nothing; say what would be changed.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stackmend")
def cli() -> None:
    """Find the known faults of a running OpenStack cloud, fix them once approved, prove it, and undo it."""


@cli.command("faults")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_faults(form: str) -> int:
    """List the known faults."""
    if form == "json":
        keys = ("id", "reference", "title", "scope", "severity", "symptom", "cause", "fix")
        click.echo(json.dumps([{key: getattr(fault, key) for key in keys} for fault in api.faults()], indent=2))
        return 0
    for fault in api.faults():
        click.echo(f"{fault.id:<32} {fault.reference}  {fault.scope:<10}  {fault.severity:<8}  {fault.title}")
    return 0


@cli.command()
@_inventory
@_cloud
@_limit
@_faults
@_certainty
@_format
@_output
def diagnose(
    inventory: str,
    cloud: str | None,
    limit: str | None,
    faults: tuple[str, ...],
    min_certainty: str | None,
    form: str,
    output: Path | None,
) -> int:
    """Look for known faults; nothing is changed."""
    with _progress() as on_progress:
        found = api.diagnose(
            inventory, cloud=cloud, limit=limit, faults=faults, min_certainty=min_certainty, on_progress=on_progress
        )
    return _tell(found, form, output)


@cli.command()
@_inventory
@_cloud
@_limit
@_faults
@_certainty
@_check
@click.option("--diff", is_flag=True, help="Show the difference that each remedy makes.")
@click.option("--approve", type=click.Choice(RISKS), help="Highest risk that may be applied; safe without it.")
@click.option(
    "--approve-target",
    "targets",
    multiple=True,
    metavar="FAULT=ID",
    help="Approve one target by name; may be repeated.",
)
@click.option("--max-changes", metavar="N|N%", help="Most targets of one fault that may be changed.")
@_format
@_output
def remediate(
    inventory: str,
    cloud: str | None,
    limit: str | None,
    faults: tuple[str, ...],
    min_certainty: str | None,
    check: bool,
    diff: bool,
    approve: str | None,
    targets: tuple[str, ...],
    max_changes: str | None,
    form: str,
    output: Path | None,
) -> int:
    """Look for known faults, fix what is approved, and look again."""
    approve_targets = _by_fault(targets)
    with _progress() as on_progress:
        found = api.remediate(
            inventory,
            cloud=cloud,
            limit=limit,
            faults=faults,
            min_certainty=min_certainty,
            check=check,
            diff=diff,
            approve=approve,
            approve_targets=approve_targets or None,
            max_changes=max_changes,
            on_progress=on_progress,
            on_diff=_show_diff if diff else None,
        )
    return _tell(found, form, output)


@cli.command()
@click.argument("run_id")
@_inventory
@_cloud
@_limit
@_check
@_format
@_output
def rollback(
    run_id: str, inventory: str, cloud: str | None, limit: str | None, check: bool, form: str, output: Path | None
) -> int:
    """Undo what a run changed."""
    with _progress() as on_progress:
        undone = api.rollback(run_id, inventory, cloud=cloud, limit=limit, check=check, on_progress=on_progress)
    return _tell(undone, form, output)


def _traceable(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    try:
        return subject_of(text)["id"]
    except BadSubject as error:
        raise click.BadParameter(str(error)) from error


@cli.command()
@click.argument("subject", metavar="SERVER_UUID|REQUEST_ID", callback=_traceable)
@_inventory
@_cloud
@click.option("--format", "form", type=click.Choice(sorted(traces.FORMATS)), default="table", show_default=True)
@_output
def trace(subject: str, inventory: str, cloud: str | None, form: str, output: Path | None) -> int:
    """Follow a server or a request through API and logs, and say what stopped it; nothing is changed.

    Exit status: 0 nothing wrong was read, 2 a cause was, 3 it cannot be known.
    """
    with _progress() as on_progress:
        found = api.trace(subject, inventory, cloud=cloud, on_progress=on_progress)
    coloured = form == "table" and output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    _put(traces.in_colours(found) if coloured else traces.FORMATS[form](found), output)
    return found.exit_status


@cli.command()
@click.option("--flavor", required=True, help="Name or id.")
@click.option("--image", required=True, help="Name or id.")
@click.option("--availability-zone", metavar="ZONE", help="Only hosts of this zone.")
@click.option("--host", help="Only this compute service host.")
@click.option("--volume-backed", is_flag=True, help="Boot from a volume made of the image: no root disk on the host.")
@click.option("-i", "--inventory", help="Its hosts tell how nova-scheduler is set up; else its defaults are assumed.")
@_cloud
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(explanation.FORMATS)),
    default="table",
    show_default=True,
)
@_output
def explain(
    flavor: str,
    image: str,
    availability_zone: str | None,
    host: str | None,
    volume_backed: bool,
    inventory: str | None,
    cloud: str | None,
    form: str,
    output: Path | None,
) -> int:
    """Say why a server finds no host, or which; nothing is changed.

    Exit status: 0 a host takes it, 2 none does, 3 that cannot be known.
    """
    with _progress() as on_progress:
        found = api.explain(
            flavor,
            image,
            cloud=cloud,
            availability_zone=availability_zone,
            host=host,
            volume_backed=volume_backed,
            inventory=inventory,
            on_progress=on_progress,
        )
    _put(explanation.FORMATS[form](found), output)
    return found.exit_status


@cli.group()
def lab() -> None:
    """A real OpenStack on this machine, to try everything on."""


@lab.command()
def up() -> int:
    """Start the lab; the first time it installs OpenStack, which takes some minutes."""
    with _the_lab() as there:
        there.up(lambda line: click.echo(line, err=True))
        click.echo(f"The lab is up. Inventory: {there.inventory}   clouds.yaml: {there.clouds_file}")
    return 0


@lab.command()
@click.option("--wipe", is_flag=True, help="Remove its data too.")
def down(wipe: bool) -> int:
    """Stop the lab."""
    with _the_lab() as there:
        there.down(wipe=wipe)
    click.echo("The lab is down.")
    return 0


@lab.command()
def status() -> int:
    """Say what of the lab is running."""
    with _the_lab() as there:
        state = there.status()
    click.echo(f"The lab in {state['state']} is {'up' if state['up'] else 'not up'}.")
    for name, service in state["services"].items():
        click.echo(f"{name:<16} {'pid ' + str(service['pid']) if service['pid'] else 'stopped':<12} {service['url']}")
    for name, there_is in state["computes"].items():
        click.echo(f"{name:<16} {there_is}")
    return 0


@lab.command("break")
@click.argument("fault")
def break_(fault: str) -> int:
    """Produce a fault in the lab."""
    breaker = _breaker(fault)
    with _the_lab() as there:
        breaker.break_(there)
        click.echo(f"{fault}: broken. What a user sees: {breaker.symptom(there) or 'nothing yet'}")
    return 0


@lab.command()
@click.argument("fault")
def mend(fault: str) -> int:
    """Put back what `break` did to the lab."""
    breaker = _breaker(fault)
    with _the_lab() as there:
        breaker.mend(there)
    click.echo(f"{fault}: mended.")
    return 0


@contextlib.contextmanager
def _the_lab() -> Iterator[Any]:
    """The lab that the environment names; what goes wrong in it is a sentence."""
    from stackmend_lab import Lab
    from stackmend_lab.lab import LabError

    try:
        yield Lab()
    except (LabError, ValueError) as error:
        raise RunFailed(str(error)) from error


def _breaker(fault: str) -> Any:
    from stackmend_lab import breakers

    known = breakers.all_breakers()
    if fault not in known:
        near = difflib.get_close_matches(fault, known, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
        raise click.UsageError(f"the lab has no breaker for {fault!r}{hint}")
    breaker = breakers.load(fault)
    if breaker.needs != "cloud":
        raise RunFailed(
            f"{fault} lives on systemd hosts: molecule and the tests break and mend it there (they need root)"
        )
    return breaker


def _by_fault(targets: Sequence[str]) -> dict[str, list[str]]:
    approved: dict[str, list[str]] = {}
    for text in targets:
        fault, equals, target = text.partition("=")
        if not (fault and equals and target):
            raise click.UsageError(
                f"--approve-target {text!r}: write it as FAULT=ID, with the id that the report gives"
            )
        approved.setdefault(fault, []).append(target)
    return approved


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Progress], None] | None]:
    """A status line on a terminal; nothing at all elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    console = Console(stderr=True)
    with console.status("starting") as line:

        def update(progress: Progress) -> None:
            hosts = f" ({progress.hosts_done} hosts done)" if progress.hosts_done else ""
            line.update(f"{progress.stage}{hosts}")

        yield update


def _show_diff(host: str, diffs: Sequence[Mapping[str, Any]]) -> None:
    """To standard error, so that standard output holds the report alone."""
    for diff in diffs:
        before, after = str(diff.get("before", "")), str(diff.get("after", ""))
        title = str(diff.get("after_header") or diff.get("before_header") or "")
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"{host}: {title}", f"{host}: {title}", lineterm=""
        )
        for line in lines:
            click.echo(line, err=True)


def _tell(found: Report, form: str, output: Path | None) -> int:
    _put(report.FORMATS[form](found), output)
    return found.exit_status


def _put(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)


def _write(path: Path, text: str) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".stackmend-", dir=path.absolute().parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError as error:
        raise RunFailed(f"the report cannot be written to {path}: {error.strerror}") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status."""
    try:
        status = cli.main(args=arguments, prog_name="stackmend", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        status = USAGE
    except click.ClickException as error:
        error.show()
        status = FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; what was changed until then is in the journal of the run.", err=True)
        status = FAILED
    except (RunFailed, RuntimeError) as error:
        click.echo(f"Error: {error}", err=True)
        status = FAILED
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
