# SPDX-License-Identifier: Apache-2.0
"""Where tokens come from: strings, functions, and the login on this machine."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any, Iterator, Optional

import anyio
import pytest
from hang import HANG_S

import amazon_q_streaming_client as q
from amazon_q_streaming_client import Login, QStreamingClient, SyncQStreamingClient

PACKAGE = "amazon_q_streaming_client"
KEY = "codewhisperer:odic:token"


async def count(events: Any) -> int:
    return len([event async for event in events])


def stored(database: Any) -> Any:
    with sqlite3.connect(database) as connection:
        (text,) = connection.execute("select value from auth_kv where key = ?", [KEY]).fetchone()
    connection.close()
    return json.loads(text)


# ---- functions ----


@pytest.mark.anyio
async def test_a_function_may_be_async_or_sync_and_may_take_force_refresh(
    service: Any, endpoints: Any, token: str
) -> None:
    async def asynchronous() -> str:
        return token

    def forced(force_refresh: bool = False) -> str:
        assert not force_refresh
        return token

    for provider in (asynchronous, lambda: token, forced):
        async with QStreamingClient(provider) as client:
            assert await count(client.generate_assistant_response("hello"))


@pytest.mark.anyio
async def test_a_sync_function_does_not_block_the_loop(endpoints: Any, token: str) -> None:
    threads = []

    def provider() -> str:
        threads.append(threading.current_thread())
        return token

    async with QStreamingClient(provider) as client:
        await count(client.generate_assistant_response("hello"))
    assert threads[0] is not threading.main_thread()


@pytest.mark.anyio
async def test_a_rejected_token_is_renewed_once_before_the_first_event(
    endpoints: Any, token: str
) -> None:
    asked: list[bool] = []

    async def provider(force_refresh: bool = False) -> str:
        asked.append(force_refresh)
        return token if force_refresh else "stale"

    async with QStreamingClient(provider) as client:
        assert await count(client.generate_assistant_response("hello"))
    assert asked == [False, True]


def test_a_rejected_token_is_renewed_for_the_sync_client_too(endpoints: Any, token: str) -> None:
    asked: list[bool] = []

    def provider(force_refresh: bool = False) -> str:
        asked.append(force_refresh)
        return token if force_refresh else "stale"

    with SyncQStreamingClient(provider) as client:
        assert list(client.generate_assistant_response("hello"))
    assert asked == [False, True]


@pytest.mark.anyio
async def test_answers_that_were_rejected_together_share_one_renewal(
    endpoints: Any, token: str
) -> None:
    asked: list[bool] = []

    async def provider(force_refresh: bool = False) -> str:
        asked.append(force_refresh)
        await anyio.sleep(0)
        return token if force_refresh else "stale"

    async with QStreamingClient(provider) as client, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(count, client.generate_assistant_response("hello"))
    assert asked.count(True) == 1


@pytest.mark.anyio
async def test_a_token_that_is_rejected_and_cannot_be_renewed_is_an_error(endpoints: Any) -> None:
    for provider in ("stale", lambda: "stale", lambda force_refresh=False: "stale"):
        async with QStreamingClient(provider) as client:
            with pytest.raises(q.QTokenRejected) as caught:
                await count(client.generate_assistant_response("hello"))
        assert caught.value.status == 403 and caught.value.request_id


@pytest.mark.anyio
async def test_what_a_provider_raises_reaches_the_caller(endpoints: Any) -> None:
    def provider() -> str:
        raise LookupError("no vault here")

    async with QStreamingClient(provider) as client:
        with pytest.raises(LookupError, match="no vault here"):
            await count(client.generate_assistant_response("hello"))


def test_a_provider_that_returns_something_else_is_named(endpoints: Any) -> None:
    async def asynchronous() -> str:
        return "t"

    for provider, text in ((lambda: 3, "returned int"), (asynchronous, "is async")):
        with SyncQStreamingClient(provider) as client:  # type: ignore[arg-type]
            with pytest.raises(q.QConfigurationError, match=text):
                list(client.generate_assistant_response("hello"))


# ---- the login on this machine ----


@pytest.mark.anyio
async def test_from_login_uses_the_stored_login(database: Any, nothing_left: None) -> None:
    async with QStreamingClient.from_login() as client:
        assert await count(client.generate_assistant_response("hello"))


def test_from_login_works_without_a_loop(database: Any, nothing_left: None) -> None:
    with SyncQStreamingClient.from_login(store="sqlite") as client:
        assert list(client.generate_assistant_response("hello"))


@pytest.mark.anyio
async def test_an_expired_login_is_refreshed_and_saved(database: Any, endpoints: Any) -> None:
    endpoints.seed(database, expires_in=-60)
    before = stored(database)
    async with QStreamingClient.from_login() as client:
        assert await count(client.generate_assistant_response("hello"))
    assert endpoints.calls("CreateToken:refresh_token") == 1
    assert stored(database)["access_token"] != before["access_token"]


@pytest.mark.anyio
async def test_a_login_that_was_ended_elsewhere_asks_for_a_new_one(database: Any, endpoints: Any) -> None:
    endpoints.control("revoke", access_token=stored(database)["access_token"])
    async with QStreamingClient.from_login() as client:
        with pytest.raises(q.QLoginNeeded) as caught:  # its refresh token went with it
            await count(client.generate_assistant_response("hello"))
    assert str(caught.value).endswith("log in again")


def test_a_token_that_another_process_renewed_is_taken_from_the_store(
    database: Any, endpoints: Any
) -> None:
    with Login() as login:
        first = login.token()
        with Login() as other:
            second = other.token(force_refresh=True)
        assert second.access_token != first.access_token
        assert login.token() == first  # still valid as far as it knows
        assert login.renew(first.access_token).access_token == second.access_token
    assert endpoints.calls("CreateToken:refresh_token") == 1


def test_a_token_describes_itself_without_its_secret(database: Any) -> None:
    with Login() as login:
        token = login.token()
    assert token.source == "q-cli" and token.store == "sqlite"
    assert token.expires_in is not None and 3500 < token.expires_in <= 3600
    assert not token.external
    assert token.access_token not in repr(token) and token.access_token not in repr(login)


@pytest.mark.anyio
async def test_no_login_is_an_error_that_says_what_to_do(endpoints: Any) -> None:
    async with QStreamingClient.from_login() as client:
        with pytest.raises(q.QNotLoggedIn, match="login"):
            await count(client.generate_assistant_response("hello"))


STORES = [
    ("memory", q.QNotLoggedIn, "none in store 'memory'"),
    ("no-such-store", q.QConfigurationError, "store 'no-such-store': no such plugin in"),
    ("/no/such/store.so", q.QConfigurationError, "store '/no/such/store.so': .*No such file"),
    ("store.so", q.QConfigurationError, "give a name .* or an absolute path"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("store", "kind", "text"), STORES, ids=[store for store, *_ in STORES])
async def test_a_store_without_a_login_is_named_and_so_is_one_that_is_not_there(
    endpoints: Any, store: str, kind: Any, text: str
) -> None:
    with Login(store) as login, pytest.raises(kind, match=text):
        login.token()
    with SyncQStreamingClient.from_login(store) as sync, pytest.raises(kind, match=text):
        sync.get_usage_limits()
    async with QStreamingClient.from_login(store=store) as client:
        with pytest.raises(kind, match=text):
            await client.get_usage_limits()


def test_a_store_may_be_given_by_its_path(endpoints: Any) -> None:
    library = Path(os.environ.get("AQ_LIBRARY_DIR") or Path(q.__file__).parent / "lib")
    path = str(library / "amazonq" / "plugins" / "store-memory.so")
    with Login(path) as login, pytest.raises(q.QNotLoggedIn, match="none in store"):
        login.token()


def test_a_closed_login_can_be_used_again(database: Any, nothing_left: None) -> None:
    login = Login()
    first = login.token(force_refresh=False)
    login.close()
    login.close()
    assert login.renew("something else").access_token == first.access_token
    login.close()


@pytest.mark.anyio
async def test_closing_waits_for_a_refresh_without_blocking_the_loop(
    database: Any, service: Any, nothing_left: None
) -> None:
    service.seed(database, expires_in=-60)
    service.fault("CreateToken:refresh_token", hold="before")
    client = QStreamingClient.from_login()
    done: list[str] = []

    async def close() -> None:
        await client.aclose()
        done.append("closed")

    async with anyio.create_task_group() as readers:
        readers.start_soon(count, client.generate_assistant_response("hello"))
        await anyio.to_thread.run_sync(lambda: service.wait("CreateToken:refresh_token", held=1))
        readers.cancel_scope.cancel()
    async with anyio.create_task_group() as closing:
        closing.start_soon(close)
        await anyio.wait_all_tasks_blocked()
        done.append("released")
        service.release()
    assert done == ["released", "closed"]


# ---- secrets ----


def shown(error: BaseException) -> str:
    """All that a report with the locals of our functions shows."""
    text = ""
    following: Optional[traceback.TracebackException]
    following = traceback.TracebackException.from_exception(error, capture_locals=True)
    while following is not None:
        ours = [frame for frame in following.stack if PACKAGE in frame.filename]
        assert ours
        text += "".join(str(frame.locals) for frame in ours)
        following = following.__cause__
    return text


@pytest.mark.anyio
async def test_reports_of_errors_show_no_token(endpoints: Any) -> None:
    def failing(secret: str, force_refresh: bool = False) -> str:
        if force_refresh:
            raise LookupError("no vault here")
        return secret

    async def failing_async(secret: str, force_refresh: bool = False) -> str:
        return failing(secret, force_refresh)

    sources = ["top-secret", functools.partial(failing, "top-secret")]
    for source in (*sources, functools.partial(failing_async, "top-secret")):
        async with QStreamingClient(source) as client:
            with pytest.raises((LookupError, q.QTokenRejected)) as caught:
                await count(client.generate_assistant_response("hello"))
        assert "top-secret" not in shown(caught.value)
    for source in sources:
        with SyncQStreamingClient(source) as sync:
            with pytest.raises((LookupError, q.QTokenRejected)) as caught:
                list(sync.generate_assistant_response("hello"))
        assert "top-secret" not in shown(caught.value)


@pytest.mark.anyio
async def test_a_report_of_what_is_wrong_with_an_argument_shows_no_token(endpoints: Any) -> None:
    with pytest.raises(q.QConfigurationError) as caught:
        QStreamingClient("top-secret", max_retries=-1)
    assert "top-secret" not in shown(caught.value)
    with pytest.raises(q.QConfigurationError) as caught:
        SyncQStreamingClient("top-secret", max_retries=-1)
    assert "top-secret" not in shown(caught.value)
    for token in ("top-secret\n", "top-secret\N{SNOWMAN}"):
        for kind in (QStreamingClient, SyncQStreamingClient):
            with pytest.raises(q.QConfigurationError) as caught:
                kind(token)
            assert "top-secret" not in shown(caught.value)
        with pytest.raises(q.QConfigurationError) as caught:
            await QStreamingClient(lambda token=token: token).get_usage_limits()
        assert "top-secret" not in shown(caught.value)
    with pytest.raises(q.QConfigurationError) as caught:
        await QStreamingClient("top-secret" * 1639).get_usage_limits()
    assert "top-secret" not in shown(caught.value)


def test_a_client_shows_the_name_of_its_provider_and_nothing_else() -> None:
    def provider(secret: str) -> str:
        return secret

    assert "provider" in repr(QStreamingClient(provider))
    held = functools.partial(provider, "top-secret")
    for kind in (QStreamingClient, SyncQStreamingClient):
        assert "partial" in repr(kind(held))
        assert "top-secret" not in repr(kind(held)) + repr(kind("top-secret"))


@pytest.mark.anyio
async def test_a_cancelled_task_does_not_lose_an_answered_refresh(
    database: Any, endpoints: Any
) -> None:
    endpoints.seed(database, expires_in=-60)
    before = stored(database)
    endpoints.fault("CreateToken:refresh_token", hold="after")
    login = Login()
    async with anyio.create_task_group() as group:
        group.start_soon(login.token_async)
        await anyio.to_thread.run_sync(
            lambda: endpoints.wait("CreateToken:refresh_token", held=1)
        )
        group.cancel_scope.cancel()
    endpoints.release()
    await anyio.to_thread.run_sync(login.close)  # waits for the work, which nobody waits for any more
    assert stored(database)["refresh_token"] != before["refresh_token"]
    with Login() as other:
        assert other.renew("the old one").access_token == stored(database)["access_token"]
    assert endpoints.calls("CreateToken:refresh_token") == 1


PROGRAM = """
import amazon_q_streaming_client as q
with q.SyncQStreamingClient.from_login() as client:
    events = list(client.generate_assistant_response("hello"))
