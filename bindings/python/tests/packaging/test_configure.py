# SPDX-License-Identifier: Apache-2.0
"""A build that would make a package which cannot send a request stops, and says what to install."""

import subprocess
from pathlib import Path

import pytest
from pythons import run

pytestmark = pytest.mark.packaging


@pytest.fixture
def without_curl(tmp_path, monkeypatch):
    """pkg-config knows all that it knew, but for libcurl."""
    folder = tmp_path / "pkgconfig"
    folder.mkdir()
    known = run("pkg-config", "--variable=pc_path", "pkg-config", cwd="/").strip().split(":")
    for path in (path for place in known for path in Path(place).glob("*.pc")):
        if path.name != "libcurl.pc" and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    monkeypatch.setenv("PKG_CONFIG_LIBDIR", str(folder))
    monkeypatch.delenv("PKG_CONFIG_PATH", raising=False)


def configure(project, where, *options):
    command = ["cmake", "-S", project, "-B", where, *options]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_build_without_libcurl_names_the_package_to_install(project, without_curl, tmp_path):
    result = configure(project, tmp_path / "build")
    assert result.returncode != 0
    said = " ".join(result.stderr.split())
    assert "its development files are missing, install libcurl4-openssl-dev" in said
    assert "--config-settings=cmake.define.AQ_WITHOUT_CURL=ON" in said


def test_a_build_may_be_told_to_do_without_libcurl(project, without_curl, tmp_path):
    assert configure(project, tmp_path / "build", "-DAQ_WITHOUT_CURL=ON").returncode == 0
