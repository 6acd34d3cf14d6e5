# SPDX-License-Identifier: Apache-2.0
"""Whichever transport carries the requests, a program sees the same."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import QStreamingClient, SyncQStreamingClient

SLOW = {"text": "word " * 20, "pieces": 20, "pacing_ms": 2}


@pytest.fixture(params=["curl", "h2", "httpx"])
def options(request: Any, service: Any, token: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """How a client is made that speaks TLS over this transport."""
    monkeypatch.setenv("SSL_CERT_FILE", str(service.ca))  # also httpx asks for it
    return {"access_token": token, "base_url": service.tls_url, "transport": request.param}


async def words(client: QStreamingClient) -> str:
    async with client.stream("hello") as stream:
        return await stream.text()


@pytest.mark.anyio
async def test_many_answers_come_at_once_through(
    options: Any, service: Any, nothing_left: None
) -> None:
    service.settings(answer=SLOW)
    texts: list[str] = []

    async def ask() -> None:
        texts.append(await words(client))

    async with QStreamingClient(**options) as client:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(ask)
    assert [len(t) for t in texts] == [100] * 20


@pytest.mark.anyio
async def test_a_cancelled_answer_leaves_the_others_alone_through(
    options: Any, service: Any
) -> None:
    service.settings(answer=SLOW)
    texts: list[str] = []

    async def ask() -> None:
        texts.append(await words(client))

    async with QStreamingClient(**options) as client:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(ask)
            async with client.stream("hello") as stream:
                async for _ in stream:
                    break
    assert texts == ["word " * 20] * 4


def test_threads_stream_through(options: Any) -> None:
    with SyncQStreamingClient(**options) as client:
        for _ in range(2):
            with client.stream("hello") as stream:
                assert stream.text()


@pytest.mark.anyio
async def test_a_connection_that_breaks_is_an_interrupted_stream_through(
    options: Any, service: Any
) -> None:
    service.fault("GenerateAssistantResponse", cut={"frame": 2, "offset": 20})
    async with QStreamingClient(**options) as client:
        with pytest.raises(q.QStreamInterrupted) as caught:
            await words(client)
    assert caught.value.partial is not None and not caught.value.is_retry_safe


@pytest.mark.anyio
async def test_a_request_that_is_refused_is_repeated_through(options: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", status=500, body="{}", headers={"x-amz-retry-after": "1"})
    async with QStreamingClient(**options) as client:
        assert await words(client)
    assert service.calls("GenerateAssistantResponse") == 2


@pytest.mark.anyio
async def test_advice_is_given_in_pythons_words(home: Any) -> None:
    proxy = {"transport.h2.https_proxy": "socks5://127.0.0.1:9"}
    async with QStreamingClient("t", transport="h2", settings=proxy) as client:
        with pytest.raises(q.QConfigurationError, match="use transport='curl'"):
            await words(client)
    with pytest.raises(q.QConfigurationError, match=r"name another one \(store='sqlite'\)"):
        next(q.log_in(store="token-file"))


@pytest.fixture
def peer() -> Iterator[Any]:
    """A service that answers each connection with the same bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers: list[bytes] = []

        def serve() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection, contextlib.suppress(ConnectionResetError):
                    connection.recv(65536)
                    connection.sendall(answers[0])
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):  # closed with bytes unread, it would be reset
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield answers, f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["curl", "h2", "httpx"])
@pytest.mark.parametrize(
    ("answer", "kind"), [(b"", q.QConnectionError), (b"220 mail ESMTP\r\n\r\n", q.QProtocolError)]
)
async def test_a_peer_that_gives_no_answer_is_the_same_error_through(
    peer: Any, transport: str, answer: bytes, kind: Any
) -> None:
    answers, url = peer
    answers.append(answer)
    async with QStreamingClient("t", base_url=url, transport=transport) as client:
        with pytest.raises(kind, match=f"^{url}: ") as caught:
            await words(client)
    assert type(caught.value) is kind and caught.value.partial is None
