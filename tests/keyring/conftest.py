# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `session` is a desktop session with an unlocked keyring, `q` the command in it."""

import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "service"), str(TESTS / "cli")]

import session as session_module  # noqa: E402
from command import Command  # noqa: E402
from fixtures import service, service_process  # noqa: E402, F401
from stored import PROFILE_KEY, REGISTRATION_KEY, TOKEN_KEY, in_database  # noqa: E402

KEYRING = ("--store", "keyring")


@pytest.fixture
def home():
    lacking = session_module.missing()
    if lacking:
        pytest.skip(f"{lacking} is not installed")
    with tempfile.TemporaryDirectory(prefix="q-keyring.") as path:
        yield Path(path)


@pytest.fixture
def session(home):
    with session_module.Session(home) as session:
        session.start_keyring()
        yield session


def command_in(session, service):
    """The command as a program of the session, with the stand-in for its endpoints."""
    q = Command(session.home)
    q.env.update(session.env)
    q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.url
    q.env["Q_ENDPOINT_URL"] = service.url
    return q


@pytest.fixture
def q(session, service):  # noqa: F811
    return command_in(session, service)


@pytest.fixture
def login(q, service):  # noqa: F811
    """A login in the keyring alone, valid for an hour, with a member that nobody knows."""
    return put_login(q, service)


def put_login(q, service, **options):  # noqa: F811
    seeded = service.seed(q.db, unknown_member=True, **options)
    moved = q.run("user", "migrate", "--from", "sqlite", "--to", "keyring", "--purge")
    assert moved.code == 0, moved
    return seeded


@pytest.fixture
def seeded(q, service):  # noqa: F811
    """A login of an organisation in the database: three rows."""
    profile = "arn:aws:codewhisperer:us-east-1:123456789012:profile/EXAMPLE"
    service.seed(q.db, unknown_member=True, profile=profile)
    rows = in_database(q)
    assert set(rows) == {TOKEN_KEY, REGISTRATION_KEY, PROFILE_KEY}
    return rows
