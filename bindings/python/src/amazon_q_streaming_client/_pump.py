# SPDX-License-Identifier: Apache-2.0
"""Waiting for the library in an event loop: one watcher of its descriptor serves every stream.

asyncio watches the descriptor with add_reader. In trio the first task that has to wait watches for all of
them, and passes the role on when it leaves, also when it is cancelled. Nothing here starts a thread.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Optional

from . import _ffi as ffi
from ._native import Client, EventTuple, Failure, Operation


class Pump:
    """Runs the operations of one client in one event loop."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._fd = client.fileno()
        self._waiters: dict[int, Any] = {}  # key of an operation -> who waits for it

    async def drain(self, operation: Operation) -> tuple[int, list[EventTuple]]:
        """As Operation.drain, but waits until there is something: never AGAIN with nothing."""
        while True:
            status, events = operation.drain()
            if events or status != ffi.AGAIN:
                return status, events
            await self.wait(operation.key)

    async def wait(self, key: int) -> None:
        """Until the operation may have something; returning too early is harmless."""
        raise NotImplementedError

    def end(self, operation: Operation) -> None:
        """Who waits for it is woken, and told by drain."""
        key = operation.key
        operation.close()
        self._wake(key)

    def close(self) -> None:
        """End the client, from any loop. Whoever waits is woken, and told by drain."""
        if self.is_here() or not self.is_running():
            self._close()
        else:
            self._call_soon(self._close)

    def is_here(self) -> bool:
        """Is this its event loop?"""
        raise NotImplementedError

    def is_running(self) -> bool:
        """Does its event loop run, here or in another thread?"""
        raise NotImplementedError

    def _wake(self, key: int) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError

    def _call_soon(self, call: Callable[[], None]) -> None:
        """In its event loop, from another thread."""
        raise NotImplementedError


class AsyncioPump(Pump):
    """The watch is left in place between waits: the next one mostly comes at once."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self._loop = loop
        self._watching = False

    async def wait(self, key: int) -> None:
        if not self._watching:
            self._loop.add_reader(self._fd, self._readable)
            self._watching = True
        waiter = self._waiters[key] = self._loop.create_future()
        try:
            await waiter
        finally:
            if self._waiters.get(key) is waiter:
                del self._waiters[key]

    def _readable(self) -> None:
        if not self._waiters:  # nobody reads now: no reason to spin
            self._unwatch()
            return
        try:
            for key in self.client.step():
                self._wake(key)
        except Failure:  # in a forked child; each of them will see it itself
            self._unwatch()
            self._wake_all()

    def _wake(self, key: int) -> None:
        waiter = self._waiters.pop(key, None)
        if waiter is not None and not waiter.done() and not self._loop.is_closed():
            waiter.set_result(None)

    def _wake_all(self) -> None:
        for key in list(self._waiters):
            self._wake(key)

    def _unwatch(self) -> None:
        if self._watching and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._watching = False

    def is_here(self) -> bool:
        return running_loop() is self._loop

    def is_running(self) -> bool:
        return self._loop.is_running()

    def _close(self) -> None:
        self._unwatch()
        self.client.close()
        self._wake_all()

    def _call_soon(self, call: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(call)


class TrioPump(Pump):
    def __init__(self, client: Client) -> None:
        import trio  # that of the program: it runs in trio

        super().__init__(client)
        self._trio: Any = trio
        self._run = trio.lowlevel.current_trio_token()
        self._watching: Optional[int] = None  # key of the operation whose task watches for all

    async def wait(self, key: int) -> None:
        if self._watching is not None:
            waiter = self._waiters[key] = self._trio.Event()
            try:
                await waiter.wait()
            finally:
                if self._waiters.get(key) is waiter:
                    del self._waiters[key]
        else:
            await self._watch(key)

    async def _watch(self, own: int) -> None:
        self._watching = own
        try:
            ready: list[int] = []
            while own not in ready and not self.client.closed:
                await self._trio.lowlevel.wait_readable(self._fd)
                ready = self.client.step()
                for key in ready:
                    if key != own:
                        self._wake(key)
        except self._trio.ClosedResourceError:  # see _wake
            pass
        finally:
            self._watching = None
            if self._waiters:
                self._wake(next(iter(self._waiters)))  # it will watch

    def _wake(self, key: int) -> None:
        waiter = self._waiters.pop(key, None)
        if waiter is not None:
            waiter.set()
        elif key == self._watching:
            self._trio.lowlevel.notify_closing(self._fd)

    def is_here(self) -> bool:
        if running_loop() is not None:
            return False
        try:
            return bool(self._trio.lowlevel.current_trio_token() is self._run)
        except RuntimeError:  # no loop at all
            return False

    def is_running(self) -> bool:
        try:
            self._run.run_sync_soon(lambda: None)
        except self._trio.RunFinishedError:
            return False
        return True

    def _close(self) -> None:
        if not self.is_here():  # the loop has ended, and all that waited with it
            self.client.close()
            return
        if self._watching is not None:
            self._wake(self._watching)
        self.client.close()
        for key in list(self._waiters):
            self._wake(key)

    def _call_soon(self, call: Callable[[], None]) -> None:
        self._run.run_sync_soon(call)


def running_loop() -> Any:
    """The asyncio loop that is running, or None: then it is trio's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def make_pump(client: Client) -> Pump:
    """A pump for the event loop that is running."""
    loop = running_loop()
    return AsyncioPump(client, loop) if loop is not None else TrioPump(client)
