# SPDX-License-Identifier: Apache-2.0
"""docs/python-helpers.md: every block is a program, and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import amazon_q_streaming_client as q

PAGE = Path(__file__).resolve().parents[3] / "docs" / "python-helpers.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def test_the_page_has_blocks() -> None:
    assert len(BLOCKS) == 6


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("program", BLOCKS)
def test_each_block_runs_where_there_is_a_login(program: str, tmp_path: Path) -> None:
    package = str(Path(q.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and done.stdout
