# SPDX-License-Identifier: Apache-2.0
"""Looks for secrets in what the package logs and in the exceptions that leave it, in every test."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from qservice import canary

from amazon_q_streaming_client import QError, ToolError
from amazon_q_streaming_client._events import EventError
from amazon_q_streaming_client._native import Failure

LOGGER = logging.getLogger("amazon_q_streaming_client")
EXCEPTIONS = (QError, ToolError, EventError, Failure)


class Watch(logging.Handler):
    """Its `found` says where there were secrets. Nothing is kept that a test might miss."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []
        self._raises = pytest.raises
        monkeypatch.setattr(LOGGER, "level", logging.DEBUG)
        LOGGER.addHandler(self)
        for kind in EXCEPTIONS:
            monkeypatch.setattr(kind, "__init__", self._checked(kind.__init__))
        monkeypatch.setattr(pytest, "raises", self._checked_raises)

    def end(self, home: Path) -> None:
        LOGGER.removeHandler(self)
        for path in home.rglob("*"):
            if path.is_file() and not path.is_symlink() and ".sqlite3" not in path.name:
                self.look(path.read_bytes(), f"the file {path}")
        assert not self.found, self.found

    def look(self, text: Any, where: str) -> None:
        if canary.within(text):
            self.found.append(where)

    def emit(self, record: logging.LogRecord) -> None:
        self.look(self.format(record), f"the log: {record.msg}")

    def exception(self, error: BaseException) -> None:
        """As somebody would see it who prints it, with all that led to it."""
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        self.look(repr(error) + "".join(lines), f"an exception: {type(error).__name__}")

    def _checked(self, init: Any) -> Any:
        def checked(error: BaseException, *args: Any, **values: Any) -> None:
            init(error, *args, **values)
            self.exception(error)
            context = sys.exc_info()[1]
            if context is not None:
                self.exception(context)

        return checked

    def _checked_raises(self, *args: Any, **values: Any) -> Any:
        return _Raises(self, self._raises(*args, **values))


class _Raises:
    """`with pytest.raises(...)`, and a look at what was raised."""

    def __init__(self, watch: Watch, real: Any) -> None:
        self._watch, self._real = watch, real

    def __enter__(self) -> Any:
        return self._real.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        __tracebackhide__ = True
        if error is not None:
            self._watch.exception(error)
        return self._real.__exit__(kind, error, trace)
