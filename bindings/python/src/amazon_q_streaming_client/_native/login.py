# SPDX-License-Identifier: Apache-2.0
"""Operations on the login of a client: a valid token of it, or a new one. For threads: they block."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

from .. import _ffi as ffi
from .client import Client
from .failure import Failure
from .handle import Handle, said


class TokenData(NamedTuple):
    """A token as the library hands it out."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_at: str
    expires_at_s: int
    region: str
    start_url: str
    profile_arn: str
    source: str
    store: str
    login: str
    kind: str
    flags: int

    def __repr__(self) -> str:
        return f"<token of {self.source}, valid until {self.expires_at or 'nobody knows when'}>"


def fetch_token(
    client: Client, *, force_refresh: bool = False, min_valid_s: int = 0
) -> tuple[TokenData, list[str]]:
    """A valid token of the client's login, and warnings. Blocks in the store and on the network."""
    error, address = ffi.Error(), ffi.c_void_p()
    options = ffi.TokenOptions(struct_size=ffi.sizeof(ffi.TokenOptions), min_valid_s=min_valid_s)
    options.flags = ffi.TOKEN_FORCE_REFRESH if force_refresh else 0
    if ffi.token_start(
        client._live, ffi.byref(options), ffi.byref(address), ffi.byref(error)
    ):
        raise Failure.of(error)
    try:
        return _wait_token(address, error)
    finally:
        ffi.op_free(address)


def _wait_token(address: Any, error: ffi.Error) -> tuple[TokenData, list[str]]:
    event = ffi.event_pointer()
    token: Optional[TokenData] = None
    warnings: list[str] = []
    while True:
        status = ffi.op_wait(address, ffi.byref(event), ffi.byref(error))
        if status < 0:
            raise Failure.of(error)
        if status == ffi.END:
            if token is None:
                raise Failure(ffi.E_PLUGIN, "token: the library ended without one")
            return token, warnings
        if event[0].type == ffi.EVENT_WARNING:
            warnings.append(event[0].text.text())
        elif event[0].type == ffi.EVENT_TOKEN:
            token = TokenData(*(_value(event[0].token[0], name) for name in TokenData._fields))


def _value(token: ffi.Token, name: str) -> Any:
    value = getattr(token, name)
    return value.text() if isinstance(value, ffi.Str) else value


class LoginOperation(Handle):
    """A login operation of a client, for one thread that waits."""

    def __init__(
        self, client: Client, texts: Mapping[str, Optional[str]], *, browser: bool, replace: bool
    ) -> None:
        super().__init__()
        self._client = client
        self.asked = False  # which profile, and there was no answer yet
        options = ffi.LoginOptions(struct_size=ffi.sizeof(ffi.LoginOptions))
        options.flow = ffi.LOGIN_BROWSER if browser else ffi.LOGIN_DEVICE
        options.flags = ffi.LOGIN_REPLACE if replace else 0
        kept = {name: (text or "").encode() for name, text in texts.items()}
        for name, value in kept.items():
            setattr(options, name, ffi.borrowed(value))
        if kept["start_url"] or kept["profile_arn"]:
            options.flags |= ffi.LOGIN_ORGANISATION
        self._event = ffi.event_pointer()
        self._check(
            ffi.login_start(
                client._live, ffi.byref(options), ffi.byref(self._address), ffi.byref(said.error)
            )
        )

    def next(self) -> tuple[int, Any]:
        """OK and an event that is valid until the next call; AGAIN: wait and step; or END."""
        status = ffi.op_next(self._live, ffi.byref(self._event), ffi.byref(said.error))
        if status < 0:
            raise Failure.of(said.error)
        return status, self._event[0] if status == ffi.OK else None

    def step(self) -> None:
        ffi.client_step_blocking(self._client._live, None)  # an error reaches the operation

    def choose(self, arn: str) -> None:
        """Answer which profile; none if it is empty."""
        value = arn.encode()
        self._check(ffi.op_give_profile(self._live, ffi.borrowed(value), ffi.byref(said.error)))
        self.asked = False

    def close(self, _free: Any = ffi.op_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        if address and not self._client.closed:  # closing a client frees its operations
            _free(address)

    def __del__(self) -> None:
        self.close()
