# SPDX-License-Identifier: Apache-2.0
"""From what a caller has at hand (a string, a message, a whole state) to a ConversationState."""

from __future__ import annotations

import uuid
from typing import Any, Iterable, Optional, Sequence, Union

from ._conversation import Conversation
from ._errors import QConfigurationError
from ._history import (
    Message,
    read_history,
    results_of,
    user_message,
    with_context,
)
from ._images import Image, image_blocks
from ._tools import AnyTool, tool_models
from .models import (
    ChatTriggerType,
    ConversationState,
    Model,
    UserInputMessage,
)

__all__ = ["History", "Message", "conversation_state"]

History = Union[Conversation[Any], Sequence[Any]]
"""What `history=` takes: a Conversation, or messages, as objects or as the service's JSON."""


def conversation_state(
    message: Message,
    history: Optional[History] = None,
    tools: Optional[Iterable[AnyTool]] = None,
    images: Optional[Iterable[Image]] = None,
    model: Optional[str] = None,
    conversation_id: Optional[str] = None,
) -> ConversationState:
    """The state to send. A ConversationState is complete: keywords beside it are an error.

    Raises QConfigurationError for what the service would refuse.
    """
    if isinstance(model, Model):
        raise QConfigurationError("model: must be a string, not Model; pass its model_id")
    for name, text in (("model", model), ("conversation_id", conversation_id)):
        if text is not None and not isinstance(text, str):
            raise QConfigurationError(f"{name}: must be a string, not {type(text).__name__}")
    given = [history, tools, images, model, conversation_id]
    if isinstance(message, ConversationState):
        if any(value is not None for value in given):
            raise QConfigurationError(
                "message: a ConversationState has its own history, tools, images, model and id; "
                "change those, or pass a string or a UserInputMessage"
            )
        return message
    current = _with_images(user_message(message), images, model)
    past: Optional[list[Any]] = None
    if isinstance(history, Conversation):
        conversation_id = conversation_id or history.id
        past, current = history.prepare(current, tools)
    else:
        if history is not None:
            past = list(read_history(history))
        if tools is not None:
            current = with_context(current, tools=tool_models(tools))
    _check_not_empty(current)
    return ConversationState(
        conversation_id=conversation_id or str(uuid.uuid4()),
        history=past,
        current_message=current,
        chat_trigger_type=ChatTriggerType.MANUAL,
    )


def _with_images(
    message: UserInputMessage, images: Optional[Iterable[Image]], model: Optional[str]
) -> UserInputMessage:
    changes: dict[str, Any] = {}
    if images is not None:
        changes["images"] = image_blocks(images)
    elif message.images:
        image_blocks(message.images)
    if model is not None:
        changes["model_id"] = model
    return message.model_copy(update=changes) if changes else message


def _check_not_empty(message: UserInputMessage) -> None:
    if not (message.content.strip() or message.images or results_of(message)):
        raise QConfigurationError("message: is empty, say something, or send images or results")
