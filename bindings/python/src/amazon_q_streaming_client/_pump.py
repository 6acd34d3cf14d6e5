# SPDX-License-Identifier: Apache-2.0
"""Waiting for the library in an event loop: one watcher of its descriptor serves every stream.

Each time the descriptor is readable, one call of the library brings what has come for all streams whose readers
wait. asyncio watches with add_reader. In trio the first task that has to wait watches for all of them, and
passes the role on when it leaves, also when it is cancelled. Nothing here starts a thread.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import Any, Awaitable, Callable, Generator, Optional

from . import _ffi as ffi
from ._native import Client, EventTuple, Failure, Operation

_NOTHING: list[EventTuple] = []


class Reader:
    """Reads one operation in an event loop, one task at a time."""

    __slots__ = ("operation", "key", "wakeup", "_pump", "status", "events", "step")

    def __init__(self, operation: Operation, pump: Pump) -> None:
        self.operation = operation
        self.key = operation.key  # for as long as it is not closed: then another may have it
        self.wakeup: Any = None  # of the task that waits; the pump's affair
        self._pump = pump
        self.status = ffi.OK  # that the library had after this step
        self.step = 0
        self.events = _NOTHING  # and these, which nobody has taken yet

    def take(self) -> Optional[tuple[int, list[EventTuple]]]:
        """As Operation.drain; None if there is nothing yet: then await news()."""
        events, self.events = self.events, _NOTHING
        if not events and not (self.status == ffi.AGAIN and self.step == self._pump.steps):
            self.step = self._pump.steps
            self.status, events = self.operation.drain()
        if events or self.status != ffi.AGAIN:
            return self.status, events
        return None

    def news(self) -> Awaitable[None]:
        """Until take() may have something, or wait() be over; too early is harmless."""
        return self._pump.wait(self)

    async def drain(self) -> tuple[int, list[EventTuple]]:
        """take(), waiting until there is something."""
        while True:
            taken = self.take()
            if taken is not None:
                return taken
            await self.news()

    async def close(self) -> None:
        """End it. Who waits is woken, and told by take."""
        key = self.operation.key
        self.operation.close()
        self.status, self.events = ffi.OK, _NOTHING
        self._pump.wake(key)


class Pump:
    """Runs the operations of one client in one event loop."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.steps = 1  # of the client, and whatever else is a reason to ask it again
        self._fd = client.fileno()
        self._waiting: dict[int, Reader] = {}  # by the key of their operation
        _pumps.add(self)

    def wait(self, reader: Reader) -> Awaitable[None]:
        """Until something was brought to it, or it is woken."""
        raise NotImplementedError

    def wake(self, key: int) -> None:
        """Let the task that waits for this operation look again, soon."""
        raise NotImplementedError

    def close(self) -> None:
        """End the client, from any loop. Whoever waits is woken, and told by drain."""
        if self.is_here() or not self.is_running():
            self._close()
        else:
            self._call_soon(self._close)

    def forget(self) -> None:
        """Leave the watch alone: the loop's own descriptor is shared with the parent, whose watch it is."""

    def is_here(self) -> bool:
        """Is this its event loop?"""
        raise NotImplementedError

    def is_running(self) -> bool:
        """Does its event loop run, here or in another thread?"""
        raise NotImplementedError

    def _step(self) -> list[Reader]:
        """Step the client, and bring those that wait what has come for them: all before any task runs, which
        may end operations and start others, with the same keys."""
        ready = self.client.step()
        self.steps += 1
        step, waiting, readers = self.steps, self._waiting, []
        for key, status, events in ready:
            reader = waiting.pop(key, None)
            if reader is not None:
                reader.status, reader.events, reader.step = status, events, step
                readers.append(reader)
        return readers

    def _leave(self, key: int) -> Optional[Reader]:
        """Who waits for this operation does so no longer: a step would bring events to nobody."""
        reader = self._waiting.pop(key, None)
        if reader is not None:
            reader.operation.wanted.value = 0
        return reader

    def _wake_all(self) -> None:
        self.steps += 1  # they have to ask the library
        for key in list(self._waiting):
            self.wake(key)

    def _close(self) -> None:
        raise NotImplementedError

    def _call_soon(self, call: Callable[[], None]) -> None:
        """In its event loop, from another thread."""
        raise NotImplementedError


_pumps: weakref.WeakSet[Pump] = weakref.WeakSet()


