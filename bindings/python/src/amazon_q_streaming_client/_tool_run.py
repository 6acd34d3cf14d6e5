# SPDX-License-Identifier: Apache-2.0
"""Runs the tools that the model asks for, until it has its answer."""

from __future__ import annotations

import contextvars
import inspect
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, AsyncIterator, Callable, Iterable, Iterator, Optional, Union

from typing_extensions import Self

from ._answer import FinalMessage, ToolRequest
from ._conversation import Conversation
from ._errors import QClosedError, QConfigurationError, QError
from ._events import Event
from ._history import user_message
from ._single import Single
from ._stream import AsyncMessageStream, MessageStream, async_texts, texts
from ._tools import AnyTool, FunctionTool, Toolbox, ToolOutcome, failed, succeeded
from .models import UserInputMessage

__all__ = ["AsyncToolRun", "QTooManyRounds", "Step", "ToolRun"]

_THREADS_MAX = 16  # of one round of a ToolRun


@dataclass(frozen=True)
class Step:
    """One answer of the model, and what the tools said that it asked for."""

    number: int
    """From 1."""
    message: FinalMessage
    outcomes: tuple[ToolOutcome, ...]
    """In the order of `message.tool_uses`; the last step has none."""


class QTooManyRounds(QError):
    """The model asks for tools again and again.

    The tools of the last answer were not run: the next message of the conversation tells the model
    that they were cancelled.
    """

    def __init__(self, rounds: int, conversation: Conversation[Any], answer: FinalMessage) -> None:
        super().__init__(
            f"tools: the model asks for more after {rounds} answers, raise max_rounds or go on "
            "with the conversation of this exception"
        )
        self.rounds = rounds
        self.conversation = conversation
        """All that was said."""
        self.answer = answer
        """The last answer."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Client and tools of the conversation stay behind: neither can be pickled."""
        said = Conversation.from_json(self.conversation.to_json())
        state = {**vars(self), "conversation": said}
        return type(self), (self.rounds, said, self.answer), state


class _Rounds(Single):
    """What both runs have in common: which answer it is, and what is to be handed out."""

    _awaits = True  # async tools
    _instead = "keep its steps, its conversation or final_message()"

    def __init__(
        self,
        client: Any,
        message: Union[str, UserInputMessage],
        tools: Iterable[AnyTool],
        conversation: Optional[Conversation[Any]],
        max_rounds: int,
        parallel: bool,
        options: dict[str, Any],
    ) -> None:
        if not isinstance(max_rounds, int) or max_rounds < 1:
            raise QConfigurationError(f"max_rounds: must be a number from 1 on, not {max_rounds!r}")
        self._client = client
        self._toolbox = Toolbox(tools, self._awaits)
        self.conversation: Conversation[Any] = (
            Conversation(client) if conversation is None else conversation
        )
        """What was said; a turn is added with each complete answer."""
        self._message: Union[str, UserInputMessage] = user_message(message)
        self._options = options
        self._max_rounds = max_rounds
        self._parallel = parallel
        self._number = 0
        self._ready: deque[Union[ToolOutcome, Step]] = deque()
        self._last: Optional[FinalMessage] = None  # the last answer, once there is no other
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} round {self._number} of {self._max_rounds}>"

    def _next_stream(self) -> Any:
        if self._closed:
            raise QClosedError(
                "tool run: was closed, or failed, before the last answer; read it inside 'with'"
            )
        self._number += 1
        return self.conversation.stream_through(
            self._client, self._message, tools=self._toolbox.tools, **self._options
        )

    def _answered(self, message: FinalMessage) -> tuple[ToolRequest, ...]:
        """What to run now."""
        # Images belong to the question.
        self._options.pop("images", None)
        self._message = ""
        if message.tool_uses and self._number == self._max_rounds:
            raise QTooManyRounds(self._number, self.conversation, message)
        return message.tool_uses

    def _ran(self, message: FinalMessage, outcomes: list[ToolOutcome]) -> None:
        self.conversation.add_tool_results(outcome.result for outcome in outcomes)
        self._ready += outcomes
        self._ready.append(Step(self._number, message, tuple(outcomes)))
        if not outcomes:
            self._last = message

    def _finished(self) -> FinalMessage:
        assert self._last is not None  # it was read to its end
        return self._last


