# SPDX-License-Identifier: Apache-2.0
"""Conversation: what was said, kept so that the service takes it as a history."""

from __future__ import annotations

import json
import uuid
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Coroutine,
    Generic,
    Iterable,
    Iterator,
    Optional,
    Sequence,
    TypeVar,
    Union,
    overload,
)

from typing_extensions import TypedDict, Unpack

from ._answer import FinalMessage
from ._errors import QConfigurationError
from ._history import (
    MESSAGES_MAX,
    HistoryMessage,
    as_past,
    read_history,
    flattened,
    following,
    results_of,
    retired_tools,
    trim,
    user_message,
    with_context,
)
from ._http import Timeouts
from ._images import Image, image_blocks
from ._tools import AnyTool, list_tools, tool_models
from .models import AssistantResponseMessage, ToolResult, ToolSpecification, UserInputMessage

if TYPE_CHECKING:
    from ._client import QStreamingClient
    from ._stream import AsyncMessageStream, MessageStream
    from ._sync_client import SyncQStreamingClient
    from ._tool_run import AsyncToolRun, ToolRun

__all__ = ["Conversation"]

class StreamOptions(TypedDict, total=False):
    """Keywords of `client.stream` that a conversation passes on."""

    images: Optional[Iterable[Image]]
    model: Optional[str]
    agent_mode: Optional[str]
    profile_arn: Optional[str]
    timeout: Timeouts
    max_retries: Optional[int]
    drop_referenced_code: bool


class RunOptions(StreamOptions, total=False):
    """Keywords of `client.run_tools` that a conversation passes on."""

    max_rounds: int
    parallel: bool


ClientT_co = TypeVar("ClientT_co", covariant=True)
OtherT = TypeVar("OtherT")

_VERSION = 1  # of what to_json() writes


