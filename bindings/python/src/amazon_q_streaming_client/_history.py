# SPDX-License-Identifier: Apache-2.0
"""Messages, and what the service expects of those that follow one another.

A history alternates, starts with the user and ends with the assistant. Results of tools follow the
message that asked for them, one for each. All sizes are bytes of UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, Union

from pydantic import BaseModel, TypeAdapter, ValidationError

from ._errors import QConfigurationError
from .models import (
    AssistantResponseMessage,
    ChatMessage,
    ConversationState,
    Origin,
    ToolInputSchema,
    ToolResult,
    ToolResultContentBlockJson,
    ToolResultContentBlockText,
    ToolResultStatus,
    ToolSpecification,
    UserInputMessage,
    UserInputMessageContext,
)

HistoryMessage = Union[UserInputMessage, AssistantResponseMessage]

Message = Union[str, UserInputMessage, ConversationState]
"""What an operation takes: a prompt, a user's message, or a whole state."""

MESSAGES_MAX = 9994
"""Messages of a history: the service takes 10,000, and the rest of the request needs room."""

RESULTS_BYTES_MAX = 400_000
"""All results that one message carries."""

_CUT = "...content truncated due to length"
_CANCELLED = "The tool was not run: the user cancelled it."
_GONE = "This tool is no longer available. Do not use it."


def user_message(message: object) -> UserInputMessage:
    """What the user says; it may be empty."""
    if isinstance(message, UserInputMessage):
        return message
    if not isinstance(message, str):
        raise QConfigurationError(
            "message: must be a string, a UserInputMessage or a ConversationState, not "
            f"{type(message).__name__}"
        )
    try:
        message.encode()
    except UnicodeEncodeError as error:
        raise QConfigurationError(
            f"message: character {error.start} is half of a surrogate pair, which is not text; "
            "read the text with errors='replace'"
        ) from None
    return UserInputMessage(content=message, origin=Origin.CLI)


def results_of(message: UserInputMessage) -> list[ToolResult]:
    context = message.user_input_message_context
    return list(context.tool_results or ()) if context is not None else []


def with_context(message: UserInputMessage, **members: Any) -> UserInputMessage:
    """The message with these members of its context."""
    context = message.user_input_message_context or UserInputMessageContext()
    return message.model_copy(
        update={"user_input_message_context": context.model_copy(update=members)}
    )


def as_past(message: UserInputMessage) -> UserInputMessage:
    """As it is kept: only the current message has a model and tools."""
    if message.model_id is not None:
        message = message.model_copy(update={"model_id": None})
    context = message.user_input_message_context
    if context is not None and context.tools is not None:
        message = with_context(message, tools=None)
        if message.user_input_message_context == UserInputMessageContext():
            message = message.model_copy(update={"user_input_message_context": None})
    return message


def read_history(history: object) -> list[HistoryMessage]:
    """Messages in the right order, of objects or of the service's JSON. Raises QConfigurationError."""
    if isinstance(history, (str, bytes, Mapping, BaseModel)) or not isinstance(history, Iterable):
        raise QConfigurationError(
            "history: must be a Conversation or a list of messages, not "
            f"{type(history).__name__}; what the user says now is the message"
        )
    messages: list[HistoryMessage] = []
    for at, item in enumerate(history):
        try:
            known = isinstance(item, (UserInputMessage, AssistantResponseMessage))
            messages.append(item if known else _read_message(item))
        except ValidationError:
            raise QConfigurationError(
                f"history: message {at + 1} must be a UserInputMessage or an "
                f"AssistantResponseMessage, not {type(item).__name__}"
            ) from None
    check_order(messages)
    return messages


_read_message = TypeAdapter[Any](ChatMessage).validate_python


