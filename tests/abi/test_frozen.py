# SPDX-License-Identifier: Apache-2.0
"""What was compiled with headers that were published earlier works with the library of today.

Plugins that read older hosts are test_abi_host_N (CMakeLists.txt); here today's command loads older
plugins, and an older program runs with today's library.
"""
import os
import pathlib
import subprocess

import pytest
from qservice.client import Service
from terminal import blocks

ROOT = pathlib.Path(os.environ["AQ_SOURCE_DIR"])
BIN = pathlib.Path(os.environ["AQ_TEST_BIN"])
LIBRARY = pathlib.Path(os.environ["AQ_TEST_LIB"])
SANITIZED = os.environ["AQ_TEST_SANITIZED"] == "1"
FROZEN = sorted((ROOT / "tests/abi/frozen").glob("minor-*"))
SANITIZERS = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
              if name in os.environ}


def compile_c(source, output, headers, *flags):
    subprocess.run([os.environ.get("CC", "cc"), "-Wall", "-Werror", f"-I{headers}", "-o", output, "-x", "c",
                    "-", "-x", "none", *flags], input=source, text=True, check=True)


def plugin(source, name, headers, folder):
    compile_c(source, folder / f"{name}.so", headers, "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,defs")


def run(*command, env):
    done = subprocess.run([str(part) for part in command], env=env, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service.start(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def login(service, tmp_path):
    """The environment of a user with a login and a directory of plugins, which is tmp_path."""
    service.seed(tmp_path / "amazon-q/data.sqlite3", expires_in=3600)
    return SANITIZERS | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "Q_ENDPOINT_URL": service.url,
                         "AWS_ENDPOINT_URL_SSO_OIDC": service.url, "Q_PLUGIN_PATH": str(tmp_path)}


@pytest.mark.parametrize("headers", FROZEN, ids=lambda path: path.name)
def test_a_store_of_every_minor_version_keeps_a_login_and_sees_it_refreshed(headers, login, tmp_path):
    source = (ROOT / "examples/plugin-out-of-tree/store_book.c").read_text(encoding="utf-8")
    plugin(source, "store-book", headers, tmp_path)
    login["Q_STORE_BOOK_DIRECTORY"] = str(tmp_path / "book")
    run(BIN, "user", "migrate", "--from", "sqlite", "--to", "book", "--purge", env=login)
    export = (BIN, "user", "export-token", "--store", "book", "--format", "token", "--quiet")
    first = run(*export, env=login)
    second = run(*export, "--force-refresh", env=login)
    assert first != second
    assert run(*export, env=login) == second


@pytest.mark.parametrize("headers", FROZEN, ids=lambda path: path.name)
def test_a_transport_of_every_minor_version_carries_an_answer(headers, login, tmp_path):
    page = [block for block in blocks(ROOT / "docs/writing-a-transport.md") if "file" in block.marks]
    texts = {name: "".join(block.text for block in page if block.marks["file"] == name)
             for name in ("transport_replay.c", "answer.py")}
    plugin(texts["transport_replay.c"], "transport-replay", headers, tmp_path)
    answer = subprocess.run(["python3", "-c", texts["answer.py"]], check=True, capture_output=True).stdout
    (tmp_path / "answer").write_bytes(answer)
    login["Q_TRANSPORT_REPLAY_ANSWER"] = str(tmp_path / "answer")
    shown = run(BIN, "chat", "--no-interactive", "--transport", "replay", "hi", env=login)
    assert shown == "It carries bytes.\n"


@pytest.mark.skipif(SANITIZED, reason="a program outside this tree is not instrumented")
@pytest.mark.parametrize("headers", FROZEN, ids=lambda path: path.name)
def test_a_program_of_every_minor_version_exports_a_token_and_streams_an_answer(headers, service, login,
                                                                                tmp_path):
    service.settings(answer={"text": "An answer."})
    source = (ROOT / "examples/export_and_ask.c").read_text(encoding="utf-8")
    compile_c(source, tmp_path / "program", headers, LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}")
    token, answer = run(tmp_path / "program", "hi", env=login).split("\n", 1)
    assert token.startswith("aoa")
    assert answer == "An answer.\n"
