# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the stand-in service, a token it accepts, and clients that talk to it.

The library is the one in AQ_LIBRARY_DIR (scripts/check sets it to the build), or else that of the installed
package. Tests with `anyio` in their marks run in asyncio and in trio.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests" / "service"))

from fixtures import service, service_process  # noqa: E402, F401

import amazon_q_streaming_client  # noqa: E402
from amazon_q_streaming_client import QStreamingClient, SyncQStreamingClient  # noqa: E402
from watch import Watch  # noqa: E402


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: Any) -> str:
    """Both event loops."""
    return str(request.param)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no setting from outside."""
    for name in list(os.environ):
        if name.startswith(("Q_", "AWS_", "SSL_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    package = Path(amazon_q_streaming_client.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", str(package))  # for programs that tests start
    return folder


@pytest.fixture(autouse=True)
def leaks(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No test leaves a secret in the log, in an exception or in a file other than the database."""
    watch = Watch(monkeypatch)
    yield watch
    watch.end(home)


@pytest.fixture
def endpoints(service: Any, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    """The stand-in is where a user's settings say the services are."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO_OIDC", service.url)
    monkeypatch.setenv("Q_ENDPOINT_URL", service.url)
    return service


@pytest.fixture
def database(endpoints: Any, home: Path) -> Path:
    """The existing CLI's database, with a login that is valid for an hour."""
    path = home / "data" / "amazon-q" / "data.sqlite3"
    endpoints.seed(path)
    return path


@pytest.fixture
def token(endpoints: Any) -> str:
    """An access token that the service accepts."""
    return str(endpoints.control("login", expires_in=3600)["access_token"])


@pytest.fixture
def client(endpoints: Any, token: str) -> QStreamingClient:
    """To be used in `async with`, or for one test."""
    return QStreamingClient(token)


@pytest.fixture
def sync_client(endpoints: Any, token: str) -> Any:
    with SyncQStreamingClient(token) as sync:
        yield sync


def open_descriptors() -> list[str]:
    """What they lead to. A database's stays until the process ends: closing one drops every lock of the
    process on that file, also those that other libraries hold (docs/adr/0007-private-sqlite.md)."""
    paths = []
    for name in os.listdir("/proc/self/fd"):
        try:
            paths.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            pass  # that of the listing itself
    return sorted(path for path in paths if not path.endswith("data.sqlite3"))


@pytest.fixture(scope="session")
def settled() -> None:
    """What was there before is not looked through at each collection: that takes longer than a test."""
    import hypothesis  # noqa: F401 - asks the collector who refers to trio's generator of random numbers

    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_left(settled: None) -> Any:
    """What a test opens is closed when it ends: descriptors, and threads of ours."""
    gc.collect()
    before = open_descriptors()
    yield
    gc.collect()
    assert open_descriptors() == before
    assert not [t for t in threading.enumerate() if t.name.startswith("amazon-q")]
