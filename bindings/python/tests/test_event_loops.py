# SPDX-License-Identifier: Apache-2.0
"""One client in one event loop after another."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from typing import Any

import anyio
import pytest

from amazon_q_streaming_client import QStreamingClient


async def ask(client: QStreamingClient) -> int:
    return len([event async for event in client.generate_assistant_response("hello")])


# The connections of a loop that has ended are left to the collector, which says so.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_httpx_of_ours_starts_afresh_in_the_next_loop(
    endpoints: Any, token: str, anyio_backend: str
) -> None:
    client = QStreamingClient(token, transport="httpx")
    assert anyio.run(ask, client, backend=anyio_backend) > 3
    assert anyio.run(ask, client, backend=anyio_backend) > 3
    anyio.run(client.aclose, backend=anyio_backend)
    gc.collect()


def test_a_token_is_renewed_in_each_loop(endpoints: Any, token: str) -> None:
    def provider(force_refresh: bool = False) -> str:
        return token if force_refresh else "stale"

    client = QStreamingClient(provider)
    assert anyio.run(ask, client, backend="asyncio") > 3
    assert anyio.run(ask, client, backend="trio") > 3
    anyio.run(client.aclose, backend="trio")


NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name")


@pytest.mark.anyio
async def test_a_task_that_reads_keeps_its_context(client: Any, service: Any) -> None:
    seen: list[set[str]] = []

    async def read(name: str) -> None:
        NAME.set(name)
        names = [NAME.get() async for _ in client.generate_assistant_response("hello")]
        assert len(names) > 3
        seen.append(set(names))

    async with client, anyio.create_task_group() as group:
        for name in ("a", "b", "c"):
            group.start_soon(read, name)
    assert sorted(map(sorted, seen)) == [["a"], ["b"], ["c"]]


SLOW = {"text": "word " * 40, "pieces": 40, "pacing_ms": 2}


def test_an_interrupt_in_one_task_loses_no_event_of_the_others(token: str, service: Any) -> None:
    service.settings(answer=SLOW)
    client = QStreamingClient(token)
    counts: list[int] = []

    async def read() -> None:
        counts.append(await ask(client))

    async def be_interrupted() -> None:
        seen = 0
        async for _ in client.generate_assistant_response("hello"):
            seen += 1
            if seen == 10:
                raise KeyboardInterrupt

    async def begin() -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(what()) for what in (be_interrupted, *[read] * 9)]

    loop = asyncio.new_event_loop()
    interrupted, *others = loop.run_until_complete(begin())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.wait(others))
    assert isinstance(interrupted.exception(), KeyboardInterrupt)
    loop.run_until_complete(asyncio.gather(*others))  # the program goes on
    assert len(counts) == 9 and len(set(counts)) == 1 and counts[0] > 40
    loop.run_until_complete(client.aclose())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
