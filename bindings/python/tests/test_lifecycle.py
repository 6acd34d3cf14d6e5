# SPDX-License-Identifier: Apache-2.0
"""Cancelled tasks, closed loops, forks, threads and exits: nothing crashes, leaks or warns."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
import threading
from typing import Any

import anyio
import httpx
import pytest
from hang import HANG_S

import amazon_q_streaming_client as q
from amazon_q_streaming_client import QStreamingClient, SyncQStreamingClient

SLOW = {"text": "word " * 20, "pieces": 20, "pacing_ms": 2}


async def read(events: Any, most: int = 1000) -> int:
    seen = 0
    async for _ in events:
        seen += 1
        if seen == most:
            break
    await events.aclose()
    return seen


@pytest.mark.anyio
async def test_streams_cancelled_anywhere_leave_nothing(
    client: Any, service: Any, nothing_left: None
) -> None:
    """Each task is cancelled after a random number of turns of the loop."""
    service.settings(answer=SLOW)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    count = int(os.environ.get("AQ_TEST_CANCELS", "2000"))

    async def one(turns: int) -> None:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(read, client.generate_assistant_response("hello"))
                for _ in range(turns):
                    await anyio.sleep(0)
                scope.cancel()

    async with client:
        for start in range(0, count, 50):
            async with anyio.create_task_group() as group:
                for _ in range(min(50, count - start)):
                    group.start_soon(one, int(chance.expovariate(1 / 40)))
        assert await read(client.generate_assistant_response("hello")) > 20


@pytest.mark.anyio
async def test_a_reader_that_stops_early_can_just_leave(client: Any, nothing_left: None) -> None:
    async with client:
        for _ in range(5):
            assert await read(client.generate_assistant_response("hello"), most=2) == 2


@pytest.mark.anyio
async def test_cancelling_the_one_who_watches_does_not_stop_the_others(
    client: Any, service: Any
) -> None:
    service.settings(answer=SLOW)
    seen: list[int] = []

    async def whole() -> None:
        seen.append(await read(client.generate_assistant_response("hello")))

    async with client, anyio.create_task_group() as group:
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as watching:
                watching.start_soon(read, client.generate_assistant_response("first"))
                await anyio.sleep(0.01)
                group.start_soon(whole)
                group.start_soon(whole)
                await anyio.sleep(0.01)
                first.cancel()
    assert len(seen) == 2 and min(seen) > 20


@pytest.mark.anyio
async def test_a_slow_reader_is_not_forgotten_beside_fast_ones(client: Any, service: Any) -> None:
    """What arrives while nobody waits for it is announced to nobody."""
    service.settings(answer=SLOW)
    seen: list[int] = []

    async def read_slowly() -> None:
        count = 0
        async for _ in client.generate_assistant_response("hello"):
            count += 1
            await anyio.sleep(0.01)
        seen.append(count)

    with anyio.fail_after(HANG_S):
        async with client, anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(read_slowly)
            whole = {await read(client.generate_assistant_response("hello")) for _ in range(10)}
    assert len(seen) == 4 and set(seen) == whole


@pytest.mark.anyio
async def test_a_slow_reader_is_not_forgotten_beside_one_that_waits(
    client: Any, service: Any
) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    service.settings(answer=SLOW)
    seen = 0

    async def wait() -> None:
        await read(client.generate_assistant_response("waits"))

    with anyio.fail_after(HANG_S):
        async with client, anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.to_thread.run_sync(
                lambda: service.wait("GenerateAssistantResponse", calls=1)
            )
            async for _ in client.generate_assistant_response("slow"):
                seen += 1
                await anyio.sleep(0.01)
            whole = await read(client.generate_assistant_response("fast"))
            group.cancel_scope.cancel()
    service.release()
    assert seen == whole > 20


@pytest.mark.anyio
@pytest.mark.parametrize("through", ["the library", "httpx"])
@pytest.mark.parametrize("when", [{"stall": True}, {"stall_after": 2}], ids=["sent", "read"])
async def test_a_stream_may_be_closed_while_another_task_reads_it(
    token: str, service: Any, through: str, when: Any, nothing_left: None
) -> None:
    service.fault("GenerateAssistantResponse", **when)
    http = httpx.AsyncClient() if through == "httpx" else None
    ended: list[BaseException] = []

    async with QStreamingClient(token, http_client=http) as client:
        stream = client.stream("hello")

        async def reader() -> None:
            try:
                await stream.text()
            except q.QError as error:
                ended.append(error)

        with anyio.fail_after(HANG_S):
            async with anyio.create_task_group() as group:
                group.start_soon(reader)
                await anyio.to_thread.run_sync(
                    lambda: service.wait("GenerateAssistantResponse", calls=1)
                )
                await anyio.wait_all_tasks_blocked()
                await stream.aclose()
                await anyio.sleep(0)
        service.release()
        assert [type(error) for error in ended] == [q.QClosedError]
        assert await read(client.generate_assistant_response("still works")) > 3
    if http is not None:
        await http.aclose()


@pytest.mark.anyio
async def test_two_readers_of_one_stream_are_told_so(client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    async with client:
        call = await client.stream("hello")._open_call()

        async def reader() -> None:
            while await call.next():
                pass

        with anyio.fail_after(HANG_S):
            async with anyio.create_task_group() as group:
                group.start_soon(reader)
                await anyio.to_thread.run_sync(
                    lambda: service.wait("GenerateAssistantResponse", calls=1)
                )
                with pytest.raises(q.QConfigurationError, match="is being read already"):
                    await call.next()
                group.cancel_scope.cancel()
        await call.close()
    service.release()


@pytest.mark.anyio
async def test_a_client_that_is_closed_while_a_token_is_renewed_sends_nothing_more(
    token: str, service: Any, nothing_left: None
) -> None:
    """The same holds for the pause before another attempt."""

    async def provider(force_refresh: bool = False) -> str:
        if force_refresh:
            await client.aclose()
            return token
        return "rejected"

    client = QStreamingClient(provider)
    with pytest.raises(q.QClosedError):
        await read(client.generate_assistant_response("hello"))
    assert service.calls("GenerateAssistantResponse") == 1


@pytest.mark.anyio
async def test_closing_the_client_ends_its_streams(client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    ended: list[BaseException] = []

    async def reader() -> None:
        try:
            await read(client.generate_assistant_response("hello"))
        except q.QError as error:
            ended.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(reader)
        await anyio.to_thread.run_sync(
            lambda: service.wait("GenerateAssistantResponse", calls=1)
        )
        await client.aclose()
    service.release()
    assert [type(error) for error in ended] == [q.QClosedError]


def test_one_client_may_live_in_several_loops_one_after_the_other(
    client: Any, nothing_left: None
) -> None:
    for _ in range(3):
        assert asyncio.run(read(client.generate_assistant_response("hello"))) > 3
    asyncio.run(client.aclose())


def test_a_client_may_go_from_one_kind_of_loop_to_the_other(
    client: Any, nothing_left: None
) -> None:
    for backend in ("trio", "asyncio", "trio", "trio"):

        async def ask() -> int:
            return await read(client.generate_assistant_response("hello"))

        assert anyio.run(ask, backend=backend) > 3
    asyncio.run(client.aclose())


@pytest.mark.parametrize("other", ["asyncio", "trio"])
def test_a_client_refuses_a_second_loop_while_its_own_runs(
    client: Any, service: Any, other: str, nothing_left: None
) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    ended: list[BaseException] = []

    async def wait() -> None:
        try:
            await read(client.generate_assistant_response("hello"))
        except q.QError as error:
            ended.append(error)

    async def refused() -> None:
        with pytest.raises(q.QConfigurationError, match="another event loop"):
            await read(client.generate_assistant_response("hello"))
        await client.aclose()  # which ends the stream of the other loop

    thread = threading.Thread(target=lambda: anyio.run(wait, backend=other))
    thread.start()
    service.wait("GenerateAssistantResponse", calls=1)
    asyncio.run(refused())
    thread.join(HANG_S)
    service.release()
    assert [type(error) for error in ended] == [q.QClosedError]


def test_a_loop_that_is_gone_takes_its_streams_along(
    client: Any, service: Any, nothing_left: None
) -> None:
    service.settings(answer=SLOW)

    async def begin() -> Any:
        events = client.generate_assistant_response("hello")
        await events.__anext__()
        return events

    loop = asyncio.new_event_loop()
    events = loop.run_until_complete(begin())
    loop.close()
    del events
    asyncio.run(client.aclose())


def test_32_threads_with_a_client_each(token: str, endpoints: Any, nothing_left: None) -> None:
    seen: list[int] = []

    async def one() -> int:
        async with QStreamingClient(token) as client:
            total = 0
            for _ in range(5):
                total += await read(client.generate_assistant_response("hello"))
            return total

    threads = [
        threading.Thread(target=lambda: seen.append(asyncio.run(one()))) for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 32 and len(set(seen)) == 1


def run(program: str, code: int = 0, **environment: str) -> str:
    """A program of its own, in which warnings are errors."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        env={**os.environ, **environment},
    )
    assert result.returncode == code, result.stderr
    assert result.stderr == ""
    return result.stdout