class Conversation(Sequence[HistoryMessage], Generic[ClientT_co]):
    """A conversation through a client, async or sync; a sequence of the messages so far.

        conversation = Conversation(client)
        print((await conversation.ask("My name is Ann.")).text)
        print((await conversation.ask("What is my name?")).text)

    A turn is added when its answer is complete; a request that fails, or is left early, changes
    nothing. One answer at a time: `copy()` makes a conversation that goes another way.

    client: without one, the conversation can be passed as `history=`, which adds nothing to it.
    id: the conversation's UUID; a new one if there is none.
    history: messages to begin with, alternating, a user's first.
    model, tools: for every request, unless that says otherwise.
    max_messages: when there are more, the oldest turns are forgotten.
    """

    @overload
    def __init__(
        self: Conversation[None],
        client: None = None,
        *,
        id: Optional[str] = None,
        history: Iterable[HistoryMessage] = (),
        model: Optional[str] = None,
        tools: Optional[Iterable[AnyTool]] = None,
        max_messages: int = MESSAGES_MAX,
    ) -> None: ...

    @overload
    def __init__(
        self,
        client: ClientT_co,
        *,
        id: Optional[str] = None,
        history: Iterable[HistoryMessage] = (),
        model: Optional[str] = None,
        tools: Optional[Iterable[AnyTool]] = None,
        max_messages: int = MESSAGES_MAX,
    ) -> None: ...

    def __init__(
        self,
        client: Any = None,
        *,
        id: Optional[str] = None,
        history: Iterable[HistoryMessage] = (),
        model: Optional[str] = None,
        tools: Optional[Iterable[AnyTool]] = None,
        max_messages: int = MESSAGES_MAX,
    ) -> None:
        if isinstance(client, type):
            raise QConfigurationError(
                f"conversation: {client.__name__} is the class, pass a client that was made of it"
            )
        if client is not None and not callable(getattr(client, "stream", None)):
            raise QConfigurationError(
                "conversation: the client must be a QStreamingClient or a SyncQStreamingClient, not "
                f"{type(client).__name__}; what the user says goes to ask() or stream()"
            )
        for name, text in (("id", id), ("model", model)):
            if text is not None and not isinstance(text, str):
                raise QConfigurationError(f"{name}: must be a string, not {type(text).__name__}")
        if not isinstance(max_messages, int) or not 2 <= max_messages <= MESSAGES_MAX:
            raise QConfigurationError(
                f"max_messages: must be 2 to {MESSAGES_MAX}, not {max_messages!r}"
            )
        self.id = id or str(uuid.uuid4())
        self.model = model
        self.tools: Optional[list[AnyTool]] = None if tools is None else list_tools(tools)
        self.max_messages = max_messages
        self._client = client
        self._results: list[ToolResult] = []
        self._messages = read_history(history)
        if self._messages:
            first = self._messages[0]
            assert isinstance(first, UserInputMessage)  # checked
            if results_of(first):
                self._messages[0] = flattened(first)

    def __repr__(self) -> str:
        return f"<Conversation {self.id} of {len(self._messages)} messages>"

    # ---- as a sequence ----

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[HistoryMessage]:
        return iter(tuple(self._messages))

    @overload
    def __getitem__(self, index: int) -> HistoryMessage: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[HistoryMessage]: ...

    def __getitem__(
        self, index: Union[int, slice]
    ) -> Union[HistoryMessage, Sequence[HistoryMessage]]:
        return self._messages[index]

    # ---- to ask ----

    @overload
    def stream(
        self: Conversation[QStreamingClient],
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Unpack[StreamOptions],
    ) -> AsyncMessageStream: ...

    @overload
    def stream(
        self: Conversation[SyncQStreamingClient],
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Unpack[StreamOptions],
    ) -> MessageStream: ...

    def stream(
        self,
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Any,
    ) -> Any:
        """Ask, and read the answer as it comes: `client.stream` with this conversation's history.

        The message may be empty when results of tools are to be sent (`add_tool_results`).
        """
        return self.stream_through(self._own_client(), message, tools=tools, **options)

    @overload
    def ask(
        self: Conversation[QStreamingClient],
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Unpack[StreamOptions],
    ) -> Coroutine[Any, Any, FinalMessage]: ...

    @overload
    def ask(
        self: Conversation[SyncQStreamingClient],
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Unpack[StreamOptions],
    ) -> FinalMessage: ...

    def ask(
        self,
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Any,
    ) -> Any:
        """Ask, and get the whole answer; to be awaited if the client is async."""
        return self.stream_through(
            self._own_client(), message, tools=tools, **options
        ).final_message()

    @overload
    def run_tools(
        self: Conversation[QStreamingClient],
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Unpack[RunOptions],
    ) -> AsyncToolRun: ...

    @overload
    def run_tools(
        self: Conversation[SyncQStreamingClient],
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Unpack[RunOptions],
    ) -> ToolRun: ...

    def run_tools(
        self,
        message: Union[str, UserInputMessage] = "",
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Any,
    ) -> Any:
        """As `client.run_tools`, in this conversation and with its tools."""
        wanted = self.tools if tools is None else tools
        return self._own_client().run_tools(
            message, tools=wanted or (), conversation=self, **options
        )

    def add_tool_results(self, results: Iterable[ToolResult]) -> None:
        """Results of tools that the last answer asked for; they go with the next message.

        Those that are missing by then are sent as cancelled.
        """
        if isinstance(results, ToolResult) or not isinstance(results, Iterable):
            raise QConfigurationError(
                f"tool results: must be a list of ToolResult, not {type(results).__name__}"
            )
        added = list(results)
        for result in added:
            if not isinstance(result, ToolResult):
                raise QConfigurationError(
                    f"tool results: must be a list of ToolResult, not of {type(result).__name__}"
                )
        asked = {use.tool_use_id for use in self._asked()}
        for result in added:
            if result.tool_use_id not in asked:
                raise QConfigurationError(
                    f"tool results: {result.tool_use_id!r} was not asked for, pass those of the "
                    "last answer"
                )
        replaced = {result.tool_use_id for result in added}
        self._results = [r for r in self._results if r.tool_use_id not in replaced] + added

    def copy(self) -> Conversation[ClientT_co]:
        """Another conversation, with an id of its own, that begins with the same messages."""
        other: Conversation[Any] = Conversation(
            self._client,
            history=self._messages,
            model=self.model,
            tools=self.tools,
            max_messages=self.max_messages,
        )
        other._results = list(self._results)
        return other

    __copy__ = copy

    def clear(self) -> None:
        """Forget what was said."""
        self._messages = []
        self._results = []

    # ---- to keep ----

    def to_json(self) -> str:
        """The conversation as text, without client and tools. It holds all that was said."""
        return json.dumps(
            {
                "version": _VERSION,
                "id": self.id,
                "model": self.model,
                "maxMessages": self.max_messages,
                "history": [_to_wire(message) for message in self._messages],
                "toolResults": [result.to_wire() for result in self._results],
            },
            ensure_ascii=False,
        )

    @overload
    @staticmethod
    def from_json(
        text: Union[str, bytes],
        client: None = None,
        *,
        tools: Optional[Iterable[AnyTool]] = None,
    ) -> Conversation[None]: ...

    @overload
    @staticmethod
    def from_json(
        text: Union[str, bytes],
        client: OtherT,
        *,
        tools: Optional[Iterable[AnyTool]] = None,
    ) -> Conversation[OtherT]: ...

    @staticmethod
    def from_json(
        text: Union[str, bytes],
        client: Any = None,
        *,
        tools: Optional[Iterable[AnyTool]] = None,
    ) -> Conversation[Any]:
        """A conversation that to_json() wrote."""
        try:
            data = json.loads(text)
            if data["version"] != _VERSION:
                raise QConfigurationError(
                    f"conversation: has version {data['version']}, this package reads {_VERSION}; "
                    "update the package"
                )
            conversation = Conversation(
                client,
                id=data["id"],
                history=[_from_wire(message) for message in data["history"]],
                model=data["model"],
                tools=tools,
                max_messages=data["maxMessages"],
            )
            conversation.add_tool_results(
                ToolResult.from_wire(result) for result in data["toolResults"]
            )
        except QConfigurationError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError):
            raise QConfigurationError(
                "conversation: cannot be read, pass what to_json() wrote"
            ) from None
        return conversation

    # ---- for the package ----

    def prepare(
        self, message: UserInputMessage, tools: Optional[Iterable[AnyTool]] = None
    ) -> tuple[list[HistoryMessage], UserInputMessage]:
        """History and message to send: trimmed, with results for all tools that were asked for."""
        history = trim(self._messages, self.max_messages)
        if self._results:
            message = with_context(message, tool_results=[*self._results, *results_of(message)])
        message = following(history, message)
        present = tool_models(self.tools if tools is None else tools)
        names = [tool.name for tool in present if isinstance(tool, ToolSpecification)]
        present += retired_tools(history, names)
        if present:
            message = with_context(message, tools=present)
        if self.model is not None and message.model_id is None:
            message = message.model_copy(update={"model_id": self.model})
        return history, message

    def stream_through(
        self,
        client: Any,
        message: Union[str, UserInputMessage],
        *,
        tools: Optional[Iterable[AnyTool]] = None,
        **options: Any,
    ) -> Any:
        """A stream of this client whose turn is added when its answer is complete."""
        said = user_message(message)
        images = options.pop("images", None)
        if images is not None:
            said = said.model_copy(update={"images": image_blocks(images)})
        history, sent = self.prepare(said, tools)
        stream = client.stream(sent, history=history, conversation_id=self.id, **options)
        stream.when_complete(self._turn(history, sent))
        return stream

    def _turn(
        self, history: list[HistoryMessage], sent: UserInputMessage
    ) -> Callable[[FinalMessage], None]:
        began_with = self._messages

        def add(answer: FinalMessage) -> None:
            if self._messages is not began_with:
                raise QConfigurationError(
                    "conversation: another turn was added while this answer came; ask one after "
                    "the other, or use copy()"
                )
            turn = [*history, as_past(sent), answer.to_history()]
            self._messages = trim(turn, self.max_messages)
            self._results = []

        return add

    def _asked(self) -> Sequence[Any]:
        last = self._messages[-1] if self._messages else None
        return (last.tool_uses or ()) if isinstance(last, AssistantResponseMessage) else ()

    def _own_client(self) -> Any:
        if self._client is None:
            raise QConfigurationError(
                "conversation: has no client, make it with Conversation(client)"
            )
        return self._client


def _to_wire(message: HistoryMessage) -> dict[str, Any]:
    name = "userInputMessage" if isinstance(message, UserInputMessage) else _ASSISTANT
    return {name: message.to_wire()}


def _from_wire(message: dict[str, Any]) -> HistoryMessage:
    if _ASSISTANT in message:
        return AssistantResponseMessage.from_wire(message[_ASSISTANT])
    return UserInputMessage.from_wire(message["userInputMessage"])


_ASSISTANT = "assistantResponseMessage"
