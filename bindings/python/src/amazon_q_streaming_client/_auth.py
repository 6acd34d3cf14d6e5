# SPDX-License-Identifier: Apache-2.0
"""Where access tokens come from: a string, a function of the caller's, or the login on this machine."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import logging
import os
import sys
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Mapping, Optional, Union

import anyio
import anyio.to_thread
from typing_extensions import Literal, Self

from . import _ffi as ffi
from ._errors import QConfigurationError, error_from
from ._native import Client, Failure, TokenData, fetch_token
from ._single import Single

__all__ = ["AccessTokenProvider", "Login", "SyncAccessTokenProvider", "Token"]

log = logging.getLogger("amazon_q_streaming_client")

AccessTokenProvider = Callable[..., Union[str, Awaitable[str]]]
"""A function, sync or async, that returns an access token.

If it takes `force_refresh`, it is told by `force_refresh=True` that the last one was rejected. A sync function
is called in a worker thread by the async client, so it may block.
"""

SyncAccessTokenProvider = Callable[..., str]
"""The same for SyncQStreamingClient, which cannot wait for an async one."""


Store = Union[Literal["sqlite", "keyring", "broker", "token-file", "memory"], str]
"""Where a login rests: a store plugin by name, or by the absolute path of its file. Which are installed says
`q plugin list`; one that is not is a QConfigurationError when the login is first used."""


class Secret(str):
    """A token. Reports of errors show the repr of what functions hold: this one tells nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


@dataclass(frozen=True)
class Token:
    """A valid token, and where it comes from. Its repr shows no secret."""

    access_token: str = field(repr=False)
    expires_at: Optional[str]
    """RFC 3339, UTC. None if it is not known."""
    expires_at_epoch: Optional[int]
    region: Optional[str]
    """Of the sign-in service."""
    start_url: Optional[str]
    profile_arn: Optional[str]
    source: str
    """Whose login: "q-cli", "kiro-cli", ... (docs/sources.md)."""
    store: str
    login: Optional[str] = None
    """Name of the login beside the usual ones."""
    kind: Optional[str] = None
    """"oidc", "social", "external-idp" or "api-key": the service wants to be told of the last two."""
    external: bool = False
    """Somebody else renews it, and may replace it at any time: ask again for every use."""

    @property
    def expires_in(self) -> Optional[int]:
        """Seconds from now, by the wall clock. None if it is not known."""
        epoch = self.expires_at_epoch
        return None if epoch is None else epoch - int(time.time())

    @classmethod
    def _of(cls, data: TokenData) -> Token:
        return cls(
            access_token=Secret(data.access_token),
            expires_at=data.expires_at or None,
            expires_at_epoch=data.expires_at_s if data.expires_at else None,
            region=data.region or None,
            start_url=data.start_url or None,
            profile_arn=data.profile_arn or None,
            source=data.source,
            store=data.store,
            login=data.login or None,
            kind=data.kind or None,
            external=bool(data.flags & ffi.TOKEN_EXTERNAL),
        )


