# SPDX-License-Identifier: Apache-2.0
"""Serve answers to a browser as server-sent events, with Starlette:

uvicorn serve_sse:app     and then     curl -N 'localhost:8000/ask?question=hello'

A browser that goes away cancels its answer, and with it the request to the service.
"""

import contextlib
import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from amazon_q_streaming_client import AssistantResponseEvent, QError, QStreamingClient


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with QStreamingClient.from_login() as client:
        app.state.client = client
        yield


async def pieces(client: QStreamingClient, question: str) -> AsyncIterator[str]:
    try:
        async for event in client.generate_assistant_response(question):
            if isinstance(event, AssistantResponseEvent):
                yield f"data: {json.dumps(event.content)}\n\n"
    except QError as error:
        yield f"event: error\ndata: {json.dumps(str(error))}\n\n"


async def ask(request: Request) -> StreamingResponse:
    answer = pieces(request.app.state.client, request.query_params["question"])
    return StreamingResponse(answer, media_type="text/event-stream")


app = Starlette(routes=[Route("/ask", ask)], lifespan=lifespan)
