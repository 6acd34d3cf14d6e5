# SPDX-License-Identifier: Apache-2.0
"""QStreamingClient: the service for programs with an event loop, asyncio's or trio's."""

from __future__ import annotations

from functools import partial
from typing import Any, AsyncGenerator, Callable, Iterable, Mapping, Optional, Union

from typing_extensions import Self, Unpack

from . import _ffi as ffi
from ._auth import AccessTokenProvider, AsyncTokens, Login, Store, hidden, this_loop
from ._conversation import Conversation
from ._events import Event
from ._exchange import AsyncCall, Transaction
from ._http import (
    NOT_GIVEN,
    AsyncHttpClient,
    AsyncSender,
    NativeTransport,
    Timeouts,
    check_http_client,
    checked_timeout,
    default_http,
)
from ._operations import Options, Request, build_body, parse_message, parse_reply
from ._pages import Pages
from ._requests import AnyClientOptions, Requests
from ._stream import AsyncMessageStream
from ._tool_run import AsyncToolRun
from ._tools import AnyTool
from .models import (
    GetUsageLimitsRequest,
    GetUsageLimitsResponse,
    ListAvailableModelsRequest,
    ListAvailableProfilesRequest,
    Model,
    Profile,
    UserInputMessage,
)

__all__ = ["QStreamingClient"]


class ClientOptions(AnyClientOptions, total=False):
    """Keywords of this client that `from_login` passes on."""

    http_client: Optional[AsyncHttpClient]


