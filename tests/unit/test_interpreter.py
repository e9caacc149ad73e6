# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a program that failed: the class of what it raised, and nothing of a message that may hold a password."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _interpreter
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.texts import FEW

# As nova 26 ends where no database answers (SQLAlchemy 1.4): the message takes two lines.
DATABASE = b"""Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/pymysql/connections.py", line 663, in connect
    raise exc
pymysql.err.OperationalError: (2003, "Can't connect to MySQL server on '127.0.0.1' ([Errno 111] ECONNREFUSED)")

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "<string>", line 7, in <module>
oslo_db.exception.DBConnectionError: (pymysql.err.OperationalError) (2003, "Can't connect to MySQL server on '127.0.0.1'")
(Background on this error at: https://sqlalche.me/e/14/e3q8)
"""


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (DATABASE, "oslo_db.exception.DBConnectionError"),
        (b"Traceback (most recent call last):\n  File x\nKeyboardInterrupt\n", "KeyboardInterrupt"),
        (b"  File \"<string>\", line 1\n    a b\nSyntaxError: invalid syntax\n", "SyntaxError"),
        (b"Error: no such container\n", "Error"),
        (b"the password is hunter2: no\n", ""),
        (b"Traceback (most recent call last):\n  File x\n", ""),
        (b"", ""),
    ],
)  # fmt: skip
def test_the_class_of_the_last_traceback_is_named(said: bytes, name: str) -> None:
    assert _interpreter.exception_name(said) == name


@FEW
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60).map(lambda text: text + "\nhunter2: x\nhunter2"))
def test_no_message_of_python_is_repeated(message: str) -> None:
    program = "import sys\nraise KeyError(sys.argv[1]) if len(sys.argv[1]) % 2 else RuntimeError(sys.argv[1])"
    argument = message.replace("\0", "")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, argument], capture_output=True, check=False)
    assert _interpreter.exception_name(done.stderr) == ("KeyError" if len(argument) % 2 else "RuntimeError")