class Login(Single):
    """The login of the Amazon Q (or Kiro) command line on this machine, kept alive by the library;
    or a token that somebody else keeps fresh, in the file that Q_TOKEN_FILE names, say.

        login = Login()                 # or Login(db="/path/data.sqlite3")
        token = login.token()           # refreshed if needed; once for all processes that ask

    store, source, login, db and further settings are the library's (docs/settings.md). All work is done on one
    thread, started on first use and ended by `close()`. Methods may be called from any thread.
    """

    FRESH_S = 15 * 60  # a token that is valid for longer is handed out without asking the library

    def __init__(
        self,
        store: Optional[Store] = None,
        *,
        source: Optional[str] = None,
        login: Optional[str] = None,
        db: Optional[str] = None,
        settings: Optional[Mapping[str, str]] = None,
    ) -> None:
        named = {"store": store, "source": source, "login": login, "db": db}
        self._settings = checked_settings(settings)
        self._settings.update((k, v) for k, v in named.items() if v is not None)
        for name, value in self._settings.items():
            if not isinstance(value, str):
                raise QConfigurationError(
                    f"login: {name} must be a string, not {type(value).__name__}"
                )
        self._last: Optional[Token] = None
        self._begin()
        _logins.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._worker: Optional[_Worker] = None

    def __repr__(self) -> str:
        return f"<Login {self._settings['store']}>" if "store" in self._settings else "<Login>"

    def token(self, *, force_refresh: bool = False) -> Token:
        """A valid token. Blocks while the login is read, and refreshed if that is needed."""
        return self._fresh(force_refresh) or self._submit(force_refresh, None).result()

    async def token_async(self, *, force_refresh: bool = False) -> Token:
        """As token(), without blocking the event loop."""
        return self._fresh(force_refresh) or await _wait_for(self._submit(force_refresh, None))

    def renew(self, rejected: str) -> Token:
        """Another token than one that the service rejected: that of the store if somebody has renewed it."""
        rejected = Secret(rejected)
        return self._submit(True, rejected).result()

    async def renew_async(self, rejected: str) -> Token:
        """As renew(), without blocking the event loop."""
        rejected = Secret(rejected)
        return await _wait_for(self._submit(True, rejected))

    def close(self) -> None:
        """End the thread, after a refresh that is under way. The login can be used again."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:  # without the lock: others go on with a thread of their own
            worker.close()

    async def aclose(self) -> None:
        """As close(), without blocking the event loop."""
        if self._worker is None:  # as in a forked child, where no loop can be waited for
            return
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fresh(self, force_refresh: bool) -> Optional[Token]:
        last = self._last
        if force_refresh or last is None or last.external or last.expires_in is None:
            return None
        return last if last.expires_in > self.FRESH_S else None

    def _submit(self, force: bool, rejected: Optional[str]) -> concurrent.futures.Future[Token]:
        with self._lock:
            if self._worker is None:
                self._worker = _Worker(self._settings)
            return self._worker.submit(self._fetch, self._worker, force, rejected)

    def _fetch(self, worker: _Worker, force: bool, rejected: Optional[str]) -> Token:
        try:
            token = worker.load(force and rejected is None)
            if token.access_token == rejected:
                token = worker.load(True)
        except Failure as failure:
            raise error_from(failure) from None
        self._last = token
        return token


class _Worker:
    """The thread of a login, and the native client that only this thread uses."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._client: Optional[Client] = None
        self._thread = concurrent.futures.ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="amazon-q-login"
        )
        self.submit = self._thread.submit

    def close(self) -> None:
        self.submit(self._close_client)
        self._thread.shutdown(wait=True)

    # ---- on the thread ----

    def load(self, force: bool) -> Token:
        if self._client is None:
            self._client = Client(self._settings)
        data, warnings = fetch_token(self._client, force_refresh=force)
        for warning in warnings:
            log.warning("%s", warning)
        return Token._of(data)

    def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


# A thread does not survive a fork: in the child every login begins anew. The parent's objects stay where
# they are, for that thread may have been at work in them.
_logins: weakref.WeakSet[Login] = weakref.WeakSet()
_abandoned: list[Any] = []


def _after_fork() -> None:
    for login in list(_logins):
        _abandoned.append(login._worker)
        login._begin()


os.register_at_fork(after_in_child=_after_fork)


async def _wait_for(future: concurrent.futures.Future[Token]) -> Token:
    """Also when the waiting task is cancelled the work goes on: an answered refresh is saved."""
    from ._pump import running_loop

    if running_loop() is not None:
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen
        return await asyncio.shield(waiting)
    import trio

    return await trio.to_thread.run_sync(future.result, abandon_on_cancel=True)


def this_loop() -> object:
    """The event loop that is running, asyncio's or trio's: its locks are no use in another. None: in a child
    that was forked inside one."""
    from ._pump import running_loop

    loop = running_loop()
    if loop is None and "trio" in sys.modules:
        try:
            return sys.modules["trio"].lowlevel.current_trio_token()
        except RuntimeError:
            pass
    return loop


def checked_settings(settings: Optional[Mapping[str, str]]) -> dict[str, str]:
    """A copy of the caller's. Which keys and values there are is the library's to say."""
    if settings is not None and not isinstance(settings, Mapping):
        raise QConfigurationError(
            f"settings: must be a dictionary of strings, not {type(settings).__name__}"
        )
    return dict(settings or {})


# ---- what a client asks ----


def hidden(given: Any) -> Any:
    """What a caller gave as a token, before anything can go wrong with it."""
    return Secret(given) if isinstance(given, str) else given


def _checked(token: Secret) -> Secret:
    if not token.isascii():
        raise QConfigurationError("access token: must be ASCII, pass it as it was exported")
    if " " in token or not token.isprintable():
        raise QConfigurationError(
            "access token: has a blank or a line end in it, pass the token alone: without 'Bearer', "
            "and with strip() if it was read from a file"
        )
    return token


