# SPDX-License-Identifier: Apache-2.0
"""The installed tree, as a stranger uses it: moved, built against with both tools, extended."""
import os
import pathlib
import re
import shutil
import tempfile

import pytest
from installed import BUILD, CMAKE, SOURCE, TOOLS, attempt, run

def build_with_find_package(prefix, libdir, folder):
    run(CMAKE, "-S", SOURCE / "examples", "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix}", env=TOOLS)
    run(CMAKE, "--build", folder, env=TOOLS)
    return folder / "export_and_ask"


def build_with_make(prefix, libdir, folder):
    folder.mkdir()
    run("make", "-C", SOURCE / "examples", f"BUILD={folder}",
        env=TOOLS | {"PKG_CONFIG_PATH": str(libdir / "pkgconfig")})
    return folder / "export_and_ask"


def build_with_make_and_the_path_behind_it(prefix, libdir, folder):
    """GNU make before 4.4 keeps such variables from $(shell)."""
    folder.mkdir()
    run("make", "-C", SOURCE / "examples", f"BUILD={folder}", f"PKG_CONFIG_PATH={libdir}/pkgconfig",
        env=TOOLS)
    return folder / "export_and_ask"


@pytest.mark.parametrize("name", ["q", "amazonq"])
def test_the_command_runs_from_a_moved_prefix_without_environment(prefix, name):
    assert re.search(r"\b\d+\.\d+\.\d+\b", run(prefix / "bin" / name, "version"))


def install_command(prefix, destdir=None):
    """Install what the command needs to run; what CMake has to say on its standard error."""
    env = TOOLS | ({"DESTDIR": str(destdir)} if destdir else {})
    said = attempt(CMAKE, "--install", BUILD, "--prefix", prefix, "--component", "runtime", env=env)
    return " ".join(said.stderr.split())


def manifest():
    """What `xargs rm` is given to uninstall."""
    return (BUILD / "install_manifest_runtime.txt").read_text(encoding="utf-8").split()


def test_q_is_a_link_to_amazonq_also_when_installed_again(tmp_path):
    for _ in range(2):
        assert install_command(tmp_path) == ""
        assert os.readlink(tmp_path / "bin/q") == "amazonq"
        assert not (tmp_path / "bin/amazonq").is_symlink()
        assert f"{tmp_path}/bin/q" in manifest()


@pytest.mark.parametrize("kind", ["program", "link", "broken link", "link to another amazonq"])
def test_the_q_of_another_program_is_kept_and_a_warning_says_so(tmp_path, kind):
    theirs = tmp_path / "bin/q"
    theirs.parent.mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/amazonq").write_text("theirs", encoding="utf-8")
    if kind == "program":
        theirs.write_text("theirs", encoding="utf-8")
    else:
        theirs.symlink_to({"link": "/bin/sh", "broken link": "nowhere"}.get(kind, "../other/amazonq"))
    before = (theirs.is_symlink() and os.readlink(theirs), theirs.exists() and theirs.read_bytes())
    warning = install_command(tmp_path)
    assert "CMake Warning" in warning and f"kept {theirs}" in warning
    assert "run this one as amazonq" in warning
    assert before == (theirs.is_symlink() and os.readlink(theirs),
                      theirs.exists() and theirs.read_bytes())
    assert f"{theirs}" not in manifest()
    assert re.search(r"\d+\.\d+\.\d+", run(tmp_path / "bin/amazonq", "version"))


def test_another_program_s_q_is_looked_for_below_destdir(tmp_path):
    prefix, destdir = tmp_path / "prefix", tmp_path / "destdir"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/q").write_text("theirs", encoding="utf-8")
    staged = pathlib.Path(f"{destdir}{prefix}/bin/q")
    assert install_command(prefix, destdir) == ""
    assert os.readlink(staged) == "amazonq"
    staged.unlink()
    staged.symlink_to(prefix / "bin/amazonq")  # ours, written as it will be
    assert install_command(prefix, destdir) == ""
    staged.unlink()
    staged.write_text("theirs", encoding="utf-8")
    assert f"kept {staged}" in install_command(prefix, destdir)
    assert staged.read_text(encoding="utf-8") == "theirs"
    assert (prefix / "bin/q").read_text(encoding="utf-8") == "theirs"


