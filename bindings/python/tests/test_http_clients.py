# SPDX-License-Identifier: Apache-2.0
"""The caller's own httpx client, and the library's transport in anybody's httpx client."""

from __future__ import annotations

import gc
import json
import logging
import socket
import ssl
import threading
import warnings
from typing import Any

import httpx
import pytest
from frames import STREAM, answer
from hang import HANG_S

import amazon_q_streaming_client as q
from amazon_q_streaming_client import QStreamingClient, SyncQStreamingClient

URL = "https://q.us-east-1.amazonaws.com/"


async def texts(client: QStreamingClient, **options: Any) -> list[str]:
    events = client.generate_assistant_response("hello", **options)
    return [e.content async for e in events if isinstance(e, q.AssistantResponseEvent)]


def say(*words: str) -> Any:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, headers=STREAM, content=answer(*words))

    handler.seen = seen  # type: ignore[attr-defined]
    return handler


@pytest.mark.anyio
async def test_a_mock_transport_can_be_the_service() -> None:
    handler = say("a", "b")
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        assert await texts(QStreamingClient("tok", http_client=http)) == ["a", "b"]
        assert not http.is_closed
    (request,) = handler.seen
    assert str(request.url) == URL and request.method == "POST"
    assert request.headers["authorization"] == "Bearer tok"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["x-amz-target"].endswith(".GenerateAssistantResponse")


def test_a_mock_transport_can_be_the_sync_service() -> None:
    with httpx.Client(transport=httpx.MockTransport(say("a", "b"))) as http:
        with SyncQStreamingClient("tok", http_client=http) as client:
            events = list(client.generate_assistant_response("hello"))
        assert not http.is_closed
    assert [e.content for e in events if isinstance(e, q.AssistantResponseEvent)] == ["a", "b"]


def test_the_context_of_an_export_says_which_kind_it_is() -> None:
    handler = say()
    context = q.models.UnitTestGenerationExportContext(test_generation_job_group_name="group")
    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        client = SyncQStreamingClient("tok", http_client=http)
        assert not list(client.export_result_archive("id", "UNIT_TESTS", export_context=context))
    (request,) = handler.seen
    assert json.loads(request.content) == {
        "exportId": "id",
        "exportIntent": "UNIT_TESTS",
        "exportContext": {"unitTestGenerationExportContext": {"testGenerationJobGroupName": "group"}},
    }


@pytest.mark.anyio
async def test_respx_can_be_the_service() -> None:
    respx = pytest.importorskip("respx")
    with respx.mock:
        respx.post(URL).mock(return_value=httpx.Response(200, headers=STREAM, content=answer("x")))
        async with httpx.AsyncClient() as http:
            assert await texts(QStreamingClient("tok", http_client=http)) == ["x"]


@pytest.mark.anyio
async def test_plain_httpx_over_http_2_works(service: Any, token: str) -> None:
    context = ssl.create_default_context(cafile=service.ca)
    versions = []

    async def note(response: httpx.Response) -> None:
        versions.append(response.http_version)

    async with httpx.AsyncClient(
        http2=True, verify=context, event_hooks={"response": [note]}
    ) as http:
        client = QStreamingClient(token, http_client=http, base_url=service.tls_url)
        assert await texts(client)
    assert versions == ["HTTP/2"]


@pytest.mark.anyio
async def test_what_a_client_would_do_by_default_does_not_touch_the_request(
    home: Any, monkeypatch: Any
) -> None:
    (home / ".netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    handler = say("a")
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(handler), auth=("user", "password"), follow_redirects=True
    ) as http:
        await texts(QStreamingClient("tok", http_client=http))
    assert handler.seen[0].headers["authorization"] == "Bearer tok"


@pytest.mark.anyio
async def test_a_redirect_is_refused_even_by_a_client_that_follows_them() -> None:
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://elsewhere.example/"})

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(handler), follow_redirects=True
    ) as http:
        with pytest.raises(q.QProtocolError, match="redirect to elsewhere.example refused"):
            await texts(QStreamingClient("tok", http_client=http))
    assert asked == ["q.us-east-1.amazonaws.com"]


@pytest.mark.anyio
async def test_a_hook_may_read_the_answer_first(service: Any, token: str) -> None:
    sizes = []

    async def read(response: httpx.Response) -> None:
        sizes.append(len(await response.aread()))

    for transport in (q.NativeTransport(), httpx.AsyncHTTPTransport()):
        async with httpx.AsyncClient(
            transport=transport, event_hooks={"response": [read]}
        ) as http:
            assert await texts(QStreamingClient(token, http_client=http, base_url=service.url))
    assert len(sizes) == 2 and min(sizes) > 100