FORK = """
import asyncio, os, sys
import amazon_q_streaming_client as q

async def main():
    client = q.QStreamingClient(os.environ["TOKEN"])
    events = client.generate_assistant_response("hello")
    await events.__anext__()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            await events.__anext__()   # what had arrived may still be handed out
            while True:
                await events.__anext__()
        except q.QClosedError:
            code = 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    rest = [event async for event in events]
    assert rest
    await client.aclose()
asyncio.run(main())
"""


def test_a_fork_in_the_middle_harms_neither_side(token: str, service: Any) -> None:
    service.settings(answer=SLOW)
    run(FORK, TOKEN=token)


FORK_AND_LEAVE = """
import asyncio, os
import amazon_q_streaming_client as q

async def main():
    async with q.QStreamingClient.from_login(transport=os.environ["TRANSPORT"]) as client:
        events = client.generate_assistant_response("hello")
        await events.__anext__()
        child = os.fork()
        if child == 0:
            try:
                async with client:
                    async for _ in events:
                        pass
            except q.QClosedError:
                os._exit(0)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [event async for event in events]
asyncio.run(main())
"""


@pytest.mark.parametrize("transport", ["curl", "h2"])
def test_a_child_may_close_its_parents_client(
    database: Any, service: Any, transport: str
) -> None:
    service.settings(answer=SLOW)
    program = FORK_AND_LEAVE
    if sys.version_info >= (3, 12):  # Python itself warns of forks beside threads
        program = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + program
    run(program, TRANSPORT=transport)


