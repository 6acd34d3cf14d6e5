# SPDX-License-Identifier: Apache-2.0
"""Streams answers from Amazon Q Developer.

This file holds names only. Each is imported when it is first asked for, so that importing the
package costs next to nothing: no model, no httpx, no event loop, no C library.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as checkers read it, without importing typing
if TYPE_CHECKING:
    from . import models as models
    from ._answer import (
        FinalMessage as FinalMessage,
        ToolRequest as ToolRequest,
    )
    from ._auth import (
        AccessTokenProvider as AccessTokenProvider,
        Login as Login,
        SyncAccessTokenProvider as SyncAccessTokenProvider,
        Token as Token,
    )
    from ._client import QStreamingClient as QStreamingClient
    from ._conversation import Conversation as Conversation
    from ._errors import (
        QAccessDenied as QAccessDenied,
        QAuthError as QAuthError,
        QClosedError as QClosedError,
        QConfigurationError as QConfigurationError,
        QConflict as QConflict,
        QConnectionError as QConnectionError,
        QError as QError,
        QInputTooLong as QInputTooLong,
        QLoginNeeded as QLoginNeeded,
        QNotLoggedIn as QNotLoggedIn,
        QOverloaded as QOverloaded,
        QProtocolError as QProtocolError,
        QQuotaExceeded as QQuotaExceeded,
        QServiceError as QServiceError,
        QStatusError as QStatusError,
        QStoreError as QStoreError,
        QStreamInterrupted as QStreamInterrupted,
        QThrottled as QThrottled,
        QTimeoutError as QTimeoutError,
        QTokenRejected as QTokenRejected,
        QTokenUnavailable as QTokenUnavailable,
        QValidationError as QValidationError,
    )
    from ._events import (
        Event as Event,
        UnknownEvent as UnknownEvent,
    )
    from ._http import (
        NativeTransport as NativeTransport,
        SyncNativeTransport as SyncNativeTransport,
    )
    from ._images import image as image
    from ._login import (
        LoggedIn as LoggedIn,
        LoginStep as LoginStep,
        Profile as Profile,
        Profiles as Profiles,
        Visit as Visit,
        Waiting as Waiting,
        log_in as log_in,
    )
    from ._stream import (
        AsyncMessageStream as AsyncMessageStream,
        MessageStream as MessageStream,
    )
    from ._sync_client import SyncQStreamingClient as SyncQStreamingClient
    from ._tool_run import (
        AsyncToolRun as AsyncToolRun,
        QTooManyRounds as QTooManyRounds,
        Step as Step,
        ToolRun as ToolRun,
    )
    from ._tools import (
        FunctionTool as FunctionTool,
        ToolError as ToolError,
        ToolOutcome as ToolOutcome,
        tool as tool,
    )
    from ._version import __version__ as __version__
    from .models import (
        AssistantResponseEvent as AssistantResponseEvent,
        AssistantResponseMessage as AssistantResponseMessage,
        BinaryMetadataEvent as BinaryMetadataEvent,
        BinaryPayloadEvent as BinaryPayloadEvent,
        CitationEvent as CitationEvent,
        CodeEvent as CodeEvent,
        CodeReferenceEvent as CodeReferenceEvent,
        ContextUsageEvent as ContextUsageEvent,
        ConversationState as ConversationState,
        DryRunSucceedEvent as DryRunSucceedEvent,
        FollowupPromptEvent as FollowupPromptEvent,
        ImageBlock as ImageBlock,
        InitialResponseEvent as InitialResponseEvent,
        IntentsEvent as IntentsEvent,
        InteractionComponentsEvent as InteractionComponentsEvent,
        InvalidStateEvent as InvalidStateEvent,
        MessageMetadataEvent as MessageMetadataEvent,
        MetadataEvent as MetadataEvent,
        MeteringEvent as MeteringEvent,
        ReasoningContentEvent as ReasoningContentEvent,
        SupplementaryWebLinksEvent as SupplementaryWebLinksEvent,
        ToolResult as ToolResult,
        ToolResultEvent as ToolResultEvent,
        ToolSpecification as ToolSpecification,
        ToolUse as ToolUse,
        ToolUseEvent as ToolUseEvent,
        UserInputMessage as UserInputMessage,
        UserInputMessageContext as UserInputMessageContext,
    )

__all__ = [
    "AccessTokenProvider",
    "AssistantResponseEvent",
    "AssistantResponseMessage",
    "AsyncMessageStream",
    "AsyncToolRun",
    "BinaryMetadataEvent",
    "BinaryPayloadEvent",
    "CitationEvent",
    "CodeEvent",
    "CodeReferenceEvent",
    "ContextUsageEvent",
    "Conversation",
    "ConversationState",
    "DryRunSucceedEvent",
    "Event",
    "FinalMessage",
    "FollowupPromptEvent",
    "FunctionTool",
    "ImageBlock",
    "InitialResponseEvent",
    "IntentsEvent",
    "InteractionComponentsEvent",
    "InvalidStateEvent",
    "LoggedIn",
    "Login",
    "LoginStep",
    "MessageMetadataEvent",
    "MessageStream",
    "MetadataEvent",
    "MeteringEvent",
    "NativeTransport",
    "Profile",
    "Profiles",
    "QAccessDenied",
    "QAuthError",
    "QClosedError",
    "QConfigurationError",
    "QConflict",
    "QConnectionError",
    "QError",
    "QInputTooLong",
    "QLoginNeeded",
    "QNotLoggedIn",
    "QOverloaded",
    "QProtocolError",
    "QQuotaExceeded",
    "QServiceError",
    "QStatusError",
    "QStoreError",
    "QStreamInterrupted",
    "QStreamingClient",
    "QThrottled",
    "QTimeoutError",
    "QTokenRejected",
    "QTokenUnavailable",
    "QTooManyRounds",
    "QValidationError",
    "ReasoningContentEvent",
    "Step",
    "SupplementaryWebLinksEvent",
    "SyncAccessTokenProvider",
    "SyncNativeTransport",
    "SyncQStreamingClient",
    "Token",
    "ToolError",
    "ToolOutcome",
    "ToolRequest",
    "ToolResult",
    "ToolResultEvent",
    "ToolRun",
    "ToolSpecification",
    "ToolUse",
    "ToolUseEvent",
    "UnknownEvent",
    "UserInputMessage",
    "UserInputMessageContext",
    "Visit",
    "Waiting",
    "__version__",
    "image",
    "log_in",
    "models",
    "tool",
]

# Where each public name lives; a name that is its module's is the module. With the imports above
# and __all__, this is all there is to extend (tests/test_exported_names.py compares the three).
_HOME = {
    "AccessTokenProvider": "_auth",
    "AssistantResponseEvent": "models",
    "AssistantResponseMessage": "models",
    "AsyncMessageStream": "_stream",
    "AsyncToolRun": "_tool_run",
    "BinaryMetadataEvent": "models",
    "BinaryPayloadEvent": "models",
    "CitationEvent": "models",
    "CodeEvent": "models",
    "CodeReferenceEvent": "models",
    "ContextUsageEvent": "models",
    "Conversation": "_conversation",
    "ConversationState": "models",
    "DryRunSucceedEvent": "models",
    "Event": "_events",
    "FinalMessage": "_answer",
    "FollowupPromptEvent": "models",
    "FunctionTool": "_tools",
    "ImageBlock": "models",
    "InitialResponseEvent": "models",
    "IntentsEvent": "models",
    "InteractionComponentsEvent": "models",
    "InvalidStateEvent": "models",
    "LoggedIn": "_login",
    "Login": "_auth",
    "LoginStep": "_login",
    "MessageMetadataEvent": "models",
    "MessageStream": "_stream",
    "MetadataEvent": "models",
    "MeteringEvent": "models",
    "NativeTransport": "_http",
    "Profile": "_login",
    "Profiles": "_login",
    "QAccessDenied": "_errors",
    "QAuthError": "_errors",
    "QClosedError": "_errors",
    "QConfigurationError": "_errors",
    "QConflict": "_errors",
    "QConnectionError": "_errors",
    "QError": "_errors",
    "QInputTooLong": "_errors",
    "QLoginNeeded": "_errors",
    "QNotLoggedIn": "_errors",
    "QOverloaded": "_errors",
    "QProtocolError": "_errors",
    "QQuotaExceeded": "_errors",
    "QServiceError": "_errors",
    "QStatusError": "_errors",
    "QStoreError": "_errors",
    "QStreamInterrupted": "_errors",
    "QStreamingClient": "_client",
    "QThrottled": "_errors",
    "QTimeoutError": "_errors",
    "QTokenRejected": "_errors",
    "QTokenUnavailable": "_errors",
    "QTooManyRounds": "_tool_run",
    "QValidationError": "_errors",
    "ReasoningContentEvent": "models",
    "Step": "_tool_run",
    "SupplementaryWebLinksEvent": "models",
    "SyncAccessTokenProvider": "_auth",
    "SyncNativeTransport": "_http",
    "SyncQStreamingClient": "_sync_client",
    "Token": "_auth",
    "ToolError": "_tools",
    "ToolOutcome": "_tools",
    "ToolRequest": "_answer",
    "ToolResult": "models",
    "ToolResultEvent": "models",
    "ToolRun": "_tool_run",
    "ToolSpecification": "models",
    "ToolUse": "models",
    "ToolUseEvent": "models",
    "UnknownEvent": "_events",
    "UserInputMessage": "models",
    "UserInputMessageContext": "models",
    "Visit": "_login",
    "Waiting": "_login",
    "__version__": "_version",
    "image": "_images",
    "log_in": "_login",
    "models": "models",
    "tool": "_tools",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module("." + home, __name__)
    value = module if home == name else getattr(module, name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
