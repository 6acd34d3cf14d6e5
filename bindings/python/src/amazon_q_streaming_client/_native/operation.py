# SPDX-License-Identifier: Apache-2.0
"""An aq_op over a client's transport: an HTTP request, or that of an exchange."""

from __future__ import annotations

from typing import Any, Optional

from .. import _ffi as ffi
from .client import Client
from .exchange import Exchange
from .failure import Failure
from .handle import BATCH, EventTuple, Handle, Headers, header_array, said


class Operation(Handle):
    """An aq_op of a client."""

    __slots__ = ("wanted", "_client", "_exchange")

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client  # must outlive it
        self._exchange: Optional[Exchange] = None  # that it feeds; must outlive it, too
        self.wanted = ffi.c_int32()

    @property
    def _live(self) -> Any:
        self._client._live  # closing a client frees its operations
        if self._exchange is not None:
            self._exchange._live
        return super()._live

    def _carry(self, exchange: Exchange) -> None:
        self._exchange = exchange
        exchange.carrier = self._client
        exchange._live  # who abandons it from now on rings; who did before is seen here

    @property
    def client(self) -> Client:
        return self._client

    @property
    def key(self) -> int:
        """0 once it is closed."""
        return self._address.value or 0

    def wait(self) -> None:
        """Block until the operation may have something."""
        bell = self._client.bell()
        self._live  # who closes from now on rings; who did before is seen here
        bell.wait()
        self._live
        self._client.step()

    def _offer(self) -> None:
        """From now on a step brings its events along, once each time that `wanted` is set."""
        self.wanted.value = 0
        ffi.op_set_userdata(self._live, ffi.byref(self.wanted))

    def drain(self) -> tuple[int, list[EventTuple]]:
        """What has arrived, and OK, AGAIN or END; raises only after the events before were handed out."""
        events: list[EventTuple] = ffi.op_drain(self._live, BATCH, said.status, said.error)
        status = said.status.value
        if status < 0 and not events:
            raise Failure.of(said.error)
        return status, events

    def close(self, _free: Any = ffi.op_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        if address and not self._client.closed:  # closing a client frees its operations
            _free(address)

    def __del__(self) -> None:
        self.close()


class HttpOperation(Operation):
    """One HTTP request over the client's transport."""

    __slots__ = ()

    def __init__(
        self,
        client: Client,
        method: bytes,
        url: bytes,
        headers: Headers,
        body: bytes,
        *,
        connect_ms: int = 0,
        first_byte_ms: int = 0,
        idle_ms: int = 0,
    ) -> None:
        super().__init__(client)
        options = ffi.HttpOptions(struct_size=ffi.sizeof(ffi.HttpOptions))
        options.method = ffi.borrowed(method)
        options.url = ffi.borrowed(url)
        options.headers = header_array(headers)
        options.header_count = len(headers)
        options.body = ffi.borrowed(body)
        options.connect_timeout_ms = connect_ms
        options.first_byte_timeout_ms = first_byte_ms
        options.idle_timeout_ms = idle_ms
        self._check(
            ffi.http_start(
                client._live,
                ffi.byref(options),
                ffi.byref(self._address),
                ffi.byref(said.error),
            )
        )
        self._offer()

    def feed(self, exchange: Exchange) -> None:
        """From now on drain() yields the exchange's events, and the body never enters Python."""
        self._check(ffi.http_feed(self._live, exchange._live, said.error))
        self._carry(exchange)


class ExchangeOperation(Operation):
    """The request of an exchange over the client's transport, and its answer; no byte enters Python."""

    __slots__ = ()

    def __init__(
        self, client: Client, exchange: Exchange, *, connect_ms: int, read_ms: int
    ) -> None:
        super().__init__(client)
        self._carry(exchange)
        self._check(
            ffi.exchange_send(
                client._live,
                exchange._live,
                connect_ms,
                read_ms,
                ffi.byref(self._address),
                said.error,
            )
        )

    def receive(self) -> bool:
        """Has the answer begun? From then on drain() yields the exchange's events."""
        assert self._exchange is not None
        status = ffi.exchange_receive(self._exchange._live, self._live, said.error)
        self._check(status)
        if status == ffi.AGAIN:
            return False
        self._offer()
        return True
