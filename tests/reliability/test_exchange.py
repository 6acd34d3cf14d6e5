# SPDX-License-Identifier: Apache-2.0
"""D5: one exchange with the service, whatever happens. The short form is wire/exchange_model."""

import os
import subprocess
from pathlib import Path

import pytest
from command import BINARY
from harness import LONG, SEED, report, rounds

PROGRAM = Path(BINARY).resolve().parent.parent / "tests" / "test_wire_exchange_model"


@pytest.mark.skipif(not LONG, reason="wire/exchange_model is the short form")
def test_whatever_happens_is_told_in_order_and_ends_once():
    traces = rounds(1, 100_000)
    env = {**os.environ, "AQ_TEST_TRACES": str(traces), "AQ_TEST_SEED": str(SEED)}
    done = subprocess.run([PROGRAM], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    what = "random traces of answers, refusals, cuts, resets, waits and calls that do not fit"
    report("D5", what, traces, "one end each, nothing after it")