def _after_fork() -> None:
    """In the child the library refuses to work; those that read shall ask it and hear so."""
    for pump in _pumps:
        pump.steps += 1
        pump.forget()


os.register_at_fork(after_in_child=_after_fork)


class Wakeup:
    """What a task of asyncio waits for, as it would for a future, but over and over.

    A future lets its task run in the loop's next turn, which costs more than all else that is done for an event. This
    can run it at once, where the loop has found the descriptor readable. The methods are what a task asks of
    any future that is not of asyncio's own class.
    """

    __slots__ = (
        "_asyncio_future_blocking", "_context", "_error", "_leave", "_loop", "_reader", "_run", "_waiting",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, reader: Reader, pump: Pump) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._reader = reader
        self._waiting, self._leave = pump._waiting, pump._leave
        self._run: Optional[Callable[[Wakeup], object]] = None  # the task that waits
        self._context: Any = None  # and in which it runs
        self._error: Optional[BaseException] = None

    def __await__(self) -> Generator[Wakeup, None, None]:
        operation = self._reader.operation
        self._error = None
        self._waiting[self._reader.key] = self._reader
        operation.wanted.value = 1
        self._asyncio_future_blocking = True
        try:
            yield self
        except BaseException:
            self._leave(operation.key)
            raise

    def wake_now(self) -> None:
        """Only from a callback of the loop: then no other task is running."""
        run, self._run = self._run, None
        if run is not None:
            self._context.run(run, self)

    def wake_soon(self) -> None:
        run, self._run = self._run, None
        if run is not None and not self._loop.is_closed():
            self._loop.call_soon(run, self, context=self._context)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, run: Callable[[Wakeup], object], *, context: Any) -> None:
        self._run, self._context = run, context

    def done(self) -> bool:
        return self._run is None

    def cancel(self, msg: Optional[object] = None) -> bool:
        if self._run is None:
            return False
        self._error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self.wake_soon()
        return True

    def result(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


class AsyncioPump(Pump):
    """The watch is left in place between waits: the next one mostly comes at once."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self._loop = loop
        self._watching = False

    def wait(self, reader: Reader) -> Awaitable[None]:
        if not self._watching:
            self._loop.add_reader(self._fd, self._readable)
            self._watching = True
        wakeup: Optional[Wakeup] = reader.wakeup
        if wakeup is None:
            wakeup = reader.wakeup = Wakeup(self._loop, reader, self)
        return wakeup

    def _readable(self) -> None:
        if not self._waiting:  # nobody reads now: no reason to spin
            self._unwatch()
            return
        try:
            readers = iter(self._step())
        except Failure:  # in a forked child; each of them will see it itself
            self._unwatch()
            self._wake_all()
            return
        try:
            for reader in readers:
                reader.wakeup.wake_now()
        finally:
            for reader in readers:  # the program is being interrupted; should it go on, so do they
                reader.wakeup.wake_soon()

    def wake(self, key: int) -> None:
        reader = self._leave(key)
        if reader is not None:
            reader.wakeup.wake_soon()

    def _unwatch(self) -> None:
        if self._watching and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._watching = False

    def forget(self) -> None:
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
        self._watching: Optional[Reader] = None  # whose task watches for all

    async def wait(self, reader: Reader) -> None:
        operation, key = reader.operation, reader.key
        self._waiting[key] = reader
        operation.wanted.value = 1
        try:
            if self._watching is None:
                await self._watch(reader, key)
            else:
                reader.wakeup = self._trio.Event()
                await reader.wakeup.wait()
        except BaseException:
            self._leave(operation.key)
            raise

    async def _watch(self, own: Reader, key: int) -> None:
        self._watching = own
        try:
            while self._waiting.get(key) is own:
                await self._trio.lowlevel.wait_readable(self._fd)
                for reader in self._step():
                    if reader is not own:
                        reader.wakeup.set()
        except self._trio.ClosedResourceError:  # see wake
            pass
        finally:
            self._watching = None
            others = (other for other, reader in self._waiting.items() if reader is not own)
            successor = next(others, None)
            if successor is not None:
                self.wake(successor)  # it will watch

    def wake(self, key: int) -> None:
        reader = self._leave(key)
        if reader is None:
            return
        if reader is self._watching:
            self._trio.lowlevel.notify_closing(self._fd)
        else:
            reader.wakeup.set()

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
        if self.is_here():
            self._wake_all()  # before its descriptor is closed, which one of them watches
        self.client.close()  # if the loop has ended, all that waited has with it

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
