# SPDX-License-Identifier: Apache-2.0
"""Every program in examples/ runs as it is, and so does every block of README.md and docs/python.md."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest
from hang import HANG_S

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COMMAND = Path(os.environ.get("AQ_LIBRARY_DIR", "")).parent / "bin" / "q"  # of the same build
ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "docs" / "python.md"]

RUNS: dict[str, tuple[list[str], str, str]] = {
    # program: arguments, standard input, what it must print
    "quickstart.py": (["What is love?"], "", "You asked: What is love?"),
    "own_httpx_client.py": ([], "", r"\[HTTP/1.1 200 127.0.0.1\]\s+You asked: Say hello."),
    "history.py": ([], "My name is Ann.\nWhat is it?\n", "Ann(.|\n)*What is it"),
    "tools.py": ([], "", r"\[temperature \{"),
    "agent.py": ([str(EXAMPLES), "Use the tool list_files."], "", r"\S"),
}


def run(arguments: list[str], given: str = "") -> str:
    result = subprocess.run(
        [sys.executable, *arguments], input=given, capture_output=True, text=True, timeout=HANG_S
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("program", RUNS)
def test_an_example_runs_as_it_is(program: str, database: Any) -> None:
    arguments, given, expected = RUNS[program]
    assert re.search(expected, run([str(EXAMPLES / program), *arguments], given))


@pytest.mark.skipif(not COMMAND.exists(), reason="the build has no command")
def test_a_token_that_the_command_exports_streams_an_answer(database: Any) -> None:
    export = [str(COMMAND), "user", "export-token"]
    exported = subprocess.run(export, capture_output=True, text=True, check=True, timeout=HANG_S).stdout
    assert "You asked: hi" in run([str(EXAMPLES / "exported_token.py"), "hi"], exported)


def test_no_example_is_forgotten() -> None:
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert programs == {*RUNS, "exported_token.py", "serve_sse.py"}


def test_an_answer_is_served_to_browsers(database: Any) -> None:
    pytest.importorskip("starlette")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/ask?question=hello"
        server = subprocess.Popen(
            [sys.executable, "-m", "hypercorn", "--bind", f"fd://{listener.fileno()}", "serve_sse:app"],
            cwd=EXAMPLES,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        lines = ask(url)
    finally:
        server.terminate()
        server.wait(timeout=HANG_S)
    pieces = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert "You asked: hello" in "".join(pieces)


def ask(url: str) -> list[str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=HANG_S) as reply:
        return str(reply.read().decode()).splitlines()


@pytest.mark.anyio
async def test_a_browser_that_goes_away_cancels_its_answer(client: Any, service: Any) -> None:
    pytest.importorskip("starlette")
    service.settings(answer={"text": "word " * 50, "pieces": 50})
    service.fault("GenerateAssistantResponse", stall_after=20)  # it would not end by itself
    example = load("serve_sse.py")
    gone = anyio.Event()

    async def send(message: Any) -> None:
        if message.get("body"):
            gone.set()
            await anyio.sleep_forever()  # the browser takes no more

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/"}
    async with client:
        events = example.pieces(client, "hello")  # held here, so that nobody collects it
        await example.EventStream(events)(scope, receive, send)
        service.wait("GenerateAssistantResponse", disconnects=1)


def load(program: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(program).stem, EXAMPLES / program)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TEXT = "".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_of_the_pages_runs(block: str, database: Any) -> None:
    assert run(["-c", block]).strip()