class AsyncToolRun(_Rounds):
    """The answers to a message, with the tools that they ask for. What `run_tools` returns.

        async with client.run_tools("Rain in Oslo?", tools=[weather]) as run:
            async for step in run:
                print(step.message.text, [outcome.result for outcome in step.outcomes])

    Async tools run as tasks, others in threads; those of one answer at the same time, unless
    `parallel` is False. When the run is cancelled, so are async tools; threads are waited for.
    Iterating over `events` gives all there is, `text_stream` the text of all answers.
    """

    _stream: Optional[AsyncMessageStream] = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it; an answer that is not complete is cancelled."""
        self._closed = True
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    def __aiter__(self) -> AsyncIterator[Step]:
        return _Steps(self.events)

    @property
    def events(self) -> AsyncIterator[Union[Event, ToolOutcome, Step]]:
        """The events of each answer, then the outcomes of its tools, then the step."""
        return _AsyncEvents(self)

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The pieces of the text of all answers."""
        return async_texts(self.events)

    async def final_message(self) -> FinalMessage:
        """The last answer, once there is no other."""
        async for _ in self:
            pass
        return self._finished()

    async def text(self) -> str:
        """The text of the last answer."""
        return (await self.final_message()).text

    async def next_event(self) -> Optional[Union[Event, ToolOutcome, Step]]:
        """What comes next; None at the end."""
        try:
            while not self._ready:
                if self._last is not None:
                    return None
                stream = self._stream
                if stream is None:
                    stream = self._stream = self._next_stream()
                async for event in stream:
                    return event
                message = await stream.final_message()
                self._stream = None
                self._ran(message, await self._run(self._answered(message)))
        except BaseException:
            await self.aclose()
            raise
        return self._ready.popleft()

    async def _run(self, requests: tuple[ToolRequest, ...]) -> list[ToolOutcome]:
        if len(requests) < 2 or not self._parallel:
            return [await self._run_one(request) for request in requests]
        import anyio

        outcomes: dict[int, ToolOutcome] = {}

        async def run(at: int, request: ToolRequest) -> None:
            outcomes[at] = await self._run_one(request)

        async with anyio.create_task_group() as group:
            for at, request in enumerate(requests):
                group.start_soon(run, at, request)
        return [outcomes[at] for at in range(len(requests))]

    async def _run_one(self, request: ToolRequest) -> ToolOutcome:
        import anyio.to_thread

        try:
            tool, arguments = self._toolbox.find(request)
            if tool.is_async:
                value = await tool.function(**arguments)
            else:
                value = (await anyio.to_thread.run_sync(_attempt, tool, arguments))()
                if inspect.isawaitable(value):  # of an async function in a plain wrapper
                    value = await value
            return succeeded(request, value)
        except Exception as error:
            return failed(request, error)


def _attempt(tool: FunctionTool, arguments: dict[str, Any]) -> Callable[[], Any]:
    """Call it; what comes back gives its result. Not every exception may leave a thread."""
    future: Future[Any] = Future()
    try:
        future.set_result(tool.function(**arguments))
    except Exception as error:
        future.set_exception(error)
    return future.result


# Not async generators: those want to be closed, or trio complains.


class _AsyncEvents:
    def __init__(self, run: AsyncToolRun) -> None:
        self._run = run

    def __aiter__(self) -> _AsyncEvents:
        return self

    async def __anext__(self) -> Union[Event, ToolOutcome, Step]:
        event = await self._run.next_event()
        if event is None:
            raise StopAsyncIteration
        return event


class _Steps:
    def __init__(self, events: AsyncIterator[Any]) -> None:
        self._events = events

    def __aiter__(self) -> _Steps:
        return self

    async def __anext__(self) -> Step:
        while True:
            event = await self._events.__anext__()
            if isinstance(event, Step):
                return event


class ToolRun(_Rounds):
    """As AsyncToolRun, for threads, and for tools that are not async.

    A tool runs in the caller's thread; several of one answer run in threads, unless `parallel` is
    False.
    """

    _awaits = False
    _stream: Optional[MessageStream] = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; an answer that is not complete is cancelled."""
        self._closed = True
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def __iter__(self) -> Iterator[Step]:
        return (event for event in self.events if isinstance(event, Step))

    @property
    def events(self) -> Iterator[Union[Event, ToolOutcome, Step]]:
        """The events of each answer, then the outcomes of its tools, then the step."""
        while (event := self.next_event()) is not None:
            yield event

    @property
    def text_stream(self) -> Iterator[str]:
        """The pieces of the text of all answers."""
        return texts(self.events)

    def final_message(self) -> FinalMessage:
        """The last answer, once there is no other."""
        for _ in self:
            pass
        return self._finished()

    def text(self) -> str:
        """The text of the last answer."""
        return self.final_message().text

    def next_event(self) -> Optional[Union[Event, ToolOutcome, Step]]:
        """What comes next; None at the end."""
        try:
            while not self._ready:
                if self._last is not None:
                    return None
                stream = self._stream
                if stream is None:
                    stream = self._stream = self._next_stream()
                for event in stream:
                    return event
                message = stream.final_message()
                self._stream = None
                self._ran(message, self._run(self._answered(message)))
        except BaseException:
            self.close()
            raise
        return self._ready.popleft()

    def _run(self, requests: tuple[ToolRequest, ...]) -> list[ToolOutcome]:
        if len(requests) < 2 or not self._parallel:
            return [self._run_one(request) for request in requests]
        pool = ThreadPoolExecutor(min(len(requests), _THREADS_MAX), "amazon-q-tool")
        try:
            futures = [
                pool.submit(contextvars.copy_context().run, self._run_one, request)
                for request in requests
            ]
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)

    def _run_one(self, request: ToolRequest) -> ToolOutcome:
        try:
            tool, arguments = self._toolbox.find(request)
            return succeeded(request, tool.function(**arguments))
        except Exception as error:
            return failed(request, error)