def _takes_force(function: AccessTokenProvider) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "force_refresh" or p.kind is p.VAR_KEYWORD for p in parameters)


class Tokens:
    """Access tokens for the requests of one client; renews each rejected one once for all of them."""

    def __init__(self, source: Union[str, AccessTokenProvider, Login, None]) -> None:
        if source is None or source == "":
            raise QConfigurationError(
                "access token: none was given, pass access_token= or use from_login()"
            )
        if not isinstance(source, (str, Login)) and not callable(source):
            raise QConfigurationError(
                f"access token: must be a string or a function, not {type(source).__name__}"
            )
        self._source = _checked(hidden(source)) if isinstance(source, str) else source
        self._last: Optional[str] = self._source if isinstance(self._source, str) else None
        self._takes_force = callable(source) and _takes_force(source)
        self._guard = threading.Lock()
        self.profile_arn: Optional[str] = None
        """Of the login, once there was a token of it."""
        self.kind: Optional[str] = None
        """What its tokens are, as Token.kind."""

    def __repr__(self) -> str:
        source = vars(self).get("_source")  # as far as it was made
        if isinstance(source, str):
            return "<Tokens of a string>"
        if isinstance(source, Login):
            return f"<Tokens of {source!r}>"
        # Its own repr may show what it was made with: functools.partial does.
        return f"<Tokens of {getattr(source, '__qualname__', type(source).__name__)}>"

    def _keep(self, token: Any) -> str:
        token = hidden(token)
        if isinstance(token, Token):
            self.profile_arn, self.kind = token.profile_arn, token.kind
            token = token.access_token
        if not isinstance(token, str):
            raise QConfigurationError(
                f"access token: the provider returned {type(token).__name__}, it must return a string"
            )
        self._last = kept = _checked(hidden(token))
        return kept

    def get(self) -> str:
        if isinstance(self._source, str):
            return self._source
        if isinstance(self._source, Login):
            return self._keep(self._source.token())
        return self._keep(self._call(False))

    def renew(self, rejected: str) -> Optional[str]:
        """Another token, or None if there is no way to get one."""
        if isinstance(self._source, str):
            return None
        with self._guard:
            if self._last != rejected:
                return self._last
            if isinstance(self._source, Login):
                return self._keep(self._source.renew(rejected))
            return _other(self._keep(self._call(True)), rejected)

    def _ask(self, force: bool) -> Any:
        assert callable(self._source)  # and never a local: its repr may show a secret
        arguments = {"force_refresh": True} if force and self._takes_force else {}
        return self._source(**arguments)

    def _call(self, force: bool) -> Any:
        token = self._ask(force)
        if inspect.isawaitable(token):
            if inspect.iscoroutine(token):
                token.close()
            raise QConfigurationError(
                "access token: the provider is async, use it with QStreamingClient"
            )
        return token


def _other(token: str, rejected: str) -> Optional[str]:
    return None if token == rejected else token


class AsyncTokens(Tokens):
    """As Tokens, for an event loop."""

    def __init__(self, source: Union[str, AccessTokenProvider, Login, None]) -> None:
        super().__init__(source)
        self._gate: tuple[object, Any] = (None, None)  # an event loop, its lock

    async def get_async(self) -> str:
        if isinstance(self._source, str):
            return self._source
        if isinstance(self._source, Login):
            return self._keep(await self._source.token_async())
        return self._keep(await self._call_async(False))

    async def renew_async(self, rejected: str) -> Optional[str]:
        """As renew()."""
        if isinstance(self._source, str):
            return None
        loop = this_loop()
        if self._gate[0] is not loop:
            self._gate = (loop, anyio.Lock())
        async with self._gate[1]:
            if self._last != rejected:
                return self._last
            if isinstance(self._source, Login):
                return self._keep(await self._source.renew_async(rejected))
            return _other(self._keep(await self._call_async(True)), rejected)

    async def _call_async(self, force: bool) -> Any:
        if inspect.iscoroutinefunction(self._source) or inspect.iscoroutinefunction(
            getattr(self._source, "__call__", None)
        ):
            return await self._ask(force)
        token = await anyio.to_thread.run_sync(self._ask, force)
        return await token if inspect.isawaitable(token) else token