def test_packagers_can_leave_the_name_q_out(tmp_path):
    """Configured alone, as it is the install script that counts and not what it installs."""
    run(CMAKE, "-S", SOURCE, "-B", tmp_path / "b", "-DAQ_INSTALL_Q=OFF", "-DAQ_TESTS=OFF", env=TOOLS)
    script = (tmp_path / "b/cli/cmake_install.cmake").read_text(encoding="utf-8")
    assert "/amazonq" in script and "install_q" not in script
    usual = (BUILD / "cli/cmake_install.cmake").read_text(encoding="utf-8")
    assert "install_q.cmake" in usual


@pytest.mark.parametrize("build", [build_with_find_package, build_with_make,
                                   build_with_make_and_the_path_behind_it])
def test_the_example_builds_and_exports_a_token_and_streams_an_answer(build, prefix, libdir, login,
                                                                      service, tmp_path):
    service.settings(answer={"text": "A place for a login.", "reasoning": "not for the reader"})
    program = build(prefix, libdir, tmp_path / "example")
    token, answer = run(program, "What is a store?", env=login).split("\n", 1)
    exported = run(prefix / "bin/q", "user", "export-token", "--format", "token", "--quiet", env=login)
    assert token == exported.strip()
    assert answer == "A place for a login.\n"


def test_the_example_is_under_forty_lines():
    lines = (SOURCE / "examples/export_and_ask.c").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40


def test_every_public_header_is_installed_and_nothing_else(prefix):
    written = {path.name.removesuffix(".in") for path in (SOURCE / "core/include/amazonq").iterdir()}
    assert {path.name for path in (prefix / "include/amazonq").iterdir()} == written


def test_no_installed_file_names_the_tree_it_was_built_from(prefix):
    for path in prefix.rglob("*"):
        if path.suffix in (".cmake", ".pc", ".h", ".map"):
            text = path.read_text(encoding="utf-8")
            assert str(BUILD) not in text and f"{SOURCE}/" not in text, path


def test_programs_and_libraries_find_each_other_by_relative_paths(prefix, libdir):
    binaries = [prefix / "bin/q", *libdir.glob("libamazonq.so.*"),
                *libdir.glob("amazonq/plugins/*.so")]
    for binary in binaries:
        dynamic = run("readelf", "-d", binary, env=TOOLS)
        for found in re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", dynamic):
            assert found.startswith("$ORIGIN"), binary


def test_the_runtime_component_has_no_headers_and_the_development_one_no_command(tmp_path):
    for component in ("runtime", "development"):
        run(CMAKE, "--install", BUILD, "--prefix", tmp_path / component, "--component", component,
            env=TOOLS)
    runtime = {path.name for path in (tmp_path / "runtime").rglob("*")}
    development = {path.name for path in (tmp_path / "development").rglob("*")}
    assert {"q", "amazonq"} <= runtime and "amazonq.h" not in runtime
    assert {"amazonq.h", "amazonq.pc", "amazonqConfig.cmake"} <= development
    assert "q" not in development and not any(name.endswith(".so") and name.startswith("store-")
                                              for name in development)
    assert not any(name.startswith("store-") for name in runtime)


def test_systemd_accepts_the_units_of_the_broker_and_they_name_the_installed_command(tmp_path):
    prefix = tmp_path / "prefix"
    run(CMAKE, "--install", BUILD, "--prefix", prefix, "--component", "runtime", env=TOOLS)
    units = sorted((prefix / "lib/systemd/user").iterdir())
    assert [unit.name for unit in units] == ["amazonq-broker.service", "amazonq-broker.socket"]
    assert f"ExecStart={prefix}/bin/amazonq broker\n" in units[0].read_text()
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    # it wants the directory of a session, which there need not be; a socket's path must be short
    with tempfile.TemporaryDirectory(prefix="q-run.") as runtime:
        env = {**TOOLS, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": runtime}
        said = attempt("systemd-analyze", "verify", "--man=no", "--user", *units, env=env)
    assert "amazonq" not in said.stderr, said.stderr


def test_the_units_of_a_packager_name_the_prefix_without_destdir(tmp_path):
    env = {**TOOLS, "DESTDIR": str(tmp_path)}
    run(CMAKE, "--install", BUILD, "--prefix", "/usr", "--component", "runtime", env=env)
    unit = (tmp_path / "usr/lib/systemd/user/amazonq-broker.service").read_text()
    assert "ExecStart=/usr/bin/amazonq broker\n" in unit


def test_a_program_for_another_minor_version_does_not_find_this_one(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(x LANGUAGES C)\n"
        "find_package(amazonq 0.0 QUIET)\nif(amazonq_FOUND)\nmessage(FATAL_ERROR found)\nendif()\n",
        encoding="utf-8")
    run(CMAKE, "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}", env=TOOLS)
    shutil.rmtree(tmp_path / "b")