FORK_LOGIN = """
import os
import amazon_q_streaming_client as q
login = q.Login()
first = login.token()
child = os.fork()
if child == 0:
    os._exit(0 if login.renew("x").access_token == first.access_token else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert login.renew("x").access_token == first.access_token
login.close()
"""


def test_a_login_works_on_both_sides_of_a_fork(database: Any) -> None:
    version = sys.version_info
    program = FORK_LOGIN
    if version >= (3, 12):  # Python itself warns of forks beside threads
        program = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + program
    run(program)


EXITS = {
    "the end of the program": "",
    "sys.exit": "sys.exit(0)",
    "an exception": "sys.stderr = open(os.devnull, 'w'); raise SystemExit(0) from OSError('late')",
}

EXIT = """
import asyncio, atexit, os, sys
import amazon_q_streaming_client as q

client = q.QStreamingClient(os.environ["TOKEN"])
loop = asyncio.new_event_loop()
events = client.generate_assistant_response("hello")
loop.run_until_complete(events.__anext__())
sync = q.SyncQStreamingClient(os.environ["TOKEN"])
others = sync.generate_assistant_response("hello")
next(others)
loop.close()
"""


@pytest.mark.parametrize("how", EXITS.values(), ids=EXITS)
def test_a_program_may_end_with_live_streams(token: str, service: Any, how: str) -> None:
    service.settings(answer=SLOW)
    result = subprocess.run(
        [sys.executable, "-c", EXIT + how],
        env={**os.environ, "TOKEN": token},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_sqlite_in_the_same_process_keeps_its_locks(database: Any) -> None:
    """Python's own sqlite3 and the library's SQLite may have the same database open."""
    import sqlite3

    connection = sqlite3.connect(database, timeout=0)
    connection.execute("begin immediate")
    with q.Login() as login:
        login.token()
    other = [sys.executable, "-c", _TRY_LOCK, str(database)]
    assert subprocess.run(other, timeout=HANG_S).returncode == 0
    connection.rollback()
    connection.close()


_TRY_LOCK = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("begin immediate")
except sqlite3.OperationalError:
    sys.exit(0)
sys.exit(1)
"""


def test_sync_streams_that_are_left_are_closed(
    token: str, service: Any, nothing_left: None
) -> None:
    service.settings(answer=SLOW)
    with SyncQStreamingClient(token) as client:
        for _ in range(5):
            events: Any = client.generate_assistant_response("hello")
            next(events)
            events.close()


class Cycle:
    """Garbage that only the collector finds, with a stream in it that was begun."""

    def __init__(self, client: SyncQStreamingClient) -> None:
        self.itself = self
        self.events = client.generate_assistant_response("hello")
        next(iter(self.events))


def test_a_sync_stream_that_the_collector_finds_does_no_harm(
    token: str, service: Any, nothing_left: None
) -> None:
    service.settings(answer=SLOW)
    with SyncQStreamingClient(token) as client:
        Cycle(client)
        gc.collect()
        assert len(list(client.generate_assistant_response("hello"))) > 20


def test_a_sync_stream_may_be_collected_at_any_moment(token: str, service: Any) -> None:
    """Also while the pool of native clients is in use."""
    program = f"""
import faulthandler, gc, os
faulthandler.dump_traceback_later({HANG_S // 2}, exit=True)
import amazon_q_streaming_client as q

class Cycle:
    def __init__(self, client):
        self.itself, self.events = self, client.generate_assistant_response("hello")
        next(self.events)

class Pool(list):
    def pop(self, *args):
        gc.collect()
        return super().pop(*args)

with q.SyncQStreamingClient(os.environ["TOKEN"]) as client:
    Cycle(client)
    list(client.generate_assistant_response("hello"))
    client._http._idle = Pool(client._http._idle)
    print(len(list(client.generate_assistant_response("hello"))) > 20)
"""
    service.settings(answer=SLOW)
    assert run(program, TOKEN=token) == "True\n"


@pytest.mark.parametrize("closed", ["the client", "the stream"])
@pytest.mark.parametrize("when", [{"stall": True}, {"stall_after": 2}], ids=["sent", "read"])
def test_a_thread_that_reads_is_woken_when_another_closes(
    token: str, service: Any, closed: str, when: Any, nothing_left: None
) -> None:
    service.fault("GenerateAssistantResponse", **when)
    ended: list[BaseException] = []
    client = SyncQStreamingClient(token)
    stream = client.stream("hello")

    def reader() -> None:
        try:
            stream.text()
        except q.QError as error:
            ended.append(error)

    thread = threading.Thread(target=reader, daemon=True)
    thread.start()
    service.wait("GenerateAssistantResponse", calls=1)
    (client if closed == "the client" else stream).close()
    thread.join(HANG_S)
    service.release()
    client.close()
    assert [type(error) for error in ended] == [q.QClosedError]


def test_a_thread_that_would_read_while_another_closes_is_told_that_it_is_closed(
    sync_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, proceed = threading.Event(), threading.Event()
    call = sync_client.stream("hello")._open_call()
    assert call.next()
    close_answer = call._close_answer

    def close_slowly() -> None:
        closing.set()
        proceed.wait()
        close_answer()

    monkeypatch.setattr(call, "_close_answer", close_slowly)
    thread = threading.Thread(target=call.close)
    thread.start()
    closing.wait()
    try:
        with pytest.raises(q.QClosedError):
            call.next()
    finally:
        proceed.set()
        thread.join()


def test_two_threads_cannot_read_one_stream(token: str, service: Any) -> None:
    service.fault("GenerateAssistantResponse", stall=True)
    with SyncQStreamingClient(token) as client:
        call = client.stream("hello")._open_call()

        def reader() -> None:
            with pytest.raises(q.QClosedError):
                call.next()

        thread = threading.Thread(target=reader)
        thread.start()
        service.wait("GenerateAssistantResponse", calls=1)
        with pytest.raises(q.QConfigurationError, match="is being read already"):
            call.next()
        call.close()
        thread.join(HANG_S)
    service.release()
