# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `prefix` is an installed copy, `login` the environment of a user who is logged in."""
import pytest
from installed import BUILD, CMAKE, TOOLS, run
from qservice.client import Service


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """An installed copy that was moved to another place afterwards."""
    first = tmp_path_factory.mktemp("installed") / "first"
    run(CMAKE, "--install", BUILD, "--prefix", first, env=TOOLS)
    return first.rename(first.with_name("moved"))


@pytest.fixture(scope="session")
def libdir(prefix):
    return next(prefix.rglob("libamazonq.so")).parent


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    with Service.start(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def login(service, tmp_path):
    """The environment of a user who is logged in with the stand-in service."""
    service.seed(tmp_path / "amazon-q/data.sqlite3", expires_in=3600)
    return {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "Q_ENDPOINT_URL": service.url,
            "AWS_ENDPOINT_URL_SSO_OIDC": service.url}
