# SPDX-License-Identifier: Apache-2.0
"""QStreamingClient: the service for programs with an event loop, asyncio's or trio's."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    AsyncGenerator,
    AsyncIterator,
    Iterable,
    Mapping,
    Optional,
    Union,
)

from . import _ffi as ffi
from ._auth import AccessTokenProvider, AsyncTokens, Login, this_loop
from ._conversation import Conversation
from ._events import Event
from ._exchange import AsyncCall, Transaction
from ._http import (
    NOT_GIVEN,
    AsyncSender,
    NativeTransport,
    Timeouts,
    check_http_client,
    default_http,
)
from ._images import Image
from ._message import History, Message, conversation_state
from ._operations import Options, build_body, parse_messages, parse_reply
from ._pages import Pages
from ._stream import AsyncMessageStream
from ._tool_run import AsyncToolRun
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
    from typing_extensions import Self, TypedDict, Unpack

    from ._conversation import StreamOptions

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

    class ClientOptions(AnyClientOptions, total=False):
        """Those of this one."""

        http_client: Optional[httpx.AsyncClient]


__all__ = ["QStreamingClient"]


class QStreamingClient:
    """A client of the streaming API.

        async with QStreamingClient.from_login() as client:
            async for event in client.generate_assistant_response("Hello"):
                if isinstance(event, AssistantResponseEvent):
                    print(event.content, end="")

    access_token: a string, or a function that returns one (`AccessTokenProvider`), or a `Login`.
    http_client: every request goes through it, for its hooks, proxies and mocks. Without one, the
        library's transport carries requests itself, which is faster; httpx does not see them.
    transport: which one that is: an installed plugin by name ("curl") or path, or "httpx" for
        httpx's own.
    base_url: the service's URL, in place of the one that region, profile and settings say.
    timeout: seconds, or an httpx.Timeout. The default is 10 s to connect, and 60 s until the answer begins and
        between two pieces of it. None: none.
    max_retries: how often a request is repeated that the service did not act upon.
    settings: further settings of the library (docs/settings.md).

    A client belongs to one event loop; when that has ended, it works in the next one. Nothing is
    opened before the first request.
    """

    def __init__(
        self,
        access_token: Union[str, AccessTokenProvider, Login, None] = None,
        *,
        http_client: Optional[httpx.AsyncClient] = None,
        transport: Optional[str] = None,
        base_url: Optional[str] = None,
        region: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: int = 2,
        user_agent: str = "",
        settings: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._tokens = AsyncTokens(access_token)
        del access_token  # reports of errors show what functions hold
        self._options = Options.of(
            http_client, transport, base_url, region, profile_arn, max_retries, user_agent, settings
        )
        check_http_client(http_client, is_async=True)
        self._http: Union[httpx.AsyncClient, NativeTransport, None] = http_client
        self._owns_http = http_client is None
        self._owned_login: Optional[Login] = None
        self._timeout = timeout
        self._sender: Optional[AsyncSender] = None
        self._loop: object = None  # of the httpx client, if it is ours

    @classmethod
    def from_login(
        cls,
        store: Optional[str] = None,
        *,
        source: Optional[str] = None,
        db: Optional[str] = None,
        **options: Unpack[ClientOptions],
    ) -> Self:
        """A client that uses the login on this machine, and keeps it alive. `options` as above."""
        login = Login(store, source=source, db=db, settings=options.get("settings"))
        client = cls(login, **options)
        client._owned_login = login
        return client

    def __repr__(self) -> str:
        about = vars(self)  # as far as it was made: reports of errors show it in __init__, too
        return f"<{type(self).__name__} {about.get('_options')} {about.get('_tokens')!r}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what is under way and close what the client opened itself."""
        http, self._http = self._http, None
        login, self._owned_login = self._owned_login, None
        try:
            if http is not None and self._owns_http and self._loop in (None, this_loop()):
                await http.aclose()
        finally:
            self._options.close()
            if login is not None:
                await login.aclose()

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
    ) -> AsyncGenerator[Event, None]:
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
    ) -> AsyncMessageStream:
        """As generate_assistant_response, with what is usually wanted of an answer.

            async with client.stream("Hello") as stream:
                async for text in stream.text_stream:
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
        return AsyncMessageStream(
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
    ) -> AsyncToolRun:
        """Ask, and run the tools that the model asks for until it has its answer.

            async with client.run_tools("Rain in Oslo?", tools=[weather]) as run:
                async for step in run:
                    print(step.message.text)

        conversation: goes on with it; without one, a new one, which is `run.conversation`.
        max_rounds: answers, before QTooManyRounds is raised.
        parallel: run the tools of one answer at the same time.
        options: as for stream().
        """
        return AsyncToolRun(
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
    ) -> AsyncGenerator[Event, None]:
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
    ) -> AsyncGenerator[Event, None]:
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
    ) -> AsyncGenerator[Event, None]:
        """Iterate over the pieces (BinaryPayloadEvent) of an archive."""
        body = build_body(
            export_id=export_id, export_intent=export_intent, export_context=export_context
        )
        return self._events(ffi.CALL_EXPORT_RESULT_ARCHIVE, body, profile_arn, timeout)

    # ---- operations that answer at once ----

    async def list_available_models(
        self,
        *,
        origin: str = "CLI",
        model_provider: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
    ) -> list[Model]:
        """The models that the account may use, of all pages."""
        models: list[Model] = []
        async for page in self._pages(
            ffi.CALL_LIST_AVAILABLE_MODELS,
            {"origin": origin, "model_provider": model_provider},
            profile_arn,
            timeout,
        ):
            models += page.models
        return models

    async def list_available_profiles(self, *, timeout: Timeouts = NOT_GIVEN) -> list[Profile]:
        """The profiles that the login may use, of all pages."""
        profiles: list[Profile] = []
        async for page in self._pages(ffi.CALL_LIST_AVAILABLE_PROFILES, {}, "", timeout):
            profiles += page.profiles
        return profiles

    async def get_usage_limits(
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
        reply: GetUsageLimitsResponse = await self._reply(
            ffi.CALL_GET_USAGE_LIMITS, body, profile_arn, timeout
        )
        return reply

    # ---- how ----

    async def _call(
        self, number: int, body: bytes, profile_arn: Optional[str], timeout: Timeouts
    ) -> AsyncCall:
        """One request, to be driven by the caller, who closes it."""
        token = await self._tokens.get_async()
        exchange = self._options.exchange(
            number, token, body, profile_arn, self._tokens.profile_arn
        )
        return AsyncCall(
            Transaction(exchange),
            self._send_through(),
            lambda: self._tokens.renew_async(token),  # asked for once, then the exchange gives up
            timeout,
        )

    def _send_through(self) -> AsyncSender:
        if self._owns_http and self._options.transport == "httpx" and self._loop is not this_loop():
            # Its connections ended with their loop, and cannot even be closed any more.
            self._loop, self._http, self._sender = this_loop(), None, None
        if self._sender is None:
            if self._http is None:
                self._http = default_http(self._options.settings, self._options.transport)
            self._sender = AsyncSender(self._http, self._timeout)
        return self._sender

    async def _events(
        self, number: int, body: bytes, profile_arn: Optional[str], timeout: Timeouts
    ) -> AsyncGenerator[Event, None]:
        call = await self._call(number, body, profile_arn, timeout)
        try:
            while messages := await call.next():
                for event in parse_messages(messages):
                    yield event
        finally:
            await call.close()

    async def _reply(
        self, number: int, body: bytes, profile_arn: Optional[str], timeout: Timeouts
    ) -> Any:
        call = await self._call(number, body, profile_arn, timeout)
        try:
            reply = await call.next()
            return parse_reply(number, reply, call.transaction.request_id)
        finally:
            await call.close()

    async def _pages(
        self,
        number: int,
        members: dict[str, Any],
        profile_arn: Optional[str],
        timeout: Timeouts,
    ) -> AsyncIterator[Any]:
        pages = Pages()
        while pages.more:
            body = build_body(**members, next_token=pages.next_token)
            page = await self._reply(number, body, profile_arn, timeout)
            pages.turn(page)
            yield page
