# SPDX-License-Identifier: Apache-2.0
"""One client in one event loop after another."""

from __future__ import annotations

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
