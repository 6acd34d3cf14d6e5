# SPDX-License-Identifier: Apache-2.0
"""Logging in: the steps of the library's login operation, as a generator."""

from __future__ import annotations

import logging
import select
from dataclasses import dataclass
from typing import Any, Generator, Iterator, Mapping, Optional, Union

from . import _ffi as ffi
from ._errors import error_from
from ._native import Client, Failure, LoginOperation

__all__ = ["LoggedIn", "LoginStep", "Profile", "Profiles", "Visit", "Waiting", "log_in"]

log = logging.getLogger("amazon_q_streaming_client")


@dataclass(frozen=True)
class Visit:
    """A person has to open a page, and with a code compare that. No secret is in it."""

    url: str
    user_code: Optional[str]
    """None if a browser on this machine brings the login back by itself."""
    short_url: Optional[str]
    """To be typed on another device."""
    valid_s: int
    """Seconds until it is too late."""


@dataclass(frozen=True)
class Waiting:
    """Nothing has to be done."""

    what_for: str
    at_most_s: float


@dataclass(frozen=True)
class Profile:
    """A profile of an organisation's account."""

    arn: str
    name: str


@dataclass(frozen=True)
class Profiles:
    """The account has several. The login is saved by now; it goes on with the chosen one, or without."""

    profiles: tuple[Profile, ...]
    _operation: LoginOperation

    def choose(self, arn: str) -> None:
        """Use this one. Without a choice the next step goes on without a profile."""
        try:
            self._operation.choose(arn)
        except Failure as failure:
            raise error_from(failure) from None


@dataclass(frozen=True)
class LoggedIn:
    """The login has been saved."""

    start_url: Optional[str]
    """None for a Builder ID that was confirmed with a code."""
    region: str
    profile_arn: Optional[str]
    expires_at: str
    source: str


LoginStep = Union[Visit, Waiting, Profiles, LoggedIn]


def log_in(
    *,
    start_url: Optional[str] = None,
    region: Optional[str] = None,
    profile_arn: Optional[str] = None,
    browser: bool = False,
    replace: bool = False,
    store: Optional[str] = None,
    login: Optional[str] = None,
    settings: Optional[Mapping[str, str]] = None,
) -> Generator[LoginStep, None, None]:
    """Log in with a Builder ID, or with the account of the organisation that has this start URL.

        for step in log_in():
            if isinstance(step, Visit):
                print("open", step.url, "and compare", step.user_code)
            elif isinstance(step, Profiles):
                step.choose(step.profiles[0].arn)

    browser: it is confirmed in a browser on this machine, which is not opened for you; else with a code, on any
    device. Every wait has an end. To give up, close the generator: then nothing is left behind, unless the login
    is saved already. Blocks its thread; a generator belongs to one thread.
    """
    named = {"store": store, "login": login}
    chosen = {**(settings or {}), **{k: v for k, v in named.items() if v is not None}}
    options = {"start_url": start_url, "region": region, "profile_arn": profile_arn}
    try:
        client = Client(chosen)
        try:
            operation = LoginOperation(client, options, browser=browser, replace=replace)
            try:
                yield from _steps(client, operation)
            finally:
                operation.close()
        finally:
            client.close()
    except Failure as failure:
        raise error_from(failure) from None


def _steps(client: Client, operation: LoginOperation) -> Iterator[LoginStep]:
    while True:
        status, event = operation.next()
        if status == ffi.END:
            return
        if status == ffi.AGAIN:
            if operation.asked:
                operation.choose("")
            else:
                select.select([client.fileno()], [], [])
                operation.step()
        else:
            step = _step(operation, event)
            if step is not None:
                yield step


def _step(operation: LoginOperation, event: Any) -> Optional[LoginStep]:
    kind = event.type
    if kind == ffi.EVENT_VISIT:
        visit = event.login[0]
        return Visit(
            visit.url.text(),
            visit.user_code.text() or None,
            visit.short_url.text() or None,
            visit.valid_s,
        )
    if kind == ffi.EVENT_WAITING:
        return Waiting(event.text.text(), event.delay_ms / 1000)
    if kind == ffi.EVENT_PROFILES:
        operation.asked = True
        found = ffi.profiles(event.login[0])
        return Profiles(tuple(Profile(p.arn.text(), p.name.text()) for p in found), operation)
    if kind == ffi.EVENT_LOGGED_IN:
        token = event.token[0]
        return LoggedIn(
            token.start_url.text() or None,
            token.region.text(),
            token.profile_arn.text() or None,
            token.expires_at.text(),
            token.source.text(),
        )
    if kind == ffi.EVENT_WARNING:
        log.warning("%s", event.text.text())
    return None
