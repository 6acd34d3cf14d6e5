# SPDX-License-Identifier: Apache-2.0
"""The package installed, outside the checkout, with every CPython at hand."""

import json
import re
import sys
from pathlib import Path

import pytest
from pythons import at_hand

pytestmark = pytest.mark.packaging

REPORT = Path(__file__).with_name("installed.py")
REQUIREMENTS = ("httpx>=0.23,<1", "pydantic>=2.5,<3")
OLDEST_REQUIREMENTS = ("httpx==0.23.0", "pydantic==2.5.0")
# What every manylinux machine has and no wheel brings along.
SYSTEM = re.compile(r"(ld-linux-[\w-]+|lib(c|dl|m|pthread|resolv|rt|z))(-[\d.]+)?\.so")


@pytest.fixture(scope="module", params=at_hand().values(), ids=at_hand())
def installed(request, environment, wheel):
    """An environment of each CPython, with the wheel and what it requires, no more."""
    made = environment(request.param, *REQUIREMENTS)
    made.install(wheel)
    return made


def report(environment):
    """What an interpreter finds that has the package installed."""
    facts = json.loads(environment.run(REPORT))
    assert facts["package"].startswith(f"{environment.directory}/")
    assert facts["version"] == facts["metadata_version"] == facts["library_version"]
    return facts


def test_the_wheel_installs_and_loads(installed):
    assert "transport-curl.so" in report(installed)["plugins"]


def test_the_wheel_takes_nothing_from_the_system_but_the_c_library(installed):
    own = str(installed.directory)
    foreign = [Path(path).name for path in report(installed)["loaded"] if not path.startswith(own)]
    assert [name for name in foreign if not SYSTEM.match(name)] == []


def test_the_tests_pass_with_the_installed_wheel(installed, wheel, project):
    requirements = project / "requirements-test.txt"
    installed.wheelhouse.provide(installed.base, "-r", requirements)
    installed.install(wheel, "-r", requirements)
    installed.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", project / "pyproject.toml",
                  "-o", "pythonpath=", "--ignore", project / "tests/packaging", project / "tests")


def test_every_name_imports_with_the_oldest_requirements(environment, wheel):
    oldest_python = next(iter(at_hand().values()))
    made = environment(oldest_python, *OLDEST_REQUIREMENTS)
    made.install(wheel, *OLDEST_REQUIREMENTS)
    assert report(made)["names"]


def test_pip_installs_the_checkout(environment, project, checkout):
    made = environment(sys.executable, *REQUIREMENTS)
    made.install(project)
    folders = {path.parent.name for path in checkout.glob("plugins/*/CMakeLists.txt")}
    assert report(made)["plugins"] == sorted(f"{name}.so" for name in folders)


def test_pip_installs_the_sdist_outside_the_checkout(environment, sdist):
    made = environment(sys.executable, *REQUIREMENTS)
    made.install(sdist)
    assert "store-sqlite.so" in report(made)["plugins"]
