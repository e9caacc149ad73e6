# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of every module that changes something: its common options, its journal, what it shows, and how it fails."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union

from ansible.module_utils.basic import AnsibleModule

from . import _journal, _session
from ._journal import Journal, JournalError, open_journal
from ._model import ChangeFailed, Unavailable
from ._session import BadCloud, Cloud, open_cloud

FAILURES = (BadCloud, ChangeFailed, JournalError, Unavailable)
Options = Mapping[str, Any]
Result = dict[str, Any]

# The option of commands that make a change of files take effect.
RESTARTS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "service": {"type": "str", "required": True},
        "command": {"type": "list", "elements": "str", "required": True},
        "unit": {"type": "str", "default": ""},
    },
}


def write(journal: Journal, texts: Mapping[str, str], restarts: Iterable[Mapping[str, Any]]) -> None:
    """Write files of a host, with what then has to be restarted in the journal before them."""
    for wish in {tuple(wish["command"]): wish for wish in restarts}.values():
        journal.restart(wish["command"], [wish["service"]])
    for path, text in texts.items():
        journal.write_file(path, text.encode("utf-8", "surrogateescape"))


def wishes(options: Options, required: bool = True) -> dict[str, Any]:
    """The option of a list of wishes, each of these options; the subject is that of the finding that it remedies.

    required: a module that has several such lists requires none of them.
    """
    subject = {"subject": {"type": "str", "default": ""}}
    default: dict[str, Any] = {} if required else {"default": []}
    return {"type": "list", "elements": "dict", "required": required, **default, "options": {**options, **subject}}


def change_host(apply: Callable[[Journal, Options, bool], Result], options: Options) -> None:
    """Be a module that changes its host.

    apply: (journal, parameters, check mode) -> result; one of FAILURES, whose sentence is the module's message, where it
    cannot.
    """
    _change(functools.partial(_journalled, apply), options)


def change_cloud(apply: Callable[[Cloud, Journal, Options, bool], Result], options: Options) -> None:
    """Be a module that changes a cloud through its APIs; as change_host, with the cloud first."""

    def connected(params: Options, check_mode: bool) -> Result:
        return _journalled(functools.partial(apply, open_cloud(params, writable=not check_mode)), params, check_mode)

    _change(connected, {**_session.ARGUMENTS, **options})


def _journalled(apply: Callable[[Journal, Options, bool], Result], params: Options, check_mode: bool) -> Result:
    journal = open_journal(params)
    return {"run_id": journal.run_id, **apply(journal, params, check_mode)}


def _change(work: Callable[[Options, bool], Result], options: Options) -> None:
    module = AnsibleModule(argument_spec={**_journal.ARGUMENTS, **options}, supports_check_mode=True)
    try:
        result = work(module.params, module.check_mode)
    except FAILURES as failure:
        module.fail_json(msg=str(failure), **getattr(failure, "done", {}))
    module.exit_json(**result)


def difference(title: str, before: str, after: str) -> dict[str, str]:
    """One entry of a result's diff: what is there, and what would be."""
    return {"before_header": title, "after_header": title, "before": before, "after": after}


def lines(values: Union[Mapping[str, Any], Iterable[str]]) -> str:
    """Each value on a line of its own; of a mapping as name=value, by name, less what is None."""
    if isinstance(values, Mapping):
        values = [f"{name}={value}" for name, value in sorted(values.items()) if value is not None]
    return "".join(f"{value}\n" for value in values)
