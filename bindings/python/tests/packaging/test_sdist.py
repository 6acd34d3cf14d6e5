# SPDX-License-Identifier: Apache-2.0
"""The sdist: all that a build needs, and nothing of it left in the checkout."""

import tarfile

import pytest
from pythons import make_sdist

pytestmark = pytest.mark.packaging

LEFT_OUT = ("/tests/", "/__pycache__/", "/build/", "/cli/")


@pytest.fixture(scope="module")
def unpacked(sdist, tmp_path_factory):
    """The directory that the sdist unpacks to."""
    where = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(where, filter="data")
        else:
            archive.extractall(where)
    (root,) = where.iterdir()
    return root


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_the_sdist_carries_every_file_of_the_c_sources(unpacked, checkout):
    for folder in ("cmake", "core", "plugins"):
        assert files(unpacked / "amazonq" / folder) == files(checkout / folder)
    assert (unpacked / "amazonq/CMakeLists.txt").is_file()


def test_the_sdist_carries_the_package_as_it_is_in_the_checkout(unpacked, project):
    wanted = {name for name in files(project / "src") if not name.endswith(".pyc")}
    assert files(unpacked / "src") == wanted
    assert {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"} <= files(unpacked)


def test_the_sdist_carries_neither_tests_nor_what_builds_leave_behind(sdist):
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert not [m.name for m in members if any(part in f"{m.name}/" for part in LEFT_OUT)]
    assert not [m.name for m in members if m.issym() or m.islnk()]


def test_making_an_sdist_leaves_no_file_in_the_checkout(project, tmp_path):
    def listing():
        return {name for name in files(project) if "__pycache__" not in name}

    before = listing()
    make_sdist(project, tmp_path)
    assert listing() == before


def test_an_unpacked_sdist_makes_the_same_sdist_again(sdist, unpacked, tmp_path):
    make_sdist(unpacked, tmp_path)
    (again,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as first, tarfile.open(again) as second:
        assert set(second.getnames()) == set(first.getnames())
