# SPDX-License-Identifier: Apache-2.0
"""A negative status of the library, as an exception inside the package."""

from __future__ import annotations

import re

from .. import _ffi as ffi


class Failure(Exception):
    """A negative status of the library. Never reaches the caller of the package: see _errors.py."""

    def __init__(self, status: int, text: str, http: int = 0, flags: int = 0, sys: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.http = http
        self.flags = flags
        self.sys = sys

    @property
    def not_sent(self) -> bool:
        """The peer cannot have acted on any byte of the request."""
        return bool(self.flags & ffi.ERROR_NOT_SENT)

    @classmethod
    def of(cls, error: ffi.Error) -> Failure:
        text = _in_python(error.text.decode("utf-8", "replace"))
        return cls(error.status, text, error.http, error.flags, error.sys)


# The library's advice names options of the command; this is what a program writes instead.
_ADVICE = {
    "--ca-bundle": "settings={'ca_bundle': PATH}",
    "--identity-provider": "start_url=",
    "--use-device-flow": "browser=False",
}
_CHOICE = re.compile(r"--(login|source|store|transport) ([a-z0-9_-]+)")


def _in_python(text: str) -> str:
    if "--" in text:
        for option, keyword in _ADVICE.items():
            text = text.replace(option, keyword)
        text = _CHOICE.sub(r"\1='\2'", text)
    return text
