# SPDX-License-Identifier: Apache-2.0
"""The package installed, outside the checkout, with every CPython at hand."""

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pythons import at_hand

pytestmark = pytest.mark.packaging

REPORT = Path(__file__).with_name("installed.py")
TEST_REQUIREMENTS = Path(__file__).parents[2] / "requirements-test.txt"
# Loops and their tasks, annotations, what is exported, how shapes are read.
SMOKE = ("test_client.py", "test_event_loops.py", "test_exported_names.py", "test_lifecycle.py",
         "test_tools.py", "test_typing.py", "models/test_round_trips.py")
REQUIREMENTS = ("httpx>=0.23,<1", "pydantic>=2.5,<3")
OLDEST_REQUIREMENTS = ("httpx==0.23.0", "pydantic==2.5.0")
# What every manylinux machine has and no wheel brings along.
SYSTEM = re.compile(r"(ld-linux-[\w-]+|lib(c|dl|m|pthread|resolv|rt|z))(-[\d.]+)?\.so")


@pytest.fixture(scope="module")
def environments(environment, wheel):
    """One of each CPython, with the wheel and what its tests need; made beside one another."""
    others = ("-r", TEST_REQUIREMENTS)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            version: pool.submit(environment, python, wheel, others=others)
            for version, python in at_hand().items()
        }


@pytest.fixture(scope="module", params=at_hand())
def installed(request, environments):
    return environments[request.param].result()


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


def test_the_tests_pass_with_the_installed_wheel(request, installed, project):
    """All of them, but those that are slow, with the oldest CPython; with others what Pythons differ in."""
    oldest = next(iter(at_hand())) == request.node.callspec.params["installed"]
    tests = ["."] if oldest else SMOKE
    installed.run("-m", "pytest", "-q", "-n", os.cpu_count(), "-m", "not slow", "-p", "no:cacheprovider",
                  "-c", project / "pyproject.toml", "-o", "pythonpath=",
                  "--ignore", project / "tests/packaging",
                  *(project / "tests" / name for name in tests))


def test_every_name_imports_with_the_oldest_requirements(environment, wheel):
    oldest_python = next(iter(at_hand().values()))
    made = environment(oldest_python, wheel, others=OLDEST_REQUIREMENTS)
    assert report(made)["names"]


def test_pip_installs_the_checkout_with_nothing_but_what_it_requires(environment, project, plugins):
    made = environment(sys.executable, project, others=REQUIREMENTS)
    assert report(made)["plugins"] == sorted(f"{name}.so" for name in plugins)
    assert report(made)["names"]

