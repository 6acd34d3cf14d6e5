# SPDX-License-Identifier: Apache-2.0
"""Every block of the guide, pasted as it stands, in the order of the page."""

import os
import subprocess

import pytest
from command import BINARY
from page import PAGE, blocks, follow, matches

PYTHON = os.environ.get("AQ_TEST_SDK_PYTHON", "/bin/false")


@pytest.fixture(scope="module")
def last():
    """What the last block that was pasted printed."""
    return []


@pytest.mark.parametrize("block", blocks(PAGE), ids=str)
def test_a_block_of_the_guide_does_what_the_page_says(block, terminal, user, log_in, last):
    if block.language == "sh":
        syntax = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
        assert syntax.stderr == ""
    if block.language == "python":
        log_in(expires_in=3600)
        assert run_python(block.text, user).startswith("You asked: hi")
        return
    if "output" in block.marks:
        assert matches(block.text, last[0]), last[0]
        return
    log_in(expires_in=-60 if "expired" in block.marks else 3600)
    shown = follow(block, user, terminal)
    if shown is not None:
        last[:] = [shown]
        owners = {path.stat().st_uid for path in user.db.parent.iterdir()}
        assert owners == {user.uid}, "something there belongs to somebody else now"


def run_python(program, user):
    """What the program printed, with the SDK of the checkout and the library of the build."""
    library = BINARY.parents[1] / "lib"
    sdk = {
        "PYTHONPATH": str(user.home / "checkout/bindings/python/src"),
        "AQ_LIBRARY_DIR": str(library),
    }
    tools = f"import httpx, pydantic; open('{library}/libamazonq.so')"
    if user.run(PYTHON, "-c", tools).returncode:
        pytest.skip("scripts/check has not made Python's tools yet, or the user may not have them")
    done = user.run(PYTHON, "-c", program, env=user.env | sdk)
    assert done.returncode == 0, done.stderr
    return done.stdout
