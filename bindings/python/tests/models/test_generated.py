# SPDX-License-Identifier: Apache-2.0
import shutil
import subprocess
import sys

import pytest
from facts import ROOT
from hang import HANG_S

TOOL = "tools/generate-models"
MODEL = "bindings/python/model/service-model.json"
MODELS = "bindings/python/src/amazon_q_streaming_client/models"


def generate(root, *options):
    return subprocess.run(
        [sys.executable, root / TOOL, *options], capture_output=True, text=True, timeout=HANG_S
    )


@pytest.fixture
def copy(tmp_path):
    """A tree of our own, with the files that the tool reads and writes."""
    for name in (TOOL, MODEL):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / MODELS, tmp_path / MODELS)
    return tmp_path


def test_the_models_are_what_the_tool_writes():
    check = generate(ROOT, "--check")
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_a_change_by_hand_is_found_and_undone(copy):
    path = copy / MODELS / "_requests.py"
    before = path.read_text()
    path.write_text(before.replace("Optional[str]", "Optional[int]"))
    check = generate(copy, "--check")
    assert check.returncode == 1
    assert f"{MODELS}/_requests.py: not what" in check.stdout
    assert generate(copy).returncode == 0
    assert path.read_text() == before


def test_a_change_of_the_facts_is_found(copy):
    path = copy / MODEL
    path.write_text(path.read_text().replace('"assistantResponseEvent"', '"answerEvent"', 1))
    check = generate(copy, "--check")
    assert check.returncode != 0
    assert check.stdout + check.stderr


def test_a_shape_within_itself_is_refused(copy):
    path = copy / MODEL
    path.write_text(
        path.read_text().replace(
            '"start": {"wire": "start", "type": "integer"}',
            '"start": {"wire": "start", "type": "Span"}',
        )
    )
    tried = generate(copy)
    assert tried.returncode == 1
    assert "Span: contains itself" in tried.stderr
