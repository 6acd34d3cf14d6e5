# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `service` is the stand-in, `new_host` makes a host whose user is logged in with it."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / part) for part in ("service", "cli", "reliability", "pages")]

from fixtures import service, service_process  # noqa: E402, F401
from ways import Host  # noqa: E402


@pytest.fixture
def new_host(service):  # noqa: F811
    """A function that gives a host with a login that lasts for so many seconds."""
    with ExitStack() as stack:

        def make(expires_in):
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="q-host."))
            host = Host(service, Path(home), expires_in)
            stack.callback(host.leave)
            return host

        yield make