TIMEOUTS = [
    ({}, {}, {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": None}),
    ({"timeout": httpx.Timeout(7.0)}, {}, {"connect": 7.0, "read": 7.0, "write": 7.0, "pool": 7.0}),
    ({"timeout": httpx.Timeout(7.0)}, {"timeout": 3}, dict.fromkeys(("connect", "read", "write", "pool"), 3)),
    ({}, {"timeout": None}, dict.fromkeys(("connect", "read", "write", "pool"))),
]


@pytest.mark.anyio
@pytest.mark.parametrize("http_options, options, expected", TIMEOUTS)
async def test_timeouts_are_the_callers_then_the_clients_then_ours(
    http_options: Any, options: Any, expected: Any
) -> None:
    handler = say("a")
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(handler), **http_options
    ) as http:
        await texts(QStreamingClient("tok", http_client=http, **options))
        await texts(QStreamingClient("tok", http_client=http), timeout=1.5)
    assert handler.seen[0].extensions["timeout"] == expected
    assert set(handler.seen[1].extensions["timeout"].values()) == {1.5}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error, kind, sent",
    [
        (httpx.ConnectError("no route"), q.QConnectionError, False),
        (httpx.ConnectTimeout("slow"), q.QTimeoutError, False),
        (httpx.ReadError("reset"), q.QConnectionError, True),
        (httpx.ReadTimeout("slow"), q.QTimeoutError, True),
        (httpx.RemoteProtocolError("it has gone."), q.QConnectionError, True),
    ],
)
async def test_what_a_client_raises_becomes_one_of_ours(error: Any, kind: Any, sent: bool) -> None:
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise error

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        with pytest.raises(kind) as caught:
            await texts(QStreamingClient("tok", http_client=http, max_retries=1))
    # what cannot have arrived is repeated; what may have been acted upon is not
    assert len(asked) == (1 if sent else 2)
    assert caught.value.is_retry_safe is not sent
    what = str(error).rstrip(".")
    assert str(caught.value) == f"{URL[:-1]}: {what}, check the network or the proxy"


@pytest.mark.parametrize("ask", [list, lambda events: events.text()], ids=["events", "stream"])
def test_what_ends_iterators_does_not_end_an_answer(ask: Any) -> None:
    """A mock that has run out of answers is not an answer without events."""
    answers: Any = iter([])
    transport = httpx.MockTransport(lambda request: next(answers))
    with httpx.Client(transport=transport) as http:
        client = SyncQStreamingClient("tok", http_client=http)
        with pytest.raises(RuntimeError, match="the exception that ends iterators"):
            ask(client.stream("hello"))


@pytest.mark.anyio
async def test_what_ends_async_iterators_does_not_end_an_answer() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise StopAsyncIteration

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        with pytest.raises(RuntimeError, match="the exception that ends iterators"):
            await QStreamingClient("tok", http_client=http).stream("hello").text()


@pytest.mark.anyio
async def test_a_client_that_is_closed_is_refused() -> None:
    http = httpx.AsyncClient()
    await http.aclose()
    with pytest.raises(q.QClosedError, match="http_client: is closed"):
        await texts(QStreamingClient("tok", http_client=http))


@pytest.mark.anyio
async def test_cookies_go_neither_to_the_service_nor_from_it_into_the_jar() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(
            200,
            headers=[*STREAM.items(), ("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")],
            content=answer("a"),
        )

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(handler), cookies={"mine": "kept"}
    ) as http:
        client = QStreamingClient("tok", http_client=http)
        for _ in range(2):
            assert await texts(client) == ["a"]
        assert dict(http.cookies) == {"mine": "kept"}
    assert ["cookie" in request.headers for request in seen] == [False, False]


@pytest.mark.anyio
async def test_no_token_is_logged_while_httpx_speaks_http_2(
    service: Any, token: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hpack logs every header, readable or as it is encoded."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("hpack"), "level", logging.NOTSET)
    logging.getLogger("hpack").setLevel(logging.NOTSET)  # forget what loggers remember
    context = ssl.create_default_context(cafile=service.ca)
    async with httpx.AsyncClient(http2=True, verify=context) as http:
        assert await texts(QStreamingClient(token, http_client=http, base_url=service.tls_url))
    assert token not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("hpack")]


@pytest.mark.anyio
async def test_an_answer_that_is_not_read_to_its_end_leaves_no_generator(
    service: Any, token: str
) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    async with httpx.AsyncClient() as http:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")  # trio's, of generators that nobody ended
            async with QStreamingClient(token, http_client=http).stream("hello") as stream:
                await stream.__anext__()
            del stream
            gc.collect()
    service.release()
    assert [str(warning.message) for warning in caught] == []


def test_a_stream_that_is_closed_while_httpx_reads_ends_with_the_next_piece() -> None:
    reading, proceed = threading.Event(), threading.Event()
    ended: list[BaseException] = []

    class Pieces(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            reading.set()
            assert proceed.wait(HANG_S)
            yield answer("late")

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=STREAM, stream=Pieces())

    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        stream = SyncQStreamingClient("tok", http_client=http).stream("hello")

        def reader() -> None:
            try:
                stream.text()
            except q.QError as error:
                ended.append(error)

        thread = threading.Thread(target=reader)
        thread.start()
        assert reading.wait(HANG_S)
        stream.close()
        proceed.set()
        thread.join(HANG_S)
    assert [type(error) for error in ended] == [q.QClosedError]