print(len(events))
"""


@pytest.mark.slow
def test_32_processes_with_one_expired_login_make_one_refresh(database: Any, endpoints: Any) -> None:
    endpoints.seed(database, expires_in=-60)
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
        for _ in range(32)
    ]
    answers = [process.communicate(timeout=HANG_S)[0] for process in processes]
    assert all(int(answer) > 3 for answer in answers)
    assert endpoints.calls("CreateToken:refresh_token") == 1


# ---- a broker ----


@pytest.fixture
def broker(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """`q broker` of the build beside the library, for the login of the database."""
    command = Path(os.environ.get("AQ_LIBRARY_DIR", "/nonexistent")).parent / "bin" / "q"
    if not command.exists():
        pytest.skip("the command is not built")
    with tempfile.TemporaryDirectory(prefix="q-broker.") as folder:  # a socket's path is short
        socket = Path(folder, "private", "broker.sock")
        with subprocess.Popen(
            [command, "broker", "--socket", socket],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        ) as process:
            try:
                assert process.stderr and b"listening on" in process.stderr.readline()
                monkeypatch.setenv("Q_BROKER_SOCKET", str(socket))
                monkeypatch.setenv("XDG_DATA_HOME", "/nonexistent")
                yield process
            finally:
                process.terminate()


def test_with_a_broker_no_login_is_needed_where_the_program_runs(
    broker: Any, service: Any, database: Path
) -> None:
    with Login("broker") as login:
        token = login.token()
    assert token.access_token == stored(database)["access_token"]
    assert (token.store, token.source) == ("broker", "q-cli")
    with SyncQStreamingClient.from_login(store="broker") as client:
        assert list(client.generate_assistant_response("hello"))


# ---- logins with names, and of other kinds ----


def test_a_login_with_a_name_is_used_beside_the_usual_one(
    service: Any, endpoints: Any, home: Path
) -> None:
    usual = service.seed(home / "data" / "amazon-q" / "data.sqlite3")
    work = service.seed(home / "data" / "amazonq" / "logins" / "work" / "data.sqlite3")
    with Login() as login, Login(login="work") as other:
        assert (login.token().access_token, login.token().login) == (usual["access_token"], None)
        assert (other.token().access_token, other.token().login) == (work["access_token"], "work")
    with SyncQStreamingClient.from_login(login="work") as client:
        assert list(client.generate_assistant_response("hello"))


@pytest.mark.parametrize("kind", ["oidc", "social", "external-idp"])
def test_the_service_is_told_of_a_token_that_it_wants_to_know(
    service: Any, endpoints: Any, home: Path, kind: str
) -> None:
    profile = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
    service.seed_kiro(
        home / "data" / "kiro-cli" / "data.sqlite3",
        kind=kind,
        profile=profile if kind == "social" else None,
    )
    with Login() as login:
        assert (login.token().source, login.token().kind) == ("kiro-cli", kind)
    with SyncQStreamingClient.from_login() as client:
        assert list(client.generate_assistant_response("hello"))
    told = service.requests("GenerateAssistantResponse")[-1]["headers"].get("tokentype")
    assert told == ("EXTERNAL_IDP" if kind == "external-idp" else None)


@pytest.mark.anyio
async def test_an_api_key_is_sent_with_its_header(
    service: Any, endpoints: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIRO_API_KEY", service.login(kind="api-key")["access_token"])
    async with QStreamingClient.from_login(source="kiro-api-key") as client:
        assert await count(client.generate_assistant_response("hello"))


def test_a_rejected_token_is_replaced_by_the_broker(
    broker: Any, service: Any, database: Path
) -> None:
    old = stored(database)["access_token"]
    with Login("broker") as login:
        assert login.renew(old).access_token == stored(database)["access_token"] != old
    assert service.calls("CreateToken:refresh_token") == 1


def test_a_broker_that_has_gone_is_named_in_the_error(broker: Any) -> None:
    broker.terminate()
    broker.wait()
    gone = pytest.raises(q.QError, match="nobody listens on .* start it on the host")
    with Login("broker") as login, gone:
        login.token()