class QStreamingClient(Requests[AsyncGenerator[Event, None], AsyncMessageStream, AsyncToolRun]):
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
    region: of the service, such as "us-east-1"; else that of the profile.
    profile_arn: the profile to ask in, for IAM Identity Center; else that of the login.
    timeout: seconds, or an httpx.Timeout. The default is 10 s to connect, and 60 s until the answer begins and
        between two pieces of it. None: none.
    max_retries: how often a request is repeated that the service did not act upon.
    user_agent: what to add to ours, such as "my-program/1.0".
    settings: further settings of the library (docs/settings.md).

    A client belongs to one event loop; when that has ended, it works in the next one. Nothing is
    opened before the first request.
    """

    def __init__(
        self,
        access_token: Union[str, AccessTokenProvider, Login, None] = None,
        *,
        http_client: Optional[AsyncHttpClient] = None,
        transport: Optional[str] = None,
        base_url: Optional[str] = None,
        region: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: int = 2,
        user_agent: str = "",
        settings: Optional[Mapping[str, str]] = None,
    ) -> None:
        access_token = hidden(access_token)  # reports of errors show what functions hold
        self._tokens = AsyncTokens(access_token)
        del access_token
        self._options = Options.of(
            http_client, transport, base_url, region, profile_arn, max_retries, user_agent, settings
        )
        check_http_client(http_client, is_async=True)
        self._http: Union[AsyncHttpClient, NativeTransport, None] = http_client
        self._owns_http = http_client is None
        self._owned_login: Optional[Login] = None
        self._timeout = checked_timeout(timeout)
        self._sender: Optional[AsyncSender] = None
        self._loop: object = None  # of the httpx client, if it is ours

    @classmethod
    def from_login(
        cls,
        store: Optional[Store] = None,
        *,
        source: Optional[str] = None,
        login: Optional[str] = None,
        db: Optional[str] = None,
        **options: Unpack[ClientOptions],
    ) -> Self:
        """A client that uses the login on this machine, and keeps it alive. `options` as above.

        store: a store plugin, by name or path; source, login, db: which login (docs/sources.md). Nothing is
            read before the first request.
        """
        owned = Login(store, source=source, login=login, db=db, settings=options.get("settings"))
        client = cls(owned, **options)
        client._owned_login = owned
        return client

    async def __aenter__(self) -> Self:
        self._options.check_open()
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

    # ---- operations that answer at once ----

    async def list_available_models(
        self,
        *,
        origin: str = "CLI",
        model_provider: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> list[Model]:
        """The models that the account may use, of all pages."""
        models = self.iter_available_models(
            origin=origin,
            model_provider=model_provider,
            profile_arn=profile_arn,
            timeout=timeout,
            max_retries=max_retries,
        )
        return [model async for model in models]

    def iter_available_models(
        self,
        *,
        origin: str = "CLI",
        model_provider: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> AsyncGenerator[Model, None]:
        """The models that the account may use, one by one: a page is asked for when it is needed."""
        body = partial(
            build_body, ListAvailableModelsRequest, origin=origin, model_provider=model_provider
        )
        call = ffi.CALL_LIST_AVAILABLE_MODELS
        request = self._options.request(call, body(), profile_arn, timeout, max_retries)
        return self._items(request, "models", body)

    async def list_available_profiles(
        self, *, timeout: Timeouts = NOT_GIVEN, max_retries: Optional[int] = None
    ) -> list[Profile]:
        """The profiles that the login may use, of all pages."""
        profiles = self.iter_available_profiles(timeout=timeout, max_retries=max_retries)
        return [profile async for profile in profiles]

    def iter_available_profiles(
        self, *, timeout: Timeouts = NOT_GIVEN, max_retries: Optional[int] = None
    ) -> AsyncGenerator[Profile, None]:
        """The profiles that the login may use, one by one: a page is asked for when it is needed."""
        body = partial(build_body, ListAvailableProfilesRequest)
        call = ffi.CALL_LIST_AVAILABLE_PROFILES
        request = self._options.request(call, body(), "", timeout, max_retries)
        return self._items(request, "profiles", body)

    async def get_usage_limits(
        self,
        *,
        resource_type: Optional[str] = None,
        origin: Optional[str] = None,
        is_email_required: Optional[bool] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> GetUsageLimitsResponse:
        """What is used of the plan, and what is left."""
        body = build_body(
            GetUsageLimitsRequest,
            resource_type=resource_type,
            origin=origin,
            is_email_required=is_email_required,
        )
        call = ffi.CALL_GET_USAGE_LIMITS
        request = self._options.request(call, body, profile_arn, timeout, max_retries)
        reply: GetUsageLimitsResponse = await self._reply(request)
        return reply

    # ---- how ----

    async def _call(self, request: Request) -> AsyncCall:
        """One request, to be driven by the caller, who closes it."""
        token = await self._tokens.get_async()
        exchange = self._options.exchange(request, token, self._tokens)
        return AsyncCall(
            Transaction(exchange),
            self._send_through(),
            lambda: self._tokens.renew_async(token),  # asked for once, then the exchange gives up
            request.timeout,
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

    async def _events(self, request: Request) -> AsyncGenerator[Event, None]:
        call = await self._call(request)
        del request  # it may be large, and the answer take long
        try:
            while messages := await call.next():
                for message in messages:
                    yield parse_message(message)
        finally:
            await call.close()

    def _stream(self, request: Request, drop_referenced_code: bool) -> AsyncMessageStream:
        return AsyncMessageStream(
            lambda: self._call(request), drop_referenced_code=drop_referenced_code
        )

    def _run(
        self,
        message: Union[str, UserInputMessage],
        tools: Iterable[AnyTool],
        conversation: Optional[Conversation[Any]],
        max_rounds: int,
        parallel: bool,
        options: dict[str, Any],
    ) -> AsyncToolRun:
        return AsyncToolRun(self, message, tools, conversation, max_rounds, parallel, options)

    async def _reply(self, request: Request) -> Any:
        call = await self._call(request)
        try:
            return parse_reply(request.call, await call.next(), call.transaction.request_id)
        finally:
            await call.close()

    async def _items(
        self, request: Request, name: str, body: Callable[..., bytes]
    ) -> AsyncGenerator[Any, None]:
        """What the member of this name holds, of one page after another; `body` asks for the next."""
        pages = Pages()
        while pages.more:
            page = await self._reply(request)
            pages.turn(page)
            request = request._replace(body=body(next_token=pages.next_token))
            for item in getattr(page, name):
                yield item
