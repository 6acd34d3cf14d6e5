# SPDX-License-Identifier: Apache-2.0
"""S1 to S14, K1, K6: the store alone. Its tests are those of ctest, which report their rows here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import BINARY
from harness import LONG

BUILT = Path(BINARY).resolve().parent.parent / "tests"
SOURCES = Path(__file__).resolve().parent.parent / "plugins" / "store"
PROGRAMS = [
    *["memory", "calls", "meanwhile", "power", "company", "rights", "faults", "places"],
    *["mounts", "mount-faults"],
]

long_form = pytest.mark.skipif(not LONG, reason="ctest runs these by themselves")


def run(command, env=()):
    done = subprocess.run(command, env={**os.environ, **dict(env)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@long_form
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_store_loses_nothing(program):
    run([BUILT / f"test_plugins_store-sqlite-{program}"])


@long_form
def test_the_store_loses_nothing_to_faults_from_outside():
    pytest_again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    driver = {"AQ_TEST_STORE_DRIVER": str(BUILT / "store_driver")}
    run([*pytest_again, SOURCES / "test_store_sqlite_faults.py"], driver)
