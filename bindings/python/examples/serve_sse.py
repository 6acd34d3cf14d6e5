# SPDX-License-Identifier: Apache-2.0
"""Serve answers to a browser as server-sent events, with Starlette:

uvicorn serve_sse:app     and then     curl -N 'localhost:8000/ask?question=hello'

A browser that goes away cancels its answer, and with it the request to the service.
"""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from amazon_q_streaming_client import QError, QStreamingClient


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with QStreamingClient.from_login() as client:
        app.state.client = client
        yield


async def pieces(client: QStreamingClient, question: str) -> AsyncGenerator[str, None]:
    try:
        async with client.stream(question) as answer:
            async for text in answer.text_stream:
                yield f"data: {json.dumps(text)}\n\n"
    except QError as error:
        yield f"event: error\ndata: {json.dumps(str(error))}\n\n"


class EventStream(StreamingResponse):
    """Closes its generator when the browser has gone, rather than when Python collects it."""

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self.events.aclose()


async def ask(request: Request) -> EventStream:
    return EventStream(pieces(request.app.state.client, request.query_params.get("question", "Say hello.")))


app = Starlette(routes=[Route("/ask", ask)], lifespan=lifespan)
