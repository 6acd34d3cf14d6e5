# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `q` runs the built command in a home that other users may look into."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS / "service")]

from command import new_command  # noqa: E402
from fixtures import service, service_process  # noqa: E402, F401


@pytest.fixture
def q():
    with new_command("q-host.") as q:
        q.home.chmod(0o755)
        yield q
