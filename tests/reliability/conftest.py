# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `new_home` makes homes whose command talks to the stand-in; `online` is one."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS / "service")]

from command import new_command  # noqa: E402
from fixtures import service, service_process  # noqa: E402, F401
from harness import connect  # noqa: E402


@pytest.fixture
def new_home(service):  # noqa: F811
    """A function that gives the command in an empty home of its own."""
    with ExitStack() as stack:

        def make():
            return connect(stack.enter_context(new_command("q-reliable.")), service)

        yield make


@pytest.fixture
def online(new_home):
    return new_home()
