#!/usr/bin/python
# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of report, which is an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Show the report of a run, keep it, and hand it on
version_added: 0.1.0
description:
  - Shows what was found as a table, writes C(report.json) on the control node, and hands the report on as the statistic
    C(stackmend_report), which AWX keeps as an artifact and gives to the next job of a workflow.
extends_documentation_fragment:
  - stackmend.openstack.attributes
attributes:
  check_mode:
    support: full
    details: The report is written in check mode too; it is what the run is for.
  diff_mode:
    support: N/A
    details: Nothing but the report is written.
  idempotent:
    support: N/A
    details: Each run has a report of its own.
  platform:
    support: full
    platforms: posix
  action:
    description: It is an action plugin and runs on the control node alone.
    support: full
options:
  run_id:
    description: The run.
    type: str
    required: true
  mode:
    description: What kind of run it was.
    type: str
    required: true
    choices: [diagnose, check, remediate, rollback]
  started:
    description: When it began, as RFC 3339.
    type: str
    required: true
  findings:
    description: The findings.
    type: list
    elements: dict
    default: []
  unknown:
    description: The checks that could not be made.
    type: list
    elements: dict
    default: []
  checked:
    description: What was looked at.
    type: dict
    default: {hosts: 0, faults: 0, objects: {}}
  changed:
    description: How many targets were changed.
    type: int
    default: 0
  undone:
    description: What a rollback did.
    type: list
    elements: dict
  directory:
    description: Where C(report.json) is written.
    type: path
    required: true
author:
  - The Stackmend authors (@stackmend)
"""

EXAMPLES = r"""
- name: Tell what was found
  stackmend.openstack.report:
    run_id: 20261121T030000Z-4f9a2c
    mode: diagnose
    started: '2026-11-21T03:00:00.000Z'
    findings: "{{ found.findings }}"
    unknown: "{{ found.unknown }}"
    checked: "{{ found.checked }}"
    directory: /var/tmp/stackmend
"""

RETURN = r"""
path:
  description: The file that was written.
  returned: success
  type: str
summary:
  description: The report in a sentence.
  returned: success
  type: str
exit_status:
  description: The exit status that the command stackmend gives for it.
  returned: success
  type: int
"""
