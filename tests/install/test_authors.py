# SPDX-License-Identifier: Apache-2.0
"""Plugins of other authors, built against a copy that was moved after it was installed, and used."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from installed import BUILD, CMAKE, SOURCE, TOOLS, run

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = SOURCE / "examples"


@pytest.fixture
def own_prefix(tmp_path):
    """An installed copy that a test may add plugins to, moved after it was installed."""
    run(CMAKE, "--install", BUILD, "--prefix", tmp_path / "first", env=TOOLS)
    return (tmp_path / "first").rename(tmp_path / "moved")


def build(prefix, source, folder, *options):
    run(CMAKE, "-S", source, "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix}", *options, env=TOOLS)
    run(CMAKE, "--build", folder, env=TOOLS)


def export(prefix, store, env):
    return run(prefix / "bin/q", "user", "export-token", "--store", store, "--format", "token",
               "--quiet", env=env).strip()


def exported_symbols(path):
    symbols = run("nm", "-D", "--defined-only", path, env=TOOLS)
    return [line.split()[-1] for line in symbols.splitlines()]


def test_a_plugin_that_was_installed_into_a_moved_prefix_is_found_by_its_name(own_prefix, login,
                                                                             tmp_path):
    build(own_prefix, EXAMPLES / "plugin-out-of-tree", tmp_path / "b")
    run(CMAKE, "--install", tmp_path / "b", env=TOOLS)
    login["Q_STORE_BOOK_DIRECTORY"] = str(tmp_path / "book")
    run(own_prefix / "bin/q", "user", "migrate", "--from", "sqlite", "--to", "book", env=login)
    moved = export(own_prefix, "book", login)
    assert moved == export(own_prefix, "sqlite", login)
    assert (tmp_path / "book").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "book/book").stat().st_mode & 0o777 == 0o600


def test_a_plugin_is_found_in_a_directory_of_the_user(prefix, login, tmp_path):
    build(prefix, EXAMPLES / "plugin-out-of-tree", tmp_path / "b")
    login |= {"Q_PLUGIN_PATH": str(tmp_path / "b"), "Q_STORE_BOOK_DIRECTORY": str(tmp_path / "book")}
    run(prefix / "bin/q", "user", "migrate", "--from", "sqlite", "--to", "book", env=login)
    assert export(prefix, "book", login) == export(prefix, "sqlite", login)
    assert exported_symbols(tmp_path / "b/store-book.so") == ["aq_plugin_v1"]


def test_the_example_keeps_every_clause_of_the_conformance_suite(prefix, tmp_path):
    build(prefix, EXAMPLES / "plugin-out-of-tree", tmp_path / "b")
    report = run(prefix / "libexec/amazonq/check-plugin", tmp_path / "b/store-book.so", "--format", "json",
                 env={"HOME": str(tmp_path), **TOOLS})
    clauses = json.loads(report)["clauses"]
    assert {"store.commit.all-or-nothing", "store.kill", "store.full.file", "store.lock.death"} <= {
        clause["id"] for clause in clauses if clause["result"] == "ok"}


@pytest.mark.parametrize("page", ["writing-a-store.md", "writing-a-transport.md"])
def test_the_guides_are_installed_with_the_pages_and_examples_that_they_name(prefix, page):
    guide = prefix / "share/doc/amazonq/docs" / page
    named = re.findall(r"\]\(((?:\.\./examples/)?[^/():#]+)(?:#[^)]*)?\)", guide.read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (guide.parent / name).exists()] == []


@pytest.mark.skipif(not shutil.which("c++"), reason="needs c++")
def test_a_plugin_in_c_plus_plus_exports_its_entry_alone_and_hands_out_a_token(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(store-cxx LANGUAGES CXX)\n"
        "set(CMAKE_CXX_STANDARD 20)\nfind_package(amazonq REQUIRED)\n"
        f"aq_add_plugin(NAME store-cxx SOURCES {HERE}/store_cxx.cc)\n", encoding="utf-8")
    build(prefix, tmp_path, tmp_path / "b")
    assert exported_symbols(tmp_path / "b/store-cxx.so") == ["aq_plugin_v1"]
    assert export(prefix, tmp_path / "b/store-cxx.so", {"HOME": str(tmp_path)}) == "aoaFROMCXX"


RUSTC = next(filter(None, map(shutil.which, ("/usr/bin/rustc", "rustc"))), None)


@pytest.fixture(scope="module")
def store_command(libdir, tmp_path_factory):
    """The store in Rust, built as its Makefile says."""
    if not RUSTC:
        pytest.skip("needs rustc")
    folder = tmp_path_factory.mktemp("rust")
    env = {**os.environ, **TOOLS, "PKG_CONFIG_PATH": str(libdir / "pkgconfig")}
    run("make", "-C", EXAMPLES / "store-command", f"RUSTC={RUSTC}", f"BUILD={folder}", env=env)
    return folder / "store-command.so"


def ask(prefix, store, folder, script, timeout_s=60):
    """What q says when the command is this script."""
    settings = {"store.command.timeout_s": timeout_s}
    command = folder / "command"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o755)
    (folder / "amazon-q").mkdir()
    (folder / "amazon-q/settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return subprocess.run(
        [prefix / "bin/q", "user", "export-token", "--store", store, "--format", "token"], text=True,
        env={"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/bin:/bin",
             "Q_STORE_COMMAND": f"{command} amazonq/{{}}"}, capture_output=True, timeout=60)


TOKEN = '{"access_token":"aoaFROMRUST","expires_at":"2099-01-01T00:00:00Z"}'
FOUND = f"""case $1 in amazonq/codewhisperer:odic:token) echo '{TOKEN}' ;; *) exit 1 ;; esac"""


def test_a_store_in_rust_exports_its_entry_alone_and_hands_out_what_a_command_prints(prefix, store_command,
                                                                                     tmp_path):
    assert exported_symbols(store_command) == ["aq_plugin_v1"]
    assert ask(prefix, store_command, tmp_path, FOUND).stdout == "aoaFROMRUST\n"


@pytest.mark.parametrize("script, code, said", [
    ("exit 1", 4, "none in store 'command'"),
    ("exit 2", 3, "command: failed (exit status: 2), try it in a terminal"),
    ("exec sleep 30", 3, "command: took more than 1 s, try it in a terminal"),
    ("kill -9 $$", 3, "command: failed (signal: 9"),
    ("head -c 2000000 /dev/zero", 3, "command: printed more than a token"),
    ("echo nonsense", 3, "token"),
])
def test_a_command_that_has_no_token_is_an_error_that_says_why(prefix, store_command, tmp_path, script, code,
                                                               said):
    result = ask(prefix, store_command, tmp_path, script, timeout_s=1 if "sleep" in script else 60)
    assert said in result.stderr
    assert (result.returncode, result.stdout) == (code, "")


def test_a_token_of_a_command_that_has_expired_is_left_to_its_keeper(prefix, store_command, tmp_path):
    result = ask(prefix, store_command, tmp_path, FOUND.replace("2099", "2020"))
    assert "keeps the token, put a fresh one there" in result.stderr


def test_the_store_in_rust_keeps_every_clause_of_the_conformance_suite(prefix, store_command, tmp_path):
    command = tmp_path / "command"
    command.write_text(f"#!/bin/sh\n{FOUND}\n", encoding="utf-8")
    command.chmod(0o755)
    run(prefix / "libexec/amazonq/check-plugin", store_command, "--setting",
        f"command={command} amazonq/{{}}", "--setting", "timeout_s=60", env={"HOME": str(tmp_path), **TOOLS})


def test_pkg_config_names_the_plugin_directory_also_after_a_move(prefix, libdir):
    named = run("pkg-config", "--variable=plugindir", "amazonq",
                env=TOOLS | {"PKG_CONFIG_PATH": str(libdir / "pkgconfig")}).strip()
    assert pathlib.Path(named).resolve() == libdir / "amazonq/plugins"
    assert list((libdir / "amazonq/plugins").glob("store-*.so"))


def test_examples_are_installed_for_authors_who_have_no_source_tree(prefix):
    installed = prefix / "share/doc/amazonq/examples"
    for path in EXAMPLES.rglob("*.*"):
        assert (installed / path.relative_to(EXAMPLES)).read_bytes() == path.read_bytes()
