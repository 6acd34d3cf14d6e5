# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `new_home` makes homes whose command talks to the stand-in; `online` is one."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS / "service")]

from fixtures import service, service_process  # noqa: E402, F401
from harness import new_command  # noqa: E402


@pytest.fixture
def new_home(service):  # noqa: F811
    """A function that gives the command in an empty home of its own."""
    with ExitStack() as stack:

        def make():
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="q-reliable."))
            return new_command(Path(home), service)

        yield make


@pytest.fixture
def online(new_home):
    return new_home()
