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
from typing import Any, Callable, Generator, Generic, Optional, TypeVar

from . import _ffi as ffi
from ._native import Client, EventTuple, Failure, Operation

_NOTHING: list[EventTuple] = []


class Reader:
    """Reads one operation in an event loop, one task at a time.

    `await reader` waits until take() may have something, or the operation be closed; too early is harmless. What has
    been brought meanwhile may be its result, as that of take().
    """

    __slots__ = ("operation", "key", "status", "events", "step", "_pump", "_wanted")

    def __init__(self, operation: Operation, pump: Pump[Any]) -> None:
        self.operation = operation
        self.key = operation.key  # for as long as it is not closed: then another may have it
        self.status = ffi.OK  # that the library had after this step
        self.step = 0
        self.events = _NOTHING  # and these, which nobody has taken yet
        self._pump = pump
        self._wanted = operation.wanted

    def take(self) -> Optional[tuple[int, list[EventTuple]]]:
        """As Operation.drain; None if there is nothing yet."""
        events = self.events
        if events:
            self.events = _NOTHING
            return self.status, events
        steps = self._pump.steps
        if self.step == steps and self.status == ffi.AGAIN:
            return None
        status, events = self.operation.drain()
        self.status, self.step = status, steps
        return (status, events) if events or status != ffi.AGAIN else None

    def __await__(self) -> Generator[Any, Any, Optional[tuple[int, list[EventTuple]]]]:
        raise NotImplementedError

    async def drain(self) -> tuple[int, list[EventTuple]]:
        """take(), waiting until there is something."""
        while True:
            taken = self.take() or await self
            if taken is not None:
                return taken

    async def close(self) -> None:
        """End it. Who waits is woken, and told by take."""
        key = self.operation.key
        self.operation.close()
        self.status, self.events = ffi.OK, _NOTHING
        self._pump.wake(key)


ReaderT = TypeVar("ReaderT", bound=Reader)


class Pump(Generic[ReaderT]):
    """Runs the operations of one client in one event loop."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.steps = 1  # of the client, and whatever else is a reason to ask it again
        self._fd = client.fileno()
        self._waiting: dict[int, ReaderT] = {}  # by the key of their operation
        _pumps.add(self)

    def reader(self, operation: Operation) -> ReaderT:
        """Who reads this operation of the client."""
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

    def _step(self) -> list[ReaderT]:
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

    def _leave(self, key: int) -> Optional[ReaderT]:
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


_pumps: weakref.WeakSet[Pump[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    """In the child the library refuses to work; those that read shall ask it and hear so."""
    for pump in _pumps:
        pump.steps += 1
        pump.forget()


os.register_at_fork(after_in_child=_after_fork)


class AsyncioReader(Reader):
    """What its task waits for, as it would for a future, but over and over.

    A future lets its task run in the loop's next turn, which costs more than all else that is done for an event. This
    can run it at once, where the loop has found the descriptor readable. The methods are what a task asks of
    any future that is not of asyncio's own class.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_error", "_run", "_waiting")
    _pump: AsyncioPump

    def __init__(self, operation: Operation, pump: AsyncioPump) -> None:
        super().__init__(operation, pump)
        self._asyncio_future_blocking = False
        self._waiting = pump._waiting
        self._run: Optional[Callable[[AsyncioReader], object]] = None  # the task that waits
        self._context: Any = None  # and in which it runs
        self._error: Optional[BaseException] = None  # which it is to get

    def __await__(self) -> Generator[Any, Any, Optional[tuple[int, list[EventTuple]]]]:
        pump = self._pump
        if not pump.watching:
            pump.watch()
        self._waiting[self.key] = self
        self._wanted.value = 1
        self._asyncio_future_blocking = True
        try:
            yield self
        except BaseException:
            pump._leave(self.operation.key)
            raise
        events = self.events
        if events:
            self.events = _NOTHING
            return self.status, events
        return None

    def wake_now(self) -> None:
        """Only from a callback of the loop: then no other task is running."""
        run, self._run = self._run, None
        if run is not None:
            self._context.run(run, self)

    def wake_soon(self) -> None:
        run, self._run = self._run, None
        loop = self._pump.loop
        if run is not None and not loop.is_closed():
            loop.call_soon(run, self, context=self._context)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._pump.loop

    def add_done_callback(self, run: Callable[[AsyncioReader], object], *, context: Any) -> None:
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
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class AsyncioPump(Pump[AsyncioReader]):
    """The watch is left in place between waits: the next one mostly comes at once."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self.loop = loop
        self.watching = False

    def reader(self, operation: Operation) -> AsyncioReader:
        return AsyncioReader(operation, self)

    def watch(self) -> None:
        self.loop.add_reader(self._fd, self._readable)
        self.watching = True

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
                reader.wake_now()
        finally:
            for reader in readers:  # the program is being interrupted; should it go on, so do they
                reader.wake_soon()

    def wake(self, key: int) -> None:
        reader = self._leave(key)
        if reader is not None:
            reader.wake_soon()

    def _unwatch(self) -> None:
        if self.watching and not self.loop.is_closed():
            self.loop.remove_reader(self._fd)
        self.watching = False

    def forget(self) -> None:
        self.watching = False

    def is_here(self) -> bool:
        return running_loop() is self.loop

    def is_running(self) -> bool:
        return self.loop.is_running()

    def _close(self) -> None:
        self._unwatch()
        self.client.close()
        self._wake_all()

    def _call_soon(self, call: Callable[[], None]) -> None:
        self.loop.call_soon_threadsafe(call)


class TrioReader(Reader):
    __slots__ = ("wakeup",)
    _pump: TrioPump
    wakeup: Any  # of the task that waits; the pump's affair

    def __await__(self) -> Generator[Any, Any, None]:
        return self._pump.wait(self).__await__()


class TrioPump(Pump[TrioReader]):
    def __init__(self, client: Client) -> None:
        import trio  # that of the program: it runs in trio

        super().__init__(client)
        self._trio: Any = trio
        self._run = trio.lowlevel.current_trio_token()
        self._watching: Optional[TrioReader] = None  # whose task watches for all

    def reader(self, operation: Operation) -> TrioReader:
        return TrioReader(operation, self)

    async def wait(self, reader: TrioReader) -> None:
        """Until something was brought to it, or it is woken."""
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

    async def _watch(self, own: TrioReader, key: int) -> None:
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


def make_pump(client: Client) -> Pump[Any]:
    """A pump for the event loop that is running."""
    loop = running_loop()
    return AsyncioPump(client, loop) if loop is not None else TrioPump(client)
