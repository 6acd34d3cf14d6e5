# SPDX-License-Identifier: Apache-2.0
"""The wheel: one for every Python, complete, and with nothing in it that is not needed."""

import json
import platform
import re
import stat
import zipfile
from email import message_from_bytes
from fnmatch import fnmatch

import pytest

pytestmark = pytest.mark.packaging

PACKAGE = "amazon_q_streaming_client"
GRAFTED = f"{PACKAGE}.libs/"
NEVER_GRAFTED = ("libglib-*", "libgobject-*", "libgio-*", "libsecret-*", "libc[-.]*", "libpthread*")


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if not name.endswith("/")]


@pytest.fixture(scope="module")
def metadata(wheel, names):
    (name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(name))


def test_one_wheel_serves_every_python_3_of_a_manylinux_machine(wheel):
    tag = re.search(r"-py3-none-manylinux_2_(\d+)_(\w+)\.whl$", wheel.name)
    assert tag, wheel.name
    libc, version = platform.libc_ver()
    assert libc == "glibc"
    assert int(tag[1]) <= int(version.split(".")[1])
    assert tag[2] == platform.machine()


def test_the_wheel_holds_the_package_as_it_is_in_the_checkout(names, project):
    source = project / "src"
    wanted = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert f"{PACKAGE}/py.typed" in wanted
    assert {n for n in names if n.startswith(f"{PACKAGE}/") and "/lib/" not in n} == wanted


def test_the_library_is_there_once_with_the_helper_and_every_plugin_beside_it(names, plugins):
    libraries = [n for n in names if n.startswith(f"{PACKAGE}/lib/")]
    assert len([n for n in libraries if fnmatch(n, f"{PACKAGE}/lib/libamazonq.so.*")]) == 1
    assert f"{PACKAGE}/lib/libamazonq-python.so" in libraries
    for plugin in plugins:
        assert f"{PACKAGE}/lib/amazonq/plugins/{plugin}.so" in libraries


def test_the_wheel_holds_only_libraries_python_files_and_its_metadata(wheel, names):
    for name in names:
        assert ".dist-info/" in name or re.search(r"(\.pyi?|\.so[.\d]*|/py\.typed)$", name), name
    with zipfile.ZipFile(wheel) as archive:
        assert not [i for i in archive.infolist() if stat.S_ISLNK(i.external_attr >> 16)]


def test_the_libraries_of_the_desktop_and_of_the_system_are_not_grafted(names):
    grafted = [name[len(GRAFTED) :] for name in names if name.startswith(GRAFTED)]
    assert not [n for n in grafted if any(fnmatch(n, pattern) for pattern in NEVER_GRAFTED)]


@pytest.mark.parametrize("library", ["curl", "ssl"])
def test_the_bill_of_materials_has_the_version_of(library, wheel, names):
    (bill,) = (name for name in names if "/sboms/" in name)
    with zipfile.ZipFile(wheel) as archive:
        components = json.loads(archive.read(bill))["components"]
    assert [c for c in components if library in c["name"] and c["version"]]


def test_httpx_and_pydantic_are_all_that_is_required(metadata):
    assert sorted(metadata.get_all("Requires-Dist")) == ["httpx<1,>=0.23", "pydantic<3,>=2.5"]
    assert metadata["Requires-Python"] == ">=3.9"


def test_the_wheel_carries_the_licence(metadata, names):
    assert metadata["License-Expression"] == "Apache-2.0"
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
