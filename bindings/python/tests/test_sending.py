# SPDX-License-Identifier: Apache-2.0
"""A request over the library's own transport, until its answer begins."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from amazon_q_streaming_client import (
    QClosedError,
    QConnectionError,
    QStreamingClient,
    QTimeoutError,
    SyncQStreamingClient,
)


@pytest.fixture
def silent() -> Iterator[str]:
    """A service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def nobody() -> Iterator[str]:
    """Where nothing listens, and nobody else will."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


async def ask(client: QStreamingClient, **options: Any) -> None:
    async for _event in client.generate_assistant_response("hello", **options):
        pass


@pytest.mark.anyio
async def test_closing_the_client_ends_a_request_that_waits_for_its_answer(silent: str) -> None:
    client = QStreamingClient("tok", base_url=silent)
    ended: list[BaseException] = []

    async def wait() -> None:
        try:
            await ask(client)
        except QClosedError as error:
            ended.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await client.aclose()
    assert len(ended) == 1


@pytest.mark.anyio
async def test_cancelling_a_request_that_waits_leaves_the_client_usable(silent: str) -> None:
    async with QStreamingClient("tok", base_url=silent, max_retries=0) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, client)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        with pytest.raises(QTimeoutError):
            await ask(client, timeout=0.05)


@pytest.mark.anyio
async def test_a_service_that_does_not_answer_in_time_is_a_timeout(silent: str) -> None:
    async with QStreamingClient("tok", base_url=silent, max_retries=0) as client:
        with pytest.raises(QTimeoutError):
            await ask(client, timeout=0.05)


def test_a_service_that_does_not_answer_a_thread_in_time_is_a_timeout(silent: str) -> None:
    with SyncQStreamingClient("tok", base_url=silent, timeout=0.05, max_retries=0) as client:
        with pytest.raises(QTimeoutError):
            list(client.generate_assistant_response("hello"))


@pytest.mark.anyio
async def test_a_service_that_is_not_there_is_a_connection_error(nobody: str) -> None:
    async with QStreamingClient("tok", base_url=nobody, max_retries=0) as client:
        with pytest.raises(QConnectionError) as got:
            await ask(client)
        assert got.value.is_retry_safe
