# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `engine` is a Docker engine, `user` somebody who is logged in and may use it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from command import BINARY
from engine import SOURCE, Engine, User, missing
from page import PAGE, Terminal, blocks, follow

UID = 1234  # not the one that the image has a name for
LEFT_OUT = shutil.ignore_patterns("build*", ".git", ".venv", "__pycache__", "node_modules")


@pytest.fixture(scope="session")
def engine(service_process):
    if reason := missing():
        pytest.skip(reason)
    engine = Engine(UID)
    try:
        engine.wait()
        engine.make_base()
        engine.connect(int(service_process.tls_url.rpartition(":")[2]))
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def user(engine, service_process):
    """A home with a checkout, and the command installed below ~/.local."""
    with tempfile.TemporaryDirectory(prefix="q-user.") as home:
        Path(home).chmod(0o755)
        user = User(engine, Path(home), UID)
        user.env["Q_ENDPOINT_URL"] = user.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service_process.url
        shutil.copytree(SOURCE, user.home / "checkout", ignore=LEFT_OUT)
        for name in (".env", "data.sqlite3", "core/data.sqlite3", "docs/token"):
            (user.home / "checkout" / name).write_text("SECRET=beside-the-sources\n")
        company = user.home / "company"
        company.mkdir()
        shutil.copy(service_process.ca, company / "company-ca.crt")
        build = BINARY.parent.parent
        command = ["cmake", "--install", build, "--prefix", user.home / ".local"]
        subprocess.run(command, check=True, capture_output=True)
        user.own(user.home)
        yield user


@pytest.fixture(scope="session")
def terminal(user):
    """Where the user types, in the checkout."""
    terminal = Terminal(user.home, user.home / "checkout", user.env, user.prefix())
    yield terminal
    terminal.close()


@pytest.fixture(scope="session")
def image(user, terminal):
    """The image, made as the guide says."""
    for block in blocks(PAGE):
        if block.section == "Build the image":
            follow(block, user, terminal)


@pytest.fixture(scope="session")
def log_in(user, service_process):
    """A function that gives the user a login that lasts for so many seconds."""

    def log_in(expires_in):
        service_process.seed(user.db, expires_in=expires_in)
        user.own(user.home / ".local/share")

    return log_in
