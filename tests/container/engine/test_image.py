# SPDX-License-Identifier: Apache-2.0
"""The image: what is in it, as whom it runs, and how it ends."""

import os
import re

import pytest
from command import BINARY

MARKER = "SECRET=beside-the-sources"
CHAT = ("q", "chat", "--no-interactive", "hi")


@pytest.fixture
def docker(user, image):
    """A function that runs a command of docker's client as the user; the first must succeed."""

    def docker(*args, check=True):
        done = user.run("docker", *args)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    return docker


@pytest.fixture
def mount(user, log_in):
    """The option that mounts the directory of a login."""
    log_in(expires_in=3600)
    return f"--volume={user.db.parent}:/home/q/.local/share/amazon-q"


def test_it_is_small_and_has_what_it_needs_to_run(docker, capsys):
    size = int(docker("image", "inspect", "--format={{.Size}}", "amazonq").stdout)
    base = int(docker("image", "inspect", "--format={{.Size}}", "debian:bookworm-slim").stdout)
    with capsys.disabled():
        print(f"\nimage: {size / 1e6:.0f} MB, of Debian {base / 1e6:.0f} MB")
    files = "/usr/local/bin/amazonq /usr/local/lib/libamazonq.so /usr/local/lib/amazonq/plugins/*"
    linked = docker("run", "--rm", "amazonq", "sh", "-c", f"ldd {files}").stdout
    assert "libamazonq.so" in linked and "not found" not in linked
    tools = docker("run", "--rm", "amazonq", "sh", "-c", "command -v cc cmake ninja", check=False)
    assert tools.stdout == ""


def test_it_has_every_plugin(docker):
    """But for a desktop's keyring. A library that the Dockerfile forgets leaves its plugin out."""
    built = os.listdir(BINARY.parents[1] / "lib/amazonq/plugins")
    found = docker("run", "--rm", "amazonq", "ls", "/usr/local/lib/amazonq/plugins").stdout.split()
    assert set(built) - {"store-keyring.so"} <= set(found)


def test_what_lies_beside_the_sources_does_not_get_into_it(docker, user):
    """The checkout it was built from has this in a few places (conftest.py)."""
    search = ("grep", "-rlF", MARKER, "--exclude-dir=proc", "--exclude-dir=sys", "/")
    there = docker("run", "--rm", "--user=root", "amazonq", *search, check=False)
    assert (there.returncode, there.stdout) == (1, ""), "1: it was nowhere"
    assert MARKER not in docker("history", "--no-trunc", "amazonq").stdout


def test_it_runs_as_nobody_special(docker):
    said = docker("run", "--rm", "amazonq", "sh", "-c", "id -un; pwd; echo $HOME").stdout
    assert said.split() == ["q", "/home/q", "/home/q"]


@pytest.mark.parametrize("user_option", ["1000", "4242", "4242:17", "root"])
def test_any_user_finds_its_way(docker, user_option):
    option = f"--user={user_option}"
    assert docker("run", "--rm", option, "amazonq", "q", "--version").stdout.startswith("q ")
    whoami = docker("run", "--rm", option, "amazonq", "q", "whoami", check=False)
    assert (whoami.returncode, whoami.stdout) == (4, "Not logged in\n")


@pytest.mark.parametrize(
    "options, code, message",
    [
        (["--volume={home}/absent:/home/q/.local/share/amazon-q"], 4, "login: none in /home/q"),
        (["--volume={home}/no/file:/home/q/.local/share/amazon-q/data.sqlite3"], 3, "a directory"),
        (["--env=Q_STORE=broker"], 3, "nobody listens on /run/amazonq-broker/broker.sock"),
        (["--env=Q_TOKEN_FILE=/run/secrets/token"], 3, "there is no such file"),
    ],
)
def test_what_is_missing_is_named(docker, user, options, code, message):
    options = [option.format(home=user.home) for option in options]
    done = docker("run", "--rm", *options, "amazonq", "q", "chat", "hi", check=False)
    assert done.returncode == code
    assert message in done.stderr


def test_without_a_command_it_says_what_it_can_do(docker):
    assert docker("run", "--rm", "amazonq").stdout.startswith("Usage: q ")


def test_a_program_that_is_the_first_of_its_container_stops_when_it_is_told_to(
    docker, user, mount, service_process
):
    service_process.fault("GenerateAssistantResponse", hold="before")
    run = ("run", "--detach", f"--user={user.uid}", mount, "amazonq", *CHAT)
    container = docker(*run).stdout.strip()
    service_process.wait("GenerateAssistantResponse", held=1)
    docker("stop", "--time=60", container)
    assert docker("wait", container).stdout.strip() == "143"
    service_process.release()
    docker("rm", container)


def test_a_new_login_of_the_host_counts_at_once_in_a_container_that_runs(
    docker, user, mount, log_in
):
    run = ("run", "--detach", f"--user={user.uid}", mount, "amazonq", "sleep", "infinity")
    container = docker(*run).stdout.strip()
    export = ("exec", container, "q", "user", "export-token", "--format=token", "--quiet")
    first = docker(*export).stdout
    log_in(expires_in=3600)
    second = docker(*export).stdout
    docker("rm", "--force", container)
    assert first != second
    assert re.fullmatch(r"ao\S+\n", second)
