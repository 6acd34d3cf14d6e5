# SPDX-License-Identifier: Apache-2.0
"""What a store may need around it: a place, a broker, a desktop session, the stand-in service."""

import json
import sys
import tempfile
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS / "keyring"), str(TESTS / "service")]

import session  # noqa: E402
from broker import Broker  # noqa: E402
from command import new_command  # noqa: E402
from fixtures import service, service_process  # noqa: E402, F401
from suite import PLUGINS  # noqa: E402


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="q-check.") as path:
        yield path


@pytest.fixture
def token():
    """As somebody else keeps it fresh: a JSON text."""
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return json.dumps({"access_token": "aoaInFile", "expires_at": end})


@pytest.fixture
def broker(token):
    """A broker that hands out this token."""
    with new_command("q-check.") as q:
        file = q.home / "token"
        file.write_text(token)
        q.asked.append(file)
        q.env["Q_TOKEN_FILE"] = str(file)
        broker = Broker(q).start()
        yield broker
        broker.end()


@pytest.fixture
def desktop(place):
    """A session with an open keyring."""
    if session.missing():
        pytest.skip(f"{session.missing()} is not installed")
    if not (PLUGINS / "store-keyring.so").exists():
        pytest.skip("store-keyring is not built")
    with session.Session(place) as desktop:
        desktop.start_keyring()
        yield desktop
