# SPDX-License-Identifier: Apache-2.0
"""An aq_client, and how a thread waits for it."""

from __future__ import annotations

import logging
import os
import select
from typing import Any, Mapping, Optional

from .. import _ffi as ffi
from .._version import __version__
from .failure import Failure
from .handle import BATCH, EventTuple, Handle, said

log = logging.getLogger("amazon_q_streaming_client")

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}

_CLIENT_CLOSED = "client: was closed while a request was under way, keep it open until answers end"


class Client(Handle):
    """An aq_client. Settings are the library's (docs/settings.md); their values beat every other."""

    __slots__ = ("_bell", "_error", "_interrupted", "_logs", "_status")

    def __init__(
        self,
        settings: Optional[Mapping[str, str]] = None,
        *,
        user_agent: str = "",
        environment: bool = True,
        files: bool = True,
    ) -> None:
        super().__init__()
        self._error, self._status = ffi.Error(), ffi.c_int32()  # of steps, of which there are many
        self._bell: Optional[Bell] = None  # of a client that a thread waits for
        self._interrupted = False
        pairs = [(k.encode(), v.encode()) for k, v in (settings or {}).items()]
        array = (ffi.ClientSetting * max(len(pairs), 1))()
        for at, (key, value) in enumerate(pairs):
            array[at].key = ffi.borrowed(key)
            array[at].value = ffi.borrowed(value)
        agent = f"amazon-q-streaming-client/{__version__} {user_agent}".rstrip().encode()
        options = ffi.ClientOptions(struct_size=ffi.sizeof(ffi.ClientOptions))
        options.flags = (0 if environment else ffi.CLIENT_NO_ENV) | (
            0 if files else ffi.CLIENT_NO_SETTINGS
        )
        options.settings = array
        options.setting_count = len(pairs)
        options.user_agent = ffi.borrowed(agent)
        self._logs = log.isEnabledFor(logging.DEBUG)
        if self._logs:
            options.log_level = ffi.CLIENT_LOG_DEBUG
        self._check(
            ffi.client_new(ffi.byref(options), ffi.byref(self._address), ffi.byref(said.error))
        )

    @property
    def _live(self) -> Any:
        if self._interrupted or not self._address:
            raise Failure(ffi.E_CANCELLED, _CLIENT_CLOSED)
        return self._address

    def bell(self) -> Bell:
        if self._bell is None:
            self._bell = Bell(self.fileno(), *os.pipe())
        return self._bell

    def ring(self) -> None:
        """Wake the thread that waits, from any thread. It looks why, and may find no reason."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def interrupt(self) -> None:
        """From any thread: whoever works with it is told that it is closed, and closes it."""
        self._interrupted = True
        self.ring()

    def fileno(self) -> int:
        """To be watched for readability; then step."""
        return int(ffi.client_fd(self._live))

    def step(self) -> list[tuple[int, int, list[EventTuple]]]:
        """Do what can be done; what operations have to report: their keys, status and events.

        The events are there if the operation wanted them; otherwise, OK means that it can be drained.
        """
        ready: list[Any] = ffi.client_step(self._live, BATCH, self._status, self._error)
        if self._status.value == ffi.E_FORKED:
            raise Failure.of(self._error)
        if self._logs:
            self._log()
        return ready

    def remember(self, profile_arn: str, site: str) -> None:
        """This site of the service takes the login: it is asked first from now on."""
        arn, name = profile_arn.encode(), site.encode()
        ffi.exchange_remember(self._live, ffi.borrowed(arn), ffi.borrowed(name), self._error)

    def _log(self) -> None:
        level, line = ffi.c_int32(), ffi.Str()
        while (
            ffi.client_next_log(self._live, ffi.byref(level), ffi.byref(line)) == ffi.OK
        ):  # the library's lines hold no secrets
            log.log(_LEVELS.get(level.value, logging.DEBUG), "%s", line.text())

    def close(self, _free: Any = ffi.client_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        self._bell = None
        if address:
            _free(address)

    def __del__(self) -> None:
        self.close()


class Bell:
    """Wakes the thread that waits for a client. Its descriptors live as long as anybody may ring."""

    def __init__(self, fd: int, ear: int, button: int) -> None:
        self._ear, self._button = ear, button
        self._poller = select.poll()
        self._poller.register(fd, select.POLLIN)
        self._poller.register(self._ear, select.POLLIN)

    def wait(self) -> None:
        """Until the client's descriptor is readable, or the bell has been rung."""
        if any(fd == self._ear for fd, _event in self._poller.poll()):
            os.read(self._ear, 64)

    def ring(self) -> None:
        """From any thread."""
        os.write(self._button, b"!")

    def __del__(self, _close: Any = os.close) -> None:
        _close(self._ear)
        _close(self._button)