# ---- the library's transport in plain httpx ----


@pytest.mark.anyio
async def test_the_native_transport_serves_any_httpx_client(service: Any) -> None:
    async with httpx.AsyncClient(transport=q.NativeTransport()) as http:
        reply = await http.get(service.url + "/nowhere", params={"a": "b c"})
        assert reply.status_code == 404 and reply.http_version == "HTTP/1.1"
        reply = await http.post(service.control_url + "counters", json={})
        assert reply.json()["connections"] >= 0
        assert reply.headers["content-type"].startswith("application/json")


def test_the_sync_native_transport_serves_any_httpx_client(service: Any) -> None:
    with httpx.Client(transport=q.SyncNativeTransport()) as http:
        for _ in range(3):
            assert "connections" in http.post(service.control_url + "counters", json={}).json()


@pytest.mark.anyio
async def test_the_native_transport_speaks_http_2_to_a_verified_peer(service: Any) -> None:
    settings = {"transport.curl.ca_bundle": service.ca}
    async with httpx.AsyncClient(transport=q.NativeTransport(settings)) as http:
        reply = await http.get(service.tls_url + "/")
        assert reply.http_version == "HTTP/2"
    async with httpx.AsyncClient(transport=q.NativeTransport()) as http:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await http.get(service.tls_url + "/")


@pytest.mark.anyio
async def test_an_authority_that_is_not_trusted_is_told_in_pythons_terms(service: Any) -> None:
    async with QStreamingClient("t", base_url=service.tls_url) as client:
        with pytest.raises(q.QConnectionError, match=r"settings=\{'ca_bundle': PATH\}"):
            await client.get_usage_limits()
    async with QStreamingClient("t", base_url=service.tls_url, transport="httpx") as client:
        with pytest.raises(q.QConnectionError, match="SSL_CERT_FILE, or pass an http_client with"):
            await client.get_usage_limits()


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["curl", "h2", "httpx"])
async def test_an_authority_can_be_trusted_by_a_setting(service: Any, transport: str) -> None:
    trusting = {"base_url": service.tls_url, "settings": {"ca_bundle": str(service.ca)}}
    async with QStreamingClient("t", transport=transport, **trusting) as client:
        with pytest.raises(q.QTokenRejected):
            await client.get_usage_limits()
    with SyncQStreamingClient("t", transport=transport, **trusting) as sync:
        with pytest.raises(q.QTokenRejected):
            sync.get_usage_limits()
    trusting["settings"] = {"ca_bundle": __file__}
    async with QStreamingClient("t", transport=transport, **trusting) as client:
        with pytest.raises(q.QConfigurationError, match=f"ca_bundle: .*{__file__}"):
            await client.get_usage_limits()


@pytest.mark.anyio
async def test_the_native_transport_raises_what_httpx_users_expect() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        silent = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        timeout = httpx.Timeout(30.0, read=0.2)
        async with httpx.AsyncClient(transport=q.NativeTransport(), timeout=timeout) as http:
            with pytest.raises(httpx.ReadTimeout) as caught:
                await http.get(silent)
            assert caught.value.request.url == silent
            with pytest.raises(httpx.ConnectError):
                await http.get("http://127.0.0.1:9/")


@pytest.mark.anyio
async def test_an_answer_that_is_not_read_is_closed_by_its_block(
    service: Any, nothing_left: None
) -> None:
    async with httpx.AsyncClient(transport=q.NativeTransport()) as http:
        async with http.stream("GET", service.url + "/") as reply:
            assert reply.status_code


@pytest.mark.anyio
async def test_whatever_the_native_transport_raises_is_of_httpx(service: Any) -> None:
    async with httpx.AsyncClient(transport=q.NativeTransport()) as http:
        with pytest.raises(httpx.UnsupportedProtocol):
            await http.get("ftp://example.com/")
    async with httpx.AsyncClient(transport=q.NativeTransport({"nonsense": "1"})) as http:
        with pytest.raises(httpx.TransportError, match="no such setting"):
            await http.get(service.url)
        with pytest.raises(q.QConfigurationError, match="no such setting"):
            await texts(QStreamingClient("tok", http_client=http))


@pytest.mark.anyio
async def test_a_native_transport_stays_closed(service: Any, nothing_left: None) -> None:
    transport, sync_transport = q.NativeTransport(), q.SyncNativeTransport()
    await transport.handle_async_request(httpx.Request("GET", service.url))
    await transport.aclose()
    with pytest.raises(httpx.TransportError, match="was closed"):
        await transport.handle_async_request(httpx.Request("GET", service.url))
    sync_transport.close()
    with pytest.raises(httpx.TransportError, match="was closed"):
        sync_transport.handle_request(httpx.Request("GET", service.url))
