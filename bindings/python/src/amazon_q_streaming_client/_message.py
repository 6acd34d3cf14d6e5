# SPDX-License-Identifier: Apache-2.0
"""From what a caller has at hand (a string, a message, a whole state) to a ConversationState."""

from __future__ import annotations

import uuid
from typing import Any, Iterable, Optional, Sequence, Union

from ._errors import QConfigurationError
from .models import (
    AssistantResponseMessage,
    ChatTriggerType,
    ConversationState,
    ImageBlock,
    Origin,
    UserInputMessage,
    UserInputMessageContext,
)

Message = Union[str, UserInputMessage, ConversationState]


def conversation_state(
    message: Message,
    *,
    history: Optional[Sequence[Union[UserInputMessage, AssistantResponseMessage]]] = None,
    tools: Optional[Iterable[Any]] = None,
    images: Optional[Sequence[ImageBlock]] = None,
    model: Optional[str] = None,
    conversation_id: Optional[str] = None,
) -> ConversationState:
    """The state to send. A ConversationState is complete: keywords beside it are an error."""
    given = [history, tools, images, model, conversation_id]
    if isinstance(message, ConversationState):
        if any(value is not None for value in given):
            raise QConfigurationError(
                "message: a ConversationState has its own history, tools, images, model and id; change "
                "those, or pass a string or a UserInputMessage"
            )
        return message
    return ConversationState(
        conversation_id=conversation_id or str(uuid.uuid4()),
        history=list(history) if history is not None else None,
        current_message=_user_message(message, tools, images, model),
        chat_trigger_type=ChatTriggerType.MANUAL,
    )


def _user_message(
    message: Union[str, UserInputMessage],
    tools: Optional[Iterable[Any]],
    images: Optional[Sequence[ImageBlock]],
    model: Optional[str],
) -> UserInputMessage:
    if isinstance(message, str):
        if not message.strip():
            raise QConfigurationError("message: is empty, say something")
        message = UserInputMessage(content=message, origin=Origin.CLI)
    elif not isinstance(message, UserInputMessage):
        raise QConfigurationError(
            f"message: must be a string, a UserInputMessage or a ConversationState, not "
            f"{type(message).__name__}"
        )
    changes: dict[str, Any] = {}
    if tools is not None:
        context = message.user_input_message_context or UserInputMessageContext()
        changes["user_input_message_context"] = context.model_copy(update={"tools": list(tools)})
    if images is not None:
        changes["images"] = list(images)
    if model is not None:
        changes["model_id"] = model
    return message.model_copy(update=changes) if changes else message
