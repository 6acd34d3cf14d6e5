# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `q` runs the built command in a home of its own, `service` is the stand-in."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "service"), str(TESTS / "reliability")]

from broker import Broker  # noqa: E402
from command import new_command  # noqa: E402
from fixtures import service, service_process  # noqa: E402, F401
from key_givers import signed  # noqa: E402, F401
from sso_cache import SsoCache  # noqa: E402


@pytest.fixture
def q():
    """The command, in an empty home; nothing it could talk to."""
    with new_command("q-cli.") as q:
        yield q


@pytest.fixture
def online(q, service):  # noqa: F811
    """The command with the stand-in service for its endpoints; nobody is logged in."""
    q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.url
    q.env["Q_SOCIAL_ENDPOINT_URL"] = service.url
    q.env["Q_ENDPOINT_URL"] = service.url
    return q


@pytest.fixture
def login(online, service):  # noqa: F811
    """A login of the existing CLI, valid for an hour."""
    return service.seed(online.db)


@pytest.fixture
def cache(online, service):  # noqa: F811
    """Where other programs keep logins; there are none yet."""
    return SsoCache(online, service)


@pytest.fixture
def broker(online):
    """A broker, not started yet; it ends with the test."""
    made = Broker(online)
    yield made
    made.end()


@pytest.fixture
def running(broker, service):  # noqa: F811
    """A broker that serves a login which is valid for an hour."""
    service.seed(broker.command.db)
    return broker.start()
