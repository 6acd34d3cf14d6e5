# SPDX-License-Identifier: Apache-2.0
"""What `import amazon_q_streaming_client` offers, and what it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import amazon_q_streaming_client as q

HEAVY = {"asyncio", "ctypes", "httpx", "inspect", "pydantic", "re", "socket", "ssl", "typing"}


def names_for_checkers():
    """The names that type checkers are told of, in the block that never runs."""
    module = ast.parse(Path(q.__file__).read_text(encoding="utf-8"))
    (block,) = (n for n in module.body if isinstance(n, ast.If))
    return {alias.asname for statement in block.body for alias in statement.names}


def test_checkers_the_table_and_all_name_the_same():
    assert set(q.__all__) == set(q._HOME) == names_for_checkers()
    assert len(q.__all__) == len(set(q.__all__))


@pytest.mark.parametrize("name", q.__all__)
def test_every_exported_name_is_there(name):
    assert getattr(q, name) is not None


def test_a_name_that_is_not_exported_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        q.Nonsense  # noqa: B018


def test_dir_lists_the_exported_names():
    assert set(dir(q)) == set(q.__all__)


def test_importing_the_package_imports_nothing_that_costs():
    program = "import sys; before = set(sys.modules); import amazon_q_streaming_client; "
    program += "print(*(set(sys.modules) - before))"
    source = Path(q.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(result.stdout.split())
    assert "amazon_q_streaming_client" in loaded
    assert {name for name in loaded if name.startswith("amazon_q_streaming_client.")} == set()
    assert loaded & HEAVY == set()
