# SPDX-License-Identifier: Apache-2.0
"""SyncQStreamingClient: the service for programs without an event loop."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Generator, Iterable, Mapping, Optional, Union

from typing_extensions import Self, Unpack

from . import _ffi as ffi
from ._auth import Login, Store, SyncAccessTokenProvider, Tokens, hidden
from ._conversation import Conversation
from ._events import Event
from ._exchange import Call, Transaction
from ._http import (
    NOT_GIVEN,
    HttpClient,
    Sender,
    Timeouts,
    check_http_client,
    default_sync_http,
)
from ._operations import Options, Request, build_body, parse_message, parse_reply
from ._pages import Pages
from ._requests import AnyClientOptions, Requests
from ._stream import MessageStream
from ._tool_run import ToolRun
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

__all__ = ["SyncQStreamingClient"]


class SyncClientOptions(AnyClientOptions, total=False):
    """Keywords of this client that `from_login` passes on."""

    http_client: Optional[HttpClient]


class SyncQStreamingClient(Requests[Generator[Event, None, None], MessageStream, ToolRun]):
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
        http_client: Optional[HttpClient] = None,
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
        self._tokens = Tokens(access_token)
        del access_token
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
        store: Optional[Store] = None,
        *,
        source: Optional[str] = None,
        login: Optional[str] = None,
        db: Optional[str] = None,
        **options: Unpack[SyncClientOptions],
    ) -> Self:
        """A client that uses the login on this machine, and keeps it alive. `options` as above.

        store: a store plugin, by name or path; source, login, db: which login (docs/sources.md). Nothing is
            read before the first request.
        """
        owned = Login(store, source=source, login=login, db=db, settings=options.get("settings"))
        client = cls(owned, **options)
        client._owned_login = owned
        return client

    def __enter__(self) -> Self:
        self._options.check_open()
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

    # ---- operations that answer at once ----

    def list_available_models(
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
        return list(models)

    def iter_available_models(
        self,
        *,
        origin: str = "CLI",
        model_provider: Optional[str] = None,
        profile_arn: Optional[str] = None,
        timeout: Timeouts = NOT_GIVEN,
        max_retries: Optional[int] = None,
    ) -> Generator[Model, None, None]:
        """The models that the account may use, one by one: a page is asked for when it is needed."""
        body = partial(
            build_body, ListAvailableModelsRequest, origin=origin, model_provider=model_provider
        )
        call = ffi.CALL_LIST_AVAILABLE_MODELS
        request = self._options.request(call, body(), profile_arn, timeout, max_retries)
        return self._items(request, "models", body)

    def list_available_profiles(
        self, *, timeout: Timeouts = NOT_GIVEN, max_retries: Optional[int] = None
    ) -> list[Profile]:
        """The profiles that the login may use, of all pages."""
        profiles = self.iter_available_profiles(timeout=timeout, max_retries=max_retries)
        return list(profiles)

    def iter_available_profiles(
        self, *, timeout: Timeouts = NOT_GIVEN, max_retries: Optional[int] = None
    ) -> Generator[Profile, None, None]:
        """The profiles that the login may use, one by one: a page is asked for when it is needed."""
        body = partial(build_body, ListAvailableProfilesRequest)
        call = ffi.CALL_LIST_AVAILABLE_PROFILES
        request = self._options.request(call, body(), "", timeout, max_retries)
        return self._items(request, "profiles", body)

    def get_usage_limits(
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
        reply: GetUsageLimitsResponse = self._reply(request)
        return reply

    # ---- how ----

    def _call(self, request: Request) -> Call:
        """One request, to be driven by the caller, who closes it."""
        token = self._tokens.get()
        exchange = self._options.exchange(request, token, self._tokens)
        return Call(
            Transaction(exchange),
            self._sender,
            lambda: self._tokens.renew(token),
            request.timeout,
        )

    def _events(self, request: Request) -> Generator[Event, None, None]:
        call = self._call(request)
        del request  # it may be large, and the answer take long
        try:
            while messages := call.next():
                yield from map(parse_message, messages)
        finally:
            call.close()

    def _stream(self, request: Request, drop_referenced_code: bool) -> MessageStream:
        return MessageStream(
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
    ) -> ToolRun:
        return ToolRun(self, message, tools, conversation, max_rounds, parallel, options)

    def _reply(self, request: Request) -> Any:
        call = self._call(request)
        try:
            return parse_reply(request.call, call.next(), call.transaction.request_id)
        finally:
            call.close()

    def _items(
        self, request: Request, name: str, body: Callable[..., bytes]
    ) -> Generator[Any, None, None]:
        """What the member of this name holds, of one page after another; `body` asks for the next."""
        pages = Pages()
        while pages.more:
            page = self._reply(request)
            pages.turn(page)
            request = request._replace(body=body(next_token=pages.next_token))
            yield from getattr(page, name)
