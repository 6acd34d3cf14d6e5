# SPDX-License-Identifier: Apache-2.0
"""What happened: counters, the requests as they came (secrets masked), and waiting for either."""

import asyncio
import json
from collections import Counter, defaultdict, deque
from contextlib import asynccontextmanager

KEPT = 50  # requests remembered per operation
SECRET = {
    "accesstoken",
    "refreshtoken",
    "clientsecret",
    "code",
    "codeverifier",
    "devicecode",
    "idtoken",
}


class Journal:
    def __init__(self):
        self._changed = asyncio.Condition()
        self.calls = Counter()  # by operation; CreateToken also by grant
        self.replies = Counter()  # "operation status"
        self.disconnects = Counter()  # clients that left before the end of the reply
        self.held = Counter()  # calls waiting for a release now
        self.requests = defaultdict(lambda: deque(maxlen=KEPT))
        self.connections = 0  # that carried at least one call

    def counters(self):
        return {
            **self.calls,
            "replies": dict(self.replies),
            "disconnects": dict(self.disconnects),
            "held": {name: count for name, count in self.held.items() if count},
            "connections": self.connections,
        }

    async def called(self, operation, request, new_connection):
        self.connections += new_connection
        for name in _names(operation):
            self.calls[name] += 1
            self.requests[name].append(record(operation, request))
        await self._notify()

    def replied(self, operation, status):
        for name in _names(operation):
            self.replies[f"{name} {status}"] += 1

    async def disconnected(self, operation):
        self.disconnects.update(_names(operation))
        await self._notify()

    @asynccontextmanager
    async def holding(self, operation):
        self.held.update(_names(operation))
        await self._notify()
        try:
            yield
        finally:
            self.held.subtract(_names(operation))

    async def wait(self, kind, operation, count, timeout):
        """Return True once the counter has reached `count`, False when time is up."""
        counter = {"calls": self.calls, "held": self.held, "disconnects": self.disconnects}[kind]

        async def reached():
            async with self._changed:
                await self._changed.wait_for(lambda: counter[operation] >= count)

        try:
            await asyncio.wait_for(reached(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    async def _notify(self):
        async with self._changed:
            self._changed.notify_all()


def record(operation, request):
    headers = dict(request.headers)
    if "authorization" in headers:
        scheme, _, value = headers["authorization"].partition(" ")
        headers["authorization"] = f"{scheme} {masked(value)}"
    try:
        body = _without_secrets(json.loads(request.body))
    except ValueError:
        body = None  # a form, or nothing: never shown, it may hold a code
    return {
        "operation": operation,
        "method": request.method,
        "path": request.path,
        "query": _without_secrets(request.query),
        "headers": headers,
        "body": body,
        "body_size": len(request.body),
        "http_version": request.http_version,
    }


def masked(secret):
    """Enough to tell two secrets apart, too little to use one."""
    return f"***{secret[-4:]} ({len(secret)})"


def _without_secrets(value):
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: masked(item) if _is_secret(name, item) else _without_secrets(item)
        for name, item in value.items()
    }


def _is_secret(name, item):
    return isinstance(item, str) and name.replace("_", "").lower() in SECRET


def _names(operation):
    """A name with a grant counts for itself and for the operation."""
    return {operation, operation.partition(":")[0]}
