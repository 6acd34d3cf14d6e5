# SPDX-License-Identifier: Apache-2.0
"""An aq_exchange: one request to the service and its answer, without I/O."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

from .. import _ffi as ffi
from .client import Client
from .failure import Failure
from .handle import BATCH, STREAM_CLOSED, EventTuple, Handle, Headers, header_array, said


class Request(NamedTuple):
    """What an exchange wants to be sent."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes

    def __repr__(self) -> str:  # the headers hold the token, the body what the user wrote
        return f"<{self.method} {self.url}>"


class Fault(NamedTuple):
    """What the service said when it refused."""

    http: int
    code: str
    reason: str
    message: str
    request_id: str


class Exchange(Handle):
    """One request to the service and its answer, without I/O: an aq_exchange."""

    __slots__ = ("_client", "_chunk", "_abandoned", "accepted", "carrier")

    def __init__(
        self,
        client: Client,
        call: int,
        *,
        access_token: str,
        body: bytes = b"",
        token_kind: str = "",
        profile_arn: str = "",
        region: str = "",
        max_attempts: int = 0,
    ) -> None:
        super().__init__()
        self._client = client
        self._chunk = b""
        self._abandoned = False
        self.accepted: Callable[[str], None] = lambda site: None
        """Told which site of the service took the login, if the library chose it."""
        self.carrier: Optional[Client] = None
        """Over which it is sent, unless by httpx itself."""
        parts = (access_token, profile_arn, region, token_kind)
        texts = [part.encode() for part in parts]
        request = ffi.StreamOptions(struct_size=ffi.sizeof(ffi.StreamOptions), call=call)
        request.access_token = ffi.borrowed(texts[0])
        request.profile_arn = ffi.borrowed(texts[1])
        request.token_kind = ffi.borrowed(texts[3])
        request.body = ffi.borrowed(body)
        options = ffi.ExchangeOptions(struct_size=ffi.sizeof(ffi.ExchangeOptions))
        options.request = ffi.pointer(request)
        options.region = ffi.borrowed(texts[2])
        options.max_attempts = max_attempts
        self._check(
            ffi.exchange_new_for(
                client._live,
                ffi.byref(options),
                ffi.byref(self._address),
                ffi.byref(said.error),
            )
        )

    @property
    def _live(self) -> Any:
        if self._abandoned:
            raise Failure(ffi.E_CANCELLED, STREAM_CLOSED)
        return super()._live

    def abandon(self) -> None:
        """From any thread: the one that works with it is told that it is closed, and closes it."""
        self._abandoned = True
        carrier = self.carrier
        if carrier is not None:
            carrier.ring()

    def drain(self) -> tuple[int, list[EventTuple]]:
        """As Operation.drain."""
        events: list[EventTuple] = ffi.exchange_drain(
            self._live, BATCH, said.status, said.error
        )
        status = said.status.value
        if status < 0 and not events:
            raise Failure.of(said.error)
        return status, events

    def request(self) -> Request:
        """What to send now."""
        out = ffi.ExchangeRequest(struct_size=ffi.sizeof(ffi.ExchangeRequest))
        self._check(ffi.exchange_request(self._live, ffi.byref(out), said.error))
        headers = [
            (out.headers[i].name.text(), out.headers[i].value.text())
            for i in range(out.header_count)
        ]
        return Request(out.method.text(), out.url.text(), headers, out.body.bytes())

    def response(self, status: int, headers: Headers) -> None:
        array = header_array(headers)
        self._check(
            ffi.exchange_response(self._live, status, array, len(headers), 0, said.error)
        )

    def feed(self, chunk: bytes) -> None:
        """A piece of the body; drain() before the next one."""
        self._chunk = chunk  # borrowed by the exchange until then
        self._check(ffi.exchange_feed(self._live, chunk, len(chunk), said.error))

    def finish(self) -> None:
        """The body is complete."""
        self._check(ffi.exchange_finish(self._live, said.error))

    def fail(self, status: int, text: str, *, not_sent: bool = False) -> None:
        """The attempt broke."""
        why = ffi.Error(status=status, flags=ffi.ERROR_NOT_SENT if not_sent else 0)
        why.text = text.encode()[:480]
        self._check(ffi.exchange_fail(self._live, ffi.byref(why), said.error))

    def give_token(self, access_token: str) -> None:
        text = access_token.encode()
        self._check(ffi.exchange_give_token(self._live, ffi.borrowed(text), said.error))

    def fault(self) -> Fault:
        """What the service said, in parts; empty where it said nothing."""
        out = ffi.ExchangeFault(struct_size=ffi.sizeof(ffi.ExchangeFault))
        ffi.exchange_fault(self._live, ffi.byref(out))
        return Fault(
            out.http,
            out.code.text(),
            out.reason.text(),
            out.message.text(),
            out.request_id.text(),
        )

    def close(self, _free: Any = ffi.exchange_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        if address:
            _free(address)

    def __del__(self) -> None:
        self.close()
