# SPDX-License-Identifier: Apache-2.0
"""Scripted faults: what a fault may say, the queues they wait in, and what they do to a reply."""

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field, fields

from . import chat, eventstream
from .errors import OIDC, OidcError, ServiceError
from .http import Reply, html_reply, json_reply, redirect


@dataclass
class Fault:
    """One thing to go wrong. README.md explains each member."""

    # when
    times: int = 1  # uses; -1: until cleared
    skip: int = 0  # calls let through first
    # before the reply
    delay_ms: int = 0
    hold: str = None  # before | after acting: wait for /_control/release
    drop: str = None  # before | after acting: close the connection instead of a reply
    reset: bool = False  # drops and cuts send a TCP reset
    # another reply; the operation is carried out only with `act`
    act: bool = False
    status: int = None
    html: bool = False
    body: str = None
    content_type: str = None
    oidc_error: str = None
    error: dict = None  # {code, message, reason?, status?}
    redirect: str = None
    # changes to the reply
    headers: dict = field(default_factory=dict)
    remove: list = field(default_factory=list)  # members of a JSON reply
    set: dict = field(default_factory=dict)  # members of a JSON reply
    truncate: int = None  # bytes of the body that are kept, with a content-length that fits
    empty: bool = False
    gzip: bool = False
    stall: bool = False  # no reply, connection open
    # changes to the event stream; a frame is named by its index from 0
    answer: dict = field(default_factory=dict)  # as the setting `answer`, for this call
    insert: list = field(default_factory=list)  # [{at, event|exception|error|hex: ...}]
    unknown_event: int = None
    exception_frame: dict = None  # {at, type, message, reason?}; ends the stream
    error_frame: dict = None  # {at, code, message}; ends the stream
    bad_crc: int = None
    bad_prelude_crc: int = None
    cut: dict = None  # {frame, offset?, clean?}; of other bodies {offset, clean?}
    chunk: int = None  # bytes in one write
    stall_after: int = None  # frames sent before the stall

    @classmethod
    def parse(cls, values):
        """ValueError names the member that is wrong, so that a typo in a test is seen at once."""
        kinds = {f.name: f.type for f in fields(cls)}
        for name, value in values.items():
            if name not in kinds:
                raise ValueError(f"fault {name}: unknown, use one of {', '.join(kinds)}")
            if type(value) is not kinds[name]:
                raise ValueError(f"fault {name}: must be {kinds[name].__name__}")
            unknown = set(value) - NESTED[name] if name in NESTED else set()
            if unknown:
                known = ", ".join(sorted(NESTED[name]))
                raise ValueError(f"fault {name}.{min(unknown)}: unknown, use one of {known}")
        fault = cls(**values)
        for name in ("hold", "drop"):
            if getattr(fault, name) not in (None, "before", "after"):
                raise ValueError(f"fault {name}: must be before or after")
        if fault.oidc_error is not None and fault.oidc_error not in OIDC:
            raise ValueError(f"fault oidc_error: use one of {', '.join(OIDC)}")
        if fault.chunk is not None and fault.chunk < 1:
            raise ValueError("fault chunk: must be at least 1")
        chat.check_script(fault.answer)
        return fault

    @property
    def replaces(self):
        given = (self.status, self.body, self.oidc_error, self.error, self.redirect)
        return self.html or any(value is not None for value in given)


NESTED = {
    "error": {"code", "message", "reason", "status"},
    "cut": {"frame", "offset", "clean"},
    "exception_frame": {"at", "type", "message", "reason"},
    "error_frame": {"at", "code", "message"},
}
NO_FAULT = Fault()


class Faults:
    """One queue per operation; the most exact name is asked first."""

    def __init__(self):
        self._queues = defaultdict(list)

    def add(self, operation, fault):
        self._queues[operation].append(fault)

    def clear(self):
        self._queues.clear()

    def pending(self):
        return {name: len(queue) for name, queue in self._queues.items() if queue}

    def take(self, operation):
        for name in (operation, operation.partition(":")[0], "*"):
            if self._queues[name]:
                return self._next(self._queues[name])
        return NO_FAULT

    @staticmethod
    def _next(queue):
        fault = queue[0]
        if fault.skip > 0:
            fault.skip -= 1
            return NO_FAULT
        if fault.times > 0:
            fault.times -= 1
        if fault.times == 0:
            queue.pop(0)
        return fault


