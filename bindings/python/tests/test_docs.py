# SPDX-License-Identifier: Apache-2.0
"""README.md and docs/python*.md: every block of Python is a program, and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import amazon_q_streaming_client as q

PACKAGE = Path(__file__).resolve().parents[1]
PAGES = [PACKAGE / "README.md", *sorted((PACKAGE.parents[1] / "docs").glob("python*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(
            r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ),
        start=1,
    )
]


def test_the_pages_have_blocks() -> None:
    assert len(BLOCKS) == 10


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