def check_order(history: Sequence[object]) -> None:
    """Raise QConfigurationError unless user and assistant take turns, the user first."""
    for at, message in enumerate(history):
        wanted = UserInputMessage if at % 2 == 0 else AssistantResponseMessage
        if not isinstance(message, wanted):
            raise QConfigurationError(
                f"history: message {at + 1} must be of class {wanted.__name__}, not "
                f"{type(message).__name__}: user and assistant take turns, the user first"
            )
    if len(history) % 2:
        raise QConfigurationError(
            "history: must end with an AssistantResponseMessage, pass the last one as message"
        )


def trim(history: Sequence[HistoryMessage], limit: int) -> list[HistoryMessage]:
    """The newest pairs, at most so many messages, beginning with one that answers no tool."""
    first = max(0, len(history) - limit)
    for at in range(first + first % 2, len(history), 2):
        message = history[at]
        if at == 0 or (isinstance(message, UserInputMessage) and not results_of(message)):
            return list(history[at:])
    return []


def following(history: Sequence[HistoryMessage], message: UserInputMessage) -> UserInputMessage:
    """The message as it may follow this history: with a result for every tool asked for.

    What has no result is said to be cancelled; results that nothing asked for become text.
    """
    results = {result.tool_use_id: result for result in results_of(message)}
    last = history[-1] if history else None
    asked = (last.tool_uses or ()) if isinstance(last, AssistantResponseMessage) else ()
    if not asked:
        return flattened(message) if results else message
    complete = [
        results.get(use.tool_use_id) or error_result(use.tool_use_id, _CANCELLED) for use in asked
    ]
    unasked = set(results).difference(use.tool_use_id for use in asked)
    if unasked:
        raise QConfigurationError(
            f"tool results: {min(unasked)!r} was not asked for, pass those of the last answer"
        )
    return with_context(message, tool_results=share(complete))


def flattened(message: UserInputMessage) -> UserInputMessage:
    """The message with its tools' results as text."""
    said = " ".join(_text(block) for result in results_of(message) for block in result.content)
    text = cut(said or "<tool result redacted>", RESULTS_BYTES_MAX)
    content = f"{message.content}\n{text}" if message.content.strip() else text
    return with_context(message.model_copy(update={"content": content}), tool_results=None)


def share(results: Sequence[ToolResult]) -> list[ToolResult]:
    """The results, cut so that each has its share of what a message carries."""
    return [_limited(result, RESULTS_BYTES_MAX // len(results)) for result in results]


def _limited(result: ToolResult, left: int) -> ToolResult:
    texts = [_text(block) for block in result.content]
    if sum(len(text.encode()) for text in texts) <= left:
        return result
    content: list[ToolResultContentBlockText] = []
    for text in texts:
        content.append(ToolResultContentBlockText(text=cut(text, left)))
        left -= len(text.encode())
        if left <= 0:
            break
    return result.model_copy(update={"content": content})


def _text(block: object) -> str:
    if isinstance(block, ToolResultContentBlockText):
        return block.text
    if isinstance(block, ToolResultContentBlockJson):
        return json.dumps(block.json_, ensure_ascii=False)
    return ""


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with a remark, in at most so many bytes."""
    data = text.encode()
    if len(data) <= limit:
        return text
    room = limit - len(_CUT)
    return data[:room].decode(errors="ignore") + _CUT if room > 0 else _CUT[:limit]


def error_result(tool_use_id: str, text: str) -> ToolResult:
    """The result that tells the model what went wrong."""
    return ToolResult(
        tool_use_id=tool_use_id,
        content=[ToolResultContentBlockText(text=text)],
        status=ToolResultStatus.ERROR,
    )


def retired_tools(
    history: Iterable[HistoryMessage], present: Iterable[str]
) -> list[ToolSpecification]:
    """Stand-ins for the tools that a history used and that are no more: it may name no others."""
    known = set(present)
    retired: list[ToolSpecification] = []
    for message in history:
        uses: Optional[Sequence[Any]] = getattr(message, "tool_uses", None)
        for use in uses or ():
            if use.name not in known:
                known.add(use.name)
                schema = ToolInputSchema(json_={"type": "object", "properties": {}})
                retired.append(
                    ToolSpecification(name=use.name, description=_GONE, input_schema=schema)
                )
    return retired
