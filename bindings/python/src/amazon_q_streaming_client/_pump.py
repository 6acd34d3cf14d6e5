# SPDX-License-Identifier: Apache-2.0
"""Waiting for the library in an event loop: one watcher of its descriptor serves every stream.

asyncio watches the descriptor with add_reader. In trio the first task that has to wait watches for all of
them, and passes the role on when it leaves, also when it is cancelled. Nothing here starts a thread.
"""

from __future__ import annotations

import asyncio
from typing import Any

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
            await self._wait(operation.key)

    async def _wait(self, key: int) -> None:
        """Until the operation may have something; returning too early is harmless."""
        raise NotImplementedError

    def close(self) -> None:
        """End the client. Whoever waits is woken, and told by drain."""
        raise NotImplementedError


class AsyncioPump(Pump):
    """The watch is left in place between waits: the next one mostly comes at once."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self.loop = loop
        self._watching = False

    async def _wait(self, key: int) -> None:
        if not self._watching:
            self.loop.add_reader(self._fd, self._readable)
            self._watching = True
        waiter = self._waiters[key] = self.loop.create_future()
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
                waiter = self._waiters.pop(key, None)
                if waiter is not None and not waiter.done():
                    waiter.set_result(None)
        except Failure:  # in a forked child; each of them will see it itself
            self._unwatch()
            self._wake_all()

    def _wake_all(self) -> None:
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters.values():
            if not waiter.done():
                waiter.set_result(None)

    def _unwatch(self) -> None:
        if self._watching and not self.loop.is_closed():
            self.loop.remove_reader(self._fd)
        self._watching = False

    def close(self) -> None:
        self._unwatch()
        self.client.close()
        if not self.loop.is_closed():
            self._wake_all()


class TrioPump(Pump):
    def __init__(self, client: Client) -> None:
        import trio  # that of the program: it runs in trio

        super().__init__(client)
        self._trio: Any = trio
        self._watched = False

    async def _wait(self, key: int) -> None:
        if self._watched:
            waiter = self._waiters[key] = self._trio.Event()
            try:
                await waiter.wait()
            finally:
                if self._waiters.get(key) is waiter:
                    del self._waiters[key]
        else:
            await self._watch(key)

    async def _watch(self, own: int) -> None:
        self._watched = True
        try:
            ready: list[int] = []
            while own not in ready and not self.client.closed:
                await self._trio.lowlevel.wait_readable(self._fd)
                ready = self.client.step()
                for key in ready:
                    self._wake(key)
        except self._trio.ClosedResourceError:  # see close
            pass
        finally:
            self._watched = False
            if self._waiters:
                self._wake(next(iter(self._waiters)))  # it will watch

    def _wake(self, key: int) -> None:
        waiter = self._waiters.pop(key, None)
        if waiter is not None:
            waiter.set()

    def close(self) -> None:
        if self._watched:
            self._trio.lowlevel.notify_closing(self._fd)
        self.client.close()
        for key in list(self._waiters):
            self._wake(key)


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
