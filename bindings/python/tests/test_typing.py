# SPDX-License-Identifier: Apache-2.0
"""What a type checker says about programs that use the package."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any, Iterator

import pytest
from hang import HANG_S

import amazon_q_streaming_client as q

def functions(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class of the package defines for its users."""
    for name, value in inspect.getmembers(kind):
        value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        own = str(getattr(value, "__module__", "")).startswith(q.__name__)
        if inspect.isfunction(value) and own and (not name.startswith("_") or name[:2] == "__"):
            yield f"{kind.__name__}.{name}", value


@pytest.mark.parametrize("name", q.__all__)
def test_the_hints_of_everything_public_resolve_at_run_time(name: str) -> None:
    thing = getattr(q, name)
    if inspect.isclass(thing):
        typing.get_type_hints(thing)
        for _where, function in functions(thing):
            typing.get_type_hints(function)
    elif inspect.isfunction(thing):
        typing.get_type_hints(thing)


GOOD = """
import asyncio
import contextlib
from typing import AsyncGenerator, Generator, Optional

import httpx
from typing_extensions import assert_type

import amazon_q_streaming_client as q
from amazon_q_streaming_client import Conversation, QStreamingClient, SyncQStreamingClient


class Mine(QStreamingClient):
    def extra(self) -> int:
        return 1


class MineSync(SyncQStreamingClient):
    def extra(self) -> int:
        return 1


async def provider(force_refresh: bool = False) -> str:
    return "t"


async def main(http: httpx.AsyncClient) -> None:
    async with Mine.from_login("sqlite", http_client=http, max_retries=1, timeout=3.0) as client:
        assert_type(client, Mine)
        client.extra()
    QStreamingClient(provider)
    QStreamingClient(lambda: "t")
    events = client.generate_assistant_response("x")
    assert_type(events, AsyncGenerator[q.Event, None])
    await events.aclose()
    await client.send_message("x").aclose()
    async with contextlib.aclosing(client.export_result_archive("x", "TRANSFORMATION")) as pieces:
        async for piece in pieces:
            if isinstance(piece, q.BinaryPayloadEvent):
                assert_type(piece.bytes, Optional[bytes])
    async with client.stream("x") as stream:
        assert_type(stream, q.AsyncMessageStream)
        async for text in stream.text_stream:
            assert_type(text, str)
    async with client.run_tools("x", tools=[], max_retries=1) as run:
        assert_type(run, q.AsyncToolRun)
    async for model in client.iter_available_models(max_retries=0):
        assert_type(model, q.models.Model)
    assert_type(await client.list_available_profiles(), list[q.models.Profile])
    conversation = Conversation(client)
    assert_type(conversation, Conversation[Mine])
    assert_type(await conversation.ask("x"), q.FinalMessage)
    task = asyncio.create_task(conversation.ask("x"))
    assert_type(await task, q.FinalMessage)
    try:
        await task
    except q.QError as error:
        assert_type(error.partial, Optional[q.FinalMessage])


def sync_main(http: httpx.Client) -> None:
    with MineSync.from_login(db="/x.sqlite3", http_client=http) as client:
        assert_type(client, MineSync)
        client.extra()
    SyncQStreamingClient(lambda: "t")
    events = client.generate_assistant_response("x")
    assert_type(events, Generator[q.Event, None, None])
    events.close()
    assert_type(Conversation(client).ask("x"), q.FinalMessage)
    with client.stream("x") as stream:
        assert_type(stream, q.MessageStream)
    for profile in client.iter_available_profiles():
        assert_type(profile, q.models.Profile)
"""

BAD = """
import httpx

from amazon_q_streaming_client import Conversation, QStreamingClient, SyncQStreamingClient


async def provider() -> str:
    return "t"


SyncQStreamingClient(provider)  # wrong: arg-type
QStreamingClient(lambda: 3)  # wrong: arg-type, return-value
QStreamingClient("t", http_client=httpx.Client())  # wrong: arg-type
SyncQStreamingClient("t", http_client=httpx.AsyncClient())  # wrong: arg-type
QStreamingClient.from_login(nonsense=4)  # wrong: call-arg
QStreamingClient.from_login(max_retries="4")  # wrong: arg-type
QStreamingClient.from_login(http_client=httpx.Client())  # wrong: arg-type
SyncQStreamingClient.from_login(access_token="t")  # wrong: call-arg
Conversation().ask("x")  # wrong: misc, unused-coroutine
QStreamingClient("t").stream("x", tool=[])  # wrong: call-arg
"""


TARGET = ["--python-version", "3.11"]  # for contextlib.aclosing


@pytest.mark.slow
def test_programs_that_are_right_are_accepted_and_others_are_not(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", *TARGET, "good.py", "bad.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(q.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    found: dict[tuple[str, int], set[str]] = {}
    for line in result.stdout.splitlines():
        match = re.fullmatch(r"(\S+):(\d+): error: .*\[([\w-]+)\]", line)
        if match is not None:
            found.setdefault((match[1], int(match[2])), set()).add(match[3])
    expected = {
        ("bad.py", number): set(line.partition("# wrong: ")[2].split(", "))
        for number, line in enumerate(BAD.splitlines(), 1)
        if "# wrong: " in line
    }
    assert found == expected, result.stdout + result.stderr
