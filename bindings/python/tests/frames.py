# SPDX-License-Identifier: Apache-2.0
"""Answers as the service sends them, for tests that play the service themselves."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

STREAM = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "rid-1"}


def frame(event_type: str, payload: Any) -> bytes:
    """One event (docs/protocol.md, section 5)."""
    headers = b""
    for name, value in ((":message-type", "event"), (":event-type", event_type)):
        headers += bytes([len(name)]) + name.encode() + b"\x07"
        headers += struct.pack(">H", len(value)) + value.encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def answer(*words: str) -> bytes:
    """An answer of these pieces."""
    return b"".join(frame("assistantResponseEvent", {"content": word}) for word in words)
