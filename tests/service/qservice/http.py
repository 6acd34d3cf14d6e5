# SPDX-License-Identifier: Apache-2.0
"""What travels between the server and the operations: a request, and a reply to it."""

import json
import uuid
from dataclasses import dataclass, field
from urllib.parse import parse_qs


@dataclass
class Request:
    method: str
    path: str
    query: dict  # name -> last value
    headers: dict  # lower-case name -> value
    body: bytes
    http_version: str = "1.1"
    base: str = ""  # scheme://host:port as the client wrote it

    @classmethod
    def from_scope(cls, scope, body):
        headers = {
            name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        host = headers.get("host") or "{}:{}".format(*scope["server"])
        return cls(
            method=scope["method"],
            path=scope["path"],
            query=last_values(scope["query_string"].decode("latin-1")),
            headers=headers,
            body=body,
            http_version=scope["http_version"],
            base=f"{scope['scheme']}://{host}",
        )

    @property
    def media_type(self):
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def json(self):
        """The body as a JSON object; ValueError when it is something else."""
        value = json.loads(self.body or b"{}")
        if not isinstance(value, dict):
            raise ValueError("the body is not a JSON object")
        return value

    def form(self):
        return last_values(self.body.decode())


@dataclass
class Reply:
    """A reply with either a whole `body` or, for an event stream, a list of `frames`."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    frames: list = None
    headers: dict = field(default_factory=dict)
    pacing_ms: int = 0  # pause before each frame
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def wire_headers(self):
        headers = {"content-type": self.content_type, "x-amzn-requestid": self.request_id}
        if self.frames is None:
            headers["content-length"] = str(len(self.body))
        headers.update(self.headers)
        return [(name.encode(), str(value).encode()) for name, value in headers.items()]


def json_reply(value, status=200, content_type="application/json", **headers):
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status=status, content_type=content_type, body=body, headers=named)


def html_reply(title, content, status=200):
    page = (
        f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{content}</body></html>\n"
    )
    return Reply(status=status, content_type="text/html; charset=utf-8", body=page.encode())


def redirect(url, status=302):
    return Reply(status=status, content_type="text/plain", headers={"location": url})


def last_values(text):
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
