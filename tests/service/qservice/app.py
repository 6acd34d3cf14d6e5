# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: read a request, find its operation, reply as the fault in turn says."""

import asyncio

from . import control, faults, kiro, oidc, qapi
from .connections import written
from .http import Request, json_reply
from .journal import Journal


class App:
    """`connections` is how a fault closes the connection of a request (see connections.py)."""

    def __init__(self, state, connections):
        self.state = state
        self.connections = connections
        self.journal = Journal()
        self.faults = faults.Faults()
        self._gate = asyncio.Event()

    def release(self):
        """Let everyone at the gate pass, and close it again for those who come later."""
        self._gate.set()
        self._gate = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await Call(self, scope, receive, send).run()

    async def _lifespan(self, receive, send):
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return

    def passed(self):
        return self._gate.wait()


class Gone(Exception):
    """The client has left, or its connection was closed on purpose."""


class Call:
    """One request on its way through the service."""

    def __init__(self, app, scope, receive, send):
        self.app, self.scope, self.receive, self.send = app, scope, receive, send
        self.operation = None
        self._journal = app.journal  # a reset begins another, which is not this call's
        self._connection = app.connections.of(scope)
        self._signs = set()  # futures: any one done means that the client has left

    async def run(self):
        body = await self._read()
        if body is None:
            return
        disconnect = asyncio.ensure_future(self._disconnect())
        self._signs = {disconnect, self._connection.ended}
        try:
            await self._reply(Request.from_scope(self.scope, body))
        except Gone:
            pass
        finally:
            disconnect.cancel()

    async def _reply(self, request):
        if request.path.startswith(control.PREFIX) and self.scope["scheme"] == "http":
            await self._write(await control.handle(self.app, request), faults.NO_FAULT)
            return
        names = (part.operation_name(request) for part in (oidc, kiro, qapi))
        self.operation = next(filter(None, names), None)
        if self.operation is None:
            await self._write(json_reply({"message": "Not found"}, status=404), faults.NO_FAULT)
            return
        fault = self.app.faults.take(self.operation)
        await self._journal.called(self.operation, request, not self._connection.used)
        self._connection.used = True
        reply = await self._act(request, fault)
        self._journal.replied(self.operation, reply.status)
        await self._write(reply, fault)

    async def _act(self, request, fault):
        """The reply, after everything a fault does around the operation."""
        await self._pause(fault.delay_ms)
        await self._stop_at("before", fault)
        reply = None
        if fault.act or not fault.replaces:
            reply = self._operate(request, fault)
        await self._stop_at("after", fault)
        if fault.replaces:
            reply = faults.replacement(fault)
        faults.spoil(fault, reply)
        if fault.stall:
            await self._wait_for_release()
        return reply

    def _operate(self, request, fault):
        if (request.method, request.path) in oidc.ROUTES:
            return oidc.handle(self.app.state, request)
        if (request.method, request.path) in kiro.ROUTES:
            return kiro.handle(self.app.state, request)
        return qapi.handle(self.app.state, request, fault.answer)

    async def _stop_at(self, point, fault):
        if fault.hold == point:
            await self._wait_for_release()
        if fault.drop == point:
            await self._drop(fault.reset)

    async def _write(self, reply, fault):
        await self.send(
            {"type": "http.response.start", "status": reply.status, "headers": reply.wire_headers()}
        )
        parts, clean = faults.pieces(fault, reply)
        for index, part in enumerate([*parts, b""]):
            if index == fault.stall_after:
                await self._send_body(b"")
                await self._wait_for_release()
            if part:
                await self._pause(reply.pacing_ms)
                await self._send_body(part)
            if fault.chunk:
                await written()
        if not clean:
            await self._send_body(b"")
            await self._drop(fault.reset)
        await self._send_body(b"", more=False)

    async def _send_body(self, data, more=True):
        if any(sign.done() for sign in self._signs):
            await self._left()
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def _drop(self, reset):
        await self._connection.drop(reset)
        raise Gone

    async def _wait_for_release(self):
        passed = self.app.passed()
        async with self._journal.holding(self.operation):
            await self._unless_left(passed)

    async def _pause(self, milliseconds):
        if milliseconds:
            await self._unless_left(asyncio.sleep(milliseconds / 1000))

    async def _unless_left(self, waiting):
        """Wait for `waiting`, but no longer than the client does."""
        task = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait({task} | self._signs, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await self._left()
        finally:
            task.cancel()

    async def _left(self):
        if self.operation:
            await self._journal.disconnected(self.operation)
        raise Gone

    async def _read(self):
        """The whole body, or None when the client left while sending it."""
        body = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if not message.get("more_body", False):
                return bytes(body)

    async def _disconnect(self):
        while (await self.receive())["type"] != "http.disconnect":
            pass
