# SPDX-License-Identifier: Apache-2.0
"""What a program does without this package: an HTTP client, botocore's decoder, classes of its own by pydantic."""
from __future__ import annotations

from typing import Any, AsyncIterator, Optional

from botocore.eventstream import EventStreamBuffer
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Answer(Shape):
    content: str
    model_id: Optional[str] = None


class ToolUse(Shape):
    tool_use_id: str
    name: str
    input: Optional[str] = None
    stop: Optional[bool] = None


class Usage(Shape):
    uncached_input_tokens: Optional[int] = None
    output_tokens: int
    total_tokens: int
    cache_read_input_tokens: Optional[int] = None
    cache_write_input_tokens: Optional[int] = None


class Metadata(Shape):
    token_usage: Optional[Usage] = None


class MessageMetadata(Shape):
    conversation_id: Optional[str] = None
    utterance_id: Optional[str] = None


CLASSES: dict[str, type[Shape]] = {
    "assistantResponseEvent": Answer,
    "toolUseEvent": ToolUse,
    "metadataEvent": Metadata,
    "messageMetadataEvent": MessageMetadata,
}


def events(buffer: EventStreamBuffer, data: bytes) -> list[Shape]:
    buffer.add_data(data)
    return [CLASSES[event.headers[":event-type"]].model_validate_json(event.payload)
            for event in buffer]


def body(prompt: str) -> bytes:
    return b'{"conversationState":{"currentMessage":{"userInputMessage":{"content":"%s"}}}}' % (
        prompt.encode())


class Httpx:
    def __init__(self, url: str) -> None:
        import httpx

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self.url = url
        self.client: Any = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)

    async def ask(self, prompt: str) -> AsyncIterator[Shape]:
        buffer = EventStreamBuffer()
        async with self.client.stream("POST", self.url, content=body(prompt)) as answer:
            async for data in answer.aiter_bytes():
                for event in events(buffer, data):
                    yield event

    async def aclose(self) -> None:
        await self.client.aclose()


class Aiohttp:
    def __init__(self, url: str) -> None:
        import aiohttp

        self.url = url
        self.client: Any = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None))

    async def ask(self, prompt: str) -> AsyncIterator[Shape]:
        buffer = EventStreamBuffer()
        async with self.client.post(self.url, data=body(prompt)) as answer:
            async for data in answer.content.iter_any():
                for event in events(buffer, data):
                    yield event

    async def aclose(self) -> None:
        await self.client.close()
