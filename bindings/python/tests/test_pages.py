# SPDX-License-Identifier: Apache-2.0
"""Lists that come in pages."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import QStreamingClient, SyncQStreamingClient

JSON = {"content-type": "application/x-amz-json-1.0"}


class Service:
    """Answers with one page after another, and with the last one for ever."""

    def __init__(self, *next_tokens: str) -> None:
        self.pages = list(next_tokens)
        self.asked: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content).get("nextToken"))
        assert len(self.asked) < 10, "asks again and again"
        next_token = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        page = {"models": [{"modelId": str(len(self.asked))}], "nextToken": next_token}
        return httpx.Response(200, json=page, headers=JSON)


async def read(service: Service) -> list[str]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(service)) as http:
        client = QStreamingClient("t", http_client=http)
        return [model.model_id for model in await client.list_available_models()]


def read_sync(service: Service) -> list[str]:
    with httpx.Client(transport=httpx.MockTransport(service)) as http:
        client = SyncQStreamingClient("t", http_client=http)
        return [model.model_id for model in client.list_available_models()]


@pytest.mark.anyio
async def test_a_list_has_what_is_on_all_pages() -> None:
    service = Service("two", "three", "")
    assert await read(service) == ["1", "2", "3"]
    assert service.asked == [None, "two", "three"]
    assert read_sync(Service("two", "three", "")) == ["1", "2", "3"]


@pytest.mark.anyio
@pytest.mark.parametrize("tokens", [("same",), ("one", "two", "one")])
async def test_a_service_that_leads_in_a_circle_is_an_error(tokens: tuple[str, ...]) -> None:
    with pytest.raises(q.QProtocolError, match="no end"):
        await read(Service(*tokens))
    with pytest.raises(q.QProtocolError, match="no end"):
        read_sync(Service(*tokens))


@pytest.mark.anyio
async def test_a_page_is_asked_for_when_the_one_before_has_been_read() -> None:
    service = Service("two", "three", "")
    async with httpx.AsyncClient(transport=httpx.MockTransport(service)) as http:
        models = QStreamingClient("t", http_client=http).iter_available_models()
        assert service.asked == []
        assert (await models.__anext__()).model_id == "1"
        assert service.asked == [None]
        assert [model.model_id async for model in models] == ["2", "3"]
    assert service.asked == [None, "two", "three"]


def test_a_page_is_asked_for_in_threads_when_the_one_before_has_been_read() -> None:
    service = Service("two", "three", "")
    with httpx.Client(transport=httpx.MockTransport(service)) as http:
        models = SyncQStreamingClient("t", http_client=http).iter_available_models()
        assert service.asked == []
        assert next(models).model_id == "1"
        assert service.asked == [None]
        assert [model.model_id for model in models] == ["2", "3"]


@pytest.mark.anyio
async def test_profiles_come_one_by_one() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        last = "nextToken" in json.loads(request.content)
        profiles = [{"arn": f"arn:{int(last)}", "profileName": "p"}]
        return httpx.Response(200, json={"profiles": profiles, **({} if last else {"nextToken": "n"})})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = QStreamingClient("t", http_client=http)
        profiles = [profile async for profile in client.iter_available_profiles()]
        assert [profile.arn for profile in profiles] == ["arn:0", "arn:1"]
        assert profiles == await client.list_available_profiles()
    with httpx.Client(transport=httpx.MockTransport(answer)) as sync_http:
        sync = SyncQStreamingClient("t", http_client=sync_http)
        assert list(sync.iter_available_profiles()) == profiles == sync.list_available_profiles()
