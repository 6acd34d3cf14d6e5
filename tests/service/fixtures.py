# SPDX-License-Identifier: Apache-2.0
"""Pytest fixtures for every test that needs the stand-in service.

In a conftest.py elsewhere::

    sys.path.insert(0, ".../tests/service")
    from fixtures import service, service_process  # noqa: F401
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from qservice.client import Service  # noqa: E402


@pytest.fixture(scope="session")
def service_process():
    """One service for the whole run; it ends with the run, however that ends."""
    with Service.start() as service:
        yield service


@pytest.fixture
def service(service_process):
    """The service without counters, faults, settings or logins of an earlier test."""
    service_process.reset(logins=True)
    yield service_process
    service_process.reset(logins=True)
