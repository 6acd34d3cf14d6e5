# SPDX-License-Identifier: Apache-2.0
"""Where no endpoint is named the service has several sites, and a login finds the one that takes it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from frames import STREAM, answer

from amazon_q_streaming_client import QStreamingClient, SyncQStreamingClient

ARN = "arn:aws:codewhisperer:us-east-1:111122223333:profile/P"
FIRST, SECOND = "q.us-east-1.amazonaws.com", "runtime.us-east-1.kiro.dev"


def only_at(site: str) -> Any:
    """A service that refuses the login everywhere else."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.host == site:
            return httpx.Response(200, headers=STREAM, content=answer("here"))
        return httpx.Response(
            403, headers={"x-amzn-errortype": "AccessDeniedException"}, json={"message": "no"}
        )

    handler.asked = asked  # type: ignore[attr-defined]
    return handler


def ask(handler: Any) -> None:
    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        with SyncQStreamingClient("tok", http_client=http, profile_arn=ARN) as client:
            assert list(client.generate_assistant_response("hello"))


def test_the_site_that_took_the_login_is_asked_first_from_then_on() -> None:
    handler = only_at(SECOND)
    ask(handler)
    ask(handler)
    assert handler.asked == [FIRST, SECOND, SECOND]


def test_the_usual_site_leaves_nothing_behind(home: Any) -> None:
    handler = only_at(FIRST)
    ask(handler)
    assert handler.asked == [FIRST]
    assert not list(home.rglob("endpoints"))


@pytest.mark.anyio
async def test_in_an_event_loop_too() -> None:
    handler = only_at(SECOND)
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        async with QStreamingClient("tok", http_client=http, profile_arn=ARN) as client:
            for _ in range(2):
                assert [event async for event in client.generate_assistant_response("hello")]
    assert handler.asked == [FIRST, SECOND, SECOND]
