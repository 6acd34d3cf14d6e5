# SPDX-License-Identifier: Apache-2.0
"""What both clients can be asked for, said once: their methods that stream, and the keywords of all."""

from __future__ import annotations

from typing import Any, Generic, Iterable, Mapping, Optional, TypeVar, Union

from typing_extensions import TypedDict, Unpack

from . import _ffi as ffi
from ._conversation import Conversation, StreamOptions
from ._http import NOT_GIVEN, Timeouts
from ._images import Image
from ._message import History, Message, conversation_state
from ._operations import Options, Request, build_body
from ._single import Single
from ._tools import AnyTool
from .models import (
    ConversationState,
    ExportContext,
    ExportIntent,
    ExportResultArchiveRequest,
    GenerateAssistantResponseRequest,
    GenerateTaskAssistPlanRequest,
    SendMessageRequest,
    UserInputMessage,
    WorkspaceState,
)

EventsT = TypeVar("EventsT")
StreamT = TypeVar("StreamT")
RunT = TypeVar("RunT")


class AnyClientOptions(TypedDict, total=False):
    """Keywords of either client that `from_login` passes on."""

    transport: Optional[str]
    base_url: Optional[str]
    region: Optional[str]
    profile_arn: Optional[str]
    timeout: Timeouts
    max_retries: int
    user_agent: str
    settings: Optional[Mapping[str, str]]


class Requests(Single, Generic[EventsT, StreamT, RunT]):
    """The methods that stream.

    Keywords of every method: profile_arn, timeout (seconds, or an httpx.Timeout) and max_retries, in place of
    those of the client.
    """

    _options: Options
    _instead = "make another one; in other processes, one in each"

    def __repr__(self) -> str:
        about = vars(self)  # as far as it was made: reports of errors show it in __init__, too
        return f"<{type(self).__name__} {about.get('_options')} {about.get('_tokens')!r}>"

    def generate_assistant_response(
        self,
        message: Message,
        *,
        history: Optional[History] = None,
        tools: Optional[Iterable[AnyTool]] = None,
        images: Optional[Iterable[Image]] = None,
        model: Optional[str] = None,
        conversation_id: Optional[str] = None,
        agent_mode: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> EventsT:
        """Ask, and iterate over the events of the answer as they come.

        message: a string, a UserInputMessage, or a whole ConversationState.
        history: a Conversation, or messages that alternate, a user's first.
        tools: functions with @tool, or ToolSpecifications. The model only asks for them: see run_tools.
        images: paths, bytes, open files, or what image() returned.
        model: its id, the `model_id` of one of list_available_models(); else the service chooses.
        conversation_id: a UUID, of the conversation that the history is of; else a new one.
        """
        state = conversation_state(message, history, tools, images, model, conversation_id)
        body = build_body(
            GenerateAssistantResponseRequest, conversation_state=state, agent_mode=agent_mode
        )
        call = ffi.CALL_GENERATE_ASSISTANT_RESPONSE
        return self._events(self._options.request(call, body, profile_arn, timeout, max_retries))

    def stream(
        self,
        message: Message,
        *,
        history: Optional[History] = None,
        tools: Optional[Iterable[AnyTool]] = None,
        images: Optional[Iterable[Image]] = None,
        model: Optional[str] = None,
        conversation_id: Optional[str] = None,
        agent_mode: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
        drop_referenced_code: bool = False,
    ) -> StreamT:
        """As generate_assistant_response, with what is usually wanted of an answer: its text, the whole message.

            with client.stream("Hello") as stream:      # with QStreamingClient: async with, async for
                for text in stream.text_stream:
                    print(text, end="", flush=True)

        drop_referenced_code: leave out pieces of text that the service says are licensed code, as
            the command line does. Text then comes one event late.
        """
        state = conversation_state(message, history, tools, images, model, conversation_id)
        body = build_body(
            GenerateAssistantResponseRequest, conversation_state=state, agent_mode=agent_mode
        )
        call = ffi.CALL_GENERATE_ASSISTANT_RESPONSE
        request = self._options.request(call, body, profile_arn, timeout, max_retries)
        return self._stream(request, drop_referenced_code)

    def run_tools(
        self,
        message: Union[str, UserInputMessage],
        *,
        tools: Iterable[AnyTool],
        conversation: Optional[Conversation[Any]] = None,
        max_rounds: int = 10,
        parallel: bool = True,
        **options: Unpack[StreamOptions],
    ) -> RunT:
        """Ask, and run the tools that the model asks for until it has its answer.

            with client.run_tools("Rain in Oslo?", tools=[weather]) as run:     # or async, as stream()
                for step in run:
                    print(step.message.text)

        conversation: goes on with it; without one, a new one, which is `run.conversation`.
        max_rounds: answers, before QTooManyRounds is raised.
        parallel: run the tools of one answer at the same time.
        options: as for stream().
        """
        self._options.check_open()
        return self._run(message, tools, conversation, max_rounds, parallel, dict(options))

    def send_message(
        self,
        message: Message,
        *,
        history: Optional[History] = None,
        tools: Optional[Iterable[AnyTool]] = None,
        images: Optional[Iterable[Image]] = None,
        model: Optional[str] = None,
        conversation_id: Optional[str] = None,
        source: Optional[str] = None,
        dry_run: Optional[bool] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> EventsT:
        """As generate_assistant_response, by the operation SendMessage."""
        state = conversation_state(message, history, tools, images, model, conversation_id)
        body = build_body(
            SendMessageRequest, conversation_state=state, source=source, dry_run=dry_run
        )
        call = ffi.CALL_SEND_MESSAGE
        return self._events(self._options.request(call, body, profile_arn, timeout, max_retries))

    def generate_task_assist_plan(
        self,
        conversation_state: ConversationState,
        workspace_state: WorkspaceState,
        *,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> EventsT:
        """Iterate over the events of a plan for an uploaded workspace."""
        body = build_body(
            GenerateTaskAssistPlanRequest,
            conversation_state=conversation_state,
            workspace_state=workspace_state,
        )
        call = ffi.CALL_GENERATE_TASK_ASSIST_PLAN
        return self._events(self._options.request(call, body, profile_arn, timeout, max_retries))

    def export_result_archive(
        self,
        export_id: str,
        export_intent: Union[ExportIntent, str],
        *,
        export_context: Optional[ExportContext] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> EventsT:
        """Iterate over the pieces (BinaryPayloadEvent) of an archive."""
        body = build_body(
            ExportResultArchiveRequest,
            export_id=export_id,
            export_intent=export_intent,
            export_context=export_context,
        )
        call = ffi.CALL_EXPORT_RESULT_ARCHIVE
        return self._events(self._options.request(call, body, profile_arn, timeout, max_retries))

    # ---- how each client does it ----

    def _events(self, request: Request) -> EventsT:
        raise NotImplementedError

    def _stream(self, request: Request, drop_referenced_code: bool) -> StreamT:
        raise NotImplementedError

    def _run(
        self,
        message: Union[str, UserInputMessage],
        tools: Iterable[AnyTool],
        conversation: Optional[Conversation[Any]],
        max_rounds: int,
        parallel: bool,
        options: dict[str, Any],
    ) -> RunT:
        raise NotImplementedError
