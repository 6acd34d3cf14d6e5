# SPDX-License-Identifier: Apache-2.0
"""The AWS event stream encoding (docs/protocol.md 5): frames out, and frames in for tests."""

import json
import struct
import uuid
import zlib

MEDIA_TYPE = "application/vnd.amazon.eventstream"
PRELUDE = struct.Struct(">III")
OVERHEAD = PRELUDE.size + 4  # the prelude and the message checksum


def encode(headers, payload=b""):
    """Return one frame. `headers` is a list of (name, value), typed as `_value` says."""
    block = b"".join(_header(name, value) for name, value in headers)
    head = struct.pack(">II", OVERHEAD + len(block) + len(payload), len(block))
    head += struct.pack(">I", zlib.crc32(head))
    return _sealed(head + block + payload)


def event(event_type, payload):
    """Return an event frame in the order of headers the service uses."""
    return encode(
        [
            (":event-type", event_type),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        _json(payload),
    )


def exception(exception_type, payload):
    return encode(
        [
            (":exception-type", exception_type),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ],
        _json(payload),
    )


def error(code, message):
    """The unmodeled error: everything is in the headers, the payload is empty."""
    return encode([(":error-code", code), (":error-message", message), (":message-type", "error")])


def with_bad_checksum(frame):
    return frame[:-4] + _flipped(frame[-4:])


def with_bad_prelude_checksum(frame):
    """The prelude checksum is wrong, the message checksum fits the frame as it now is."""
    return _sealed(frame[:8] + _flipped(frame[8:12]) + frame[12:-4])


def decode(data):
    """Return [(headers, payload)] of a whole body; ValueError names what is wrong."""
    messages = []
    while data:
        if len(data) < OVERHEAD:
            raise ValueError("event stream: cut inside a prelude")
        total, header_length, prelude_crc = PRELUDE.unpack_from(data)
        if prelude_crc != zlib.crc32(data[:8]):
            raise ValueError("event stream: prelude checksum differs")
        if len(data) < total:
            raise ValueError("event stream: cut inside a frame")
        frame, data = data[:total], data[total:]
        if struct.unpack(">I", frame[-4:])[0] != zlib.crc32(frame[:-4]):
            raise ValueError("event stream: message checksum differs")
        end = PRELUDE.size + header_length
        messages.append((_headers(frame[PRELUDE.size : end]), frame[end:-4]))
    return messages


def _json(payload):
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _sealed(body):
    return body + struct.pack(">I", zlib.crc32(body))


def _flipped(checksum):
    return bytes(byte ^ 0xFF for byte in checksum)


def _header(name, value):
    encoded = name.encode()
    return bytes([len(encoded)]) + encoded + _value(value)


def _value(value):
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, int):
        return b"\x04" + struct.pack(">i", value)
    if isinstance(value, bytes):
        return b"\x06" + struct.pack(">H", len(value)) + value
    if isinstance(value, uuid.UUID):
        return b"\x09" + value.bytes
    text = value.encode()
    return b"\x07" + struct.pack(">H", len(text)) + text


_FIXED = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}


def _headers(block):
    headers = {}
    while block:
        length = block[0]
        name, kind, block = block[1 : 1 + length].decode(), block[1 + length], block[2 + length :]
        if kind in (0, 1):
            headers[name] = kind == 0
        elif kind in _FIXED:
            size = struct.calcsize(_FIXED[kind])
            headers[name], block = struct.unpack(_FIXED[kind], block[:size])[0], block[size:]
        elif kind in (6, 7):
            size = struct.unpack(">H", block[:2])[0]
            value, block = block[2 : 2 + size], block[2 + size :]
            headers[name] = value if kind == 6 else value.decode()
        elif kind == 9:
            headers[name], block = uuid.UUID(bytes=block[:16]), block[16:]
        else:
            raise ValueError(f"event stream: header {name} has the unknown type {kind}")
    return headers
