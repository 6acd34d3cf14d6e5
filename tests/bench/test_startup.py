# SPDX-License-Identifier: Apache-2.0
"""What `q user export-token` costs at least and in every run, against the sqlite3 shell."""
import os
import pathlib
import shutil

import pytest
import startup

BUILD = pathlib.Path(os.environ["AQ_BUILD_DIR"])

CALLS_MORE = 1.25  # than the shell: the loader's own calls differ from one C library to the next
RSS_MAX = 5 * 1024  # KiB

pytestmark = pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs the sqlite3 shell")


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}")


@pytest.fixture
def home(tmp_path):
    return startup.Home(tmp_path, BUILD / "bin/q")


@needs("valgrind")
@pytest.mark.skipif(os.environ["AQ_COMPILER"] != "GNU",
                    reason="valgrind 3.19 gives up on clang's debug information")
def test_it_takes_fewer_instructions_than_the_shell_that_reads_the_same_row(home):
    assert startup.instructions(home, home.q) <= startup.instructions(home, home.shell)


@needs("strace")
def test_it_makes_about_as_many_system_calls_as_the_shell(home):
    assert len(startup.calls(home, home.q)) <= CALLS_MORE * len(startup.calls(home, home.shell))


@needs("strace")
def test_it_loads_nothing_but_our_libraries_and_libc(home):
    loaded = startup.libraries(startup.calls(home, home.q))
    assert "store-sqlite.so" in loaded and "libc.so.6" in loaded
    assert startup.foreign(loaded) == []
    assert startup.foreign(startup.libraries(startup.calls(home, home.shell)))  # so it can fail


def test_the_command_and_the_library_name_nothing_but_each_other_and_libc():
    library = (BUILD / "lib/libamazonq.so").resolve()
    assert startup.foreign(startup.needed(BUILD / "bin/amazonq")) == []
    assert startup.foreign(startup.needed(library)) == []


def test_it_stays_small(home):
    rows, _ = startup.race(BUILD / "tests/process_time", home, 3, base=home.shell, q=home.q)
    assert rows["q"][0] <= RSS_MAX