def replacement(fault):
    """The reply that stands in for the operation's own."""
    if fault.oidc_error:
        reply = OidcError(fault.oidc_error).reply()
    elif fault.error:
        error = {"code": "InternalServerException", "message": "scripted error", **fault.error}
        reply = ServiceError(**error).reply()
    elif fault.redirect:
        reply = redirect(fault.redirect)
    elif fault.html:
        reply = html_reply("502 Bad Gateway", "<h1>502 Bad Gateway</h1>", status=502)
    elif fault.body is not None:
        reply = Reply(body=fault.body.encode())
    else:
        reply = json_reply({"message": "scripted status"})
    if fault.status is not None:
        reply.status = fault.status
    if fault.content_type is not None:
        reply.content_type = fault.content_type
    return reply


def spoil(fault, reply):
    """Apply the changes a fault makes to whichever reply there is."""
    if reply.frames is not None:
        _spoil_frames(fault, reply)
    else:
        _spoil_body(fault, reply)
    reply.headers.update(fault.headers)


def _spoil_body(fault, reply):
    if fault.remove or fault.set:
        members = {**json.loads(reply.body), **fault.set}
        kept = {name: value for name, value in members.items() if name not in fault.remove}
        reply.body = json.dumps(kept).encode()
    if fault.truncate is not None:
        reply.body = reply.body[: fault.truncate]
    if fault.empty:
        reply.body = b""
    if fault.gzip:
        reply.body = gzip.compress(reply.body)
        reply.headers["content-encoding"] = "gzip"


def _spoil_frames(fault, reply):
    frames = reply.frames
    for extra in fault.insert:
        frames.insert(extra["at"], _inserted(extra))
    if fault.unknown_event is not None:
        frames.insert(fault.unknown_event, eventstream.event("futureEvent", {"news": [1, None]}))
    if fault.exception_frame is not None:
        values = {
            "at": 0,
            "type": "error",
            "message": "scripted exception",
            **fault.exception_frame,
        }
        at, kind = values.pop("at"), values.pop("type")
        frames[at:] = [eventstream.exception(kind, values)]
    if fault.error_frame is not None:
        values = {
            "at": 0,
            "code": "InternalError",
            "message": "scripted error",
            **fault.error_frame,
        }
        frames[values["at"] :] = [eventstream.error(values["code"], values["message"])]
    if fault.bad_crc is not None:
        frames[fault.bad_crc] = eventstream.with_bad_checksum(frames[fault.bad_crc])
    if fault.bad_prelude_crc is not None:
        frame = frames[fault.bad_prelude_crc]
        frames[fault.bad_prelude_crc] = eventstream.with_bad_prelude_checksum(frame)
    if fault.empty:
        frames.clear()
    if fault.gzip:
        frames[:] = [gzip.compress(b"".join(frames))]
        reply.headers["content-encoding"] = "gzip"


def _inserted(extra):
    if "hex" in extra:
        return bytes.fromhex(extra["hex"])
    if "event" in extra:
        return eventstream.event(*extra["event"])
    if "exception" in extra:
        return eventstream.exception(*extra["exception"])
    return eventstream.error(*extra["error"])


def pieces(fault, reply):
    """The body as it is written, and True when it ends as HTTP says it should."""
    parts, clean = [reply.body] if reply.frames is None else list(reply.frames), True
    if fault.cut is not None:
        frame = fault.cut.get("frame", 0)
        offset = fault.cut.get("offset", len(parts[frame]) // 2)
        parts, clean = parts[:frame] + [parts[frame][:offset]], fault.cut.get("clean", False)
    if fault.chunk is not None:
        whole = b"".join(parts)
        parts = [whole[i : i + fault.chunk] for i in range(0, len(whole), fault.chunk)]
    return parts, clean
