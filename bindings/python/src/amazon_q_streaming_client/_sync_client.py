# SPDX-License-Identifier: Apache-2.0
"""SyncQStreamingClient: the service for programs without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generator, Iterable, Iterator, Mapping, Optional, Union

from . import _ffi as ffi
from ._auth import Login, SyncAccessTokenProvider, Tokens
from ._conversation import Conversation
from ._events import Event
from ._exchange import Call, Transaction
from ._http import NOT_GIVEN, Sender, Timeouts, check_http_client, default_sync_http
from ._images import Image
from ._message import History, Message, conversation_state
from ._operations import Options, build_body, parse_messages, parse_reply
from ._pages import Pages
from ._stream import MessageStream
from ._tool_run import ToolRun
from ._tools import AnyTool
from .models import (
    ConversationState,
    ExportContext,
    ExportIntent,
    GetUsageLimitsResponse,
    Model,
    Profile,
    UserInputMessage,
    WorkspaceState,
)

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Self, Unpack

    from ._client import AnyClientOptions
    from ._conversation import StreamOptions

    class SyncClientOptions(AnyClientOptions, total=False):
        """Keywords of this client that `from_login` passes on."""

        http_client: Optional[httpx.Client]


__all__ = ["SyncQStreamingClient"]


class SyncQStreamingClient:
    """As QStreamingClient, with the same names, for threads.

        with SyncQStreamingClient.from_login() as client:
            for event in client.generate_assistant_response("Hello"):
                if isinstance(event, AssistantResponseEvent):
                    print(event.content, end="")

    Any number of threads may use one client; an answer belongs to the thread that reads it.
    """

    def __init__(
        self,
        access_token: Union[str, SyncAccessTokenProvider, Login, None] = None,
        *,
        http_client: Optional[httpx.Client] = None,
        transport: Optional[str] = None,
        base_url: Optional[str] = None,
        region: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: int = 2,
        user_agent: str = "",
        settings: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._tokens = Tokens(access_token)
        del access_token  # reports of errors show what functions hold
        self._options = Options.of(
            http_client, transport, base_url, region, profile_arn, max_retries, user_agent, settings
        )
        check_http_client(http_client, is_async=False)
        self._owns_http = http_client is None
        self._http = http_client or default_sync_http(
            self._options.settings, self._options.transport
        )
        self._sender = Sender(self._http, timeout)
        self._owned_login: Optional[Login] = None

    @classmethod
    def from_login(
        cls,
        store: Optional[str] = None,
        *,
        source: Optional[str] = None,
        db: Optional[str] = None,
        **options: Unpack[SyncClientOptions],
    ) -> Self:
        """A client that uses the login on this machine, and keeps it alive. `options` as above."""
        login = Login(store, source=source, db=db, settings=options.get("settings"))
        client = cls(login, **options)
        client._owned_login = login
        return client

    def __repr__(self) -> str:
        about = vars(self)  # as far as it was made: reports of errors show it in __init__, too
        return f"<{type(self).__name__} {about.get('_options')} {about.get('_tokens')!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what the client opened itself. Answers that are being read end with QClosedError."""
        if self._owns_http:
            self._http.close()
        self._options.close()
        login, self._owned_login = self._owned_login, None
        if login is not None:
            login.close()

    # ---- operations that stream ----

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
    ) -> Generator[Event, None, None]:
        """Ask, and iterate over the events of the answer as they come.

        message: a string, a UserInputMessage, or a whole ConversationState.
        """
        state = conversation_state(
            message,
            history=history,
            tools=tools,
            images=images,
            model=model,
            conversation_id=conversation_id,
        )
        body = build_body(conversation_state=state, agent_mode=agent_mode)
        return self._events(ffi.CALL_GENERATE_ASSISTANT_RESPONSE, body, profile_arn, timeout)

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
        drop_referenced_code: bool = False,
    ) -> MessageStream:
        """As generate_assistant_response, with what is usually wanted of an answer.

            with client.stream("Hello") as stream:
                for text in stream.text_stream:
                    print(text, end="", flush=True)

        drop_referenced_code: leave out pieces of text that the service says are licensed code, as
            the command line does. Text then comes one event late.
        """
        state = conversation_state(
            message,
            history=history,
            tools=tools,
            images=images,
            model=model,
            conversation_id=conversation_id,
        )
        body = build_body(conversation_state=state, agent_mode=agent_mode)
        call = ffi.CALL_GENERATE_ASSISTANT_RESPONSE
        return MessageStream(
            lambda: self._call(call, body, profile_arn, timeout),
            drop_referenced_code=drop_referenced_code,
        )

    def run_tools(
        self,
        message: Union[str, UserInputMessage],
        *,
        tools: Iterable[AnyTool],
        conversation: Optional[Conversation[Any]] = None,
        max_rounds: int = 10,
        parallel: bool = True,
        **options: Unpack[StreamOptions],
    ) -> ToolRun:
        """Ask, and run the tools that the model asks for until it has its answer.

            with client.run_tools("Rain in Oslo?", tools=[weather]) as run:
                for step in run:
                    print(step.message.text)

        conversation: goes on with it; without one, a new one, which is `run.conversation`.
        max_rounds: answers, before QTooManyRounds is raised.
        parallel: run the tools of one answer at the same time.
        options: as for stream().
        """
        return ToolRun(
            self, message, tools, conversation, max_rounds, parallel, dict(options)
        )

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
    ) -> Generator[Event, None, None]:
        """As generate_assistant_response, by the operation SendMessage."""
        state = conversation_state(
            message,
            history=history,
            tools=tools,
            images=images,
            model=model,
            conversation_id=conversation_id,
        )
        body = build_body(conversation_state=state, source=source, dry_run=dry_run)
        return self._events(ffi.CALL_SEND_MESSAGE, body, profile_arn, timeout)

    def generate_task_assist_plan(
        self,
        conversation_state: ConversationState,
        workspace_state: WorkspaceState,
        *,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
    ) -> Generator[Event, None, None]:
        """Iterate over the events of a plan for an uploaded workspace."""
        body = build_body(conversation_state=conversation_state, workspace_state=workspace_state)
        return self._events(ffi.CALL_GENERATE_TASK_ASSIST_PLAN, body, profile_arn, timeout)

    def export_result_archive(
        self,
        export_id: str,
        export_intent: Union[ExportIntent, str],
        *,
        export_context: Optional[ExportContext] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
    ) -> Generator[Event, None, None]:
        """Iterate over the pieces (BinaryPayloadEvent) of an archive."""
        body = build_body(
            export_id=export_id, export_intent=export_intent, export_context=export_context
        )
        return self._events(ffi.CALL_EXPORT_RESULT_ARCHIVE, body, profile_arn, timeout)

    # ---- operations that answer at once ----

    def list_available_models(
        self,
        *,
        origin: str = "CLI",
        model_provider: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
    ) -> list[Model]:
        """The models that the account may use, of all pages."""
        members = {"origin": origin, "model_provider": model_provider}
        pages = self._pages(ffi.CALL_LIST_AVAILABLE_MODELS, members, profile_arn, timeout)
        return [model for page in pages for model in page.models]

    def list_available_profiles(self, *, timeout: Timeouts = NOT_GIVEN) -> list[Profile]:
        """The profiles that the login may use, of all pages."""
        pages = self._pages(ffi.CALL_LIST_AVAILABLE_PROFILES, {}, "", timeout)
        return [profile for page in pages for profile in page.profiles]

    def get_usage_limits(
        self,
        *,
        resource_type: Optional[str] = None,
        origin: Optional[str] = None,
        is_email_required: Optional[bool] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
    ) -> GetUsageLimitsResponse:
        """What is used of the plan, and what is left."""
        body = build_body(
            resource_type=resource_type, origin=origin, is_email_required=is_email_required
        )
        reply: GetUsageLimitsResponse = self._reply(
            ffi.CALL_GET_USAGE_LIMITS, body, profile_arn, timeout
        )
        return reply

    # ---- how ----

    def _call(
        self, number: int, body: bytes, profile_arn: Optional[str], timeout: Timeouts
    ) -> Call:
        """One request, to be driven by the caller, who closes it."""
        token = self._tokens.get()
        exchange = self._options.exchange(
            number, token, body, profile_arn, self._tokens.profile_arn
        )
        return Call(Transaction(exchange), self._sender, lambda: self._tokens.renew(token), timeout)

    def _events(
        self, number: int, body: bytes, profile_arn: Optional[str], timeout: Timeouts
    ) -> Generator[Event, None, None]:
        call = self._call(number, body, profile_arn, timeout)
        try:
            while messages := call.next():
                yield from parse_messages(messages)
        finally:
            call.close()

    def _reply(
        self, number: int, body: bytes, profile_arn: Optional[str], timeout: Timeouts
    ) -> Any:
        call = self._call(number, body, profile_arn, timeout)
        try:
            return parse_reply(number, call.next(), call.transaction.request_id)
        finally:
            call.close()

    def _pages(
        self,
        number: int,
        members: dict[str, Any],
        profile_arn: Optional[str],
        timeout: Timeouts,
    ) -> Iterator[Any]:
        pages = Pages()
        while pages.more:
            body = build_body(**members, next_token=pages.next_token)
            page = self._reply(number, body, profile_arn, timeout)
            pages.turn(page)
            yield page
