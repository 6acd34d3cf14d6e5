# SPDX-License-Identifier: Apache-2.0
"""Every connection the server has open: which requests outlive theirs, and closing one on purpose.

An ASGI server does not lend its connections to the application, so they are met where asyncio
makes them, and a request finds its own by the two addresses in its scope.
"""

import asyncio
import socket
import struct

TURNS = 16  # of the event loop: more than the server needs to write what it was given


class Connection:
    def __init__(self, transport):
        self._transport = transport
        self.used = False  # by an operation; the control API does not count
        self.ended = asyncio.get_running_loop().create_future()

    def end(self):
        if not self.ended.done():
            self.ended.set_result(None)

    async def drop(self, reset):
        """Close once what was written so far is on its way, without any goodbye."""
        transport = self._transport
        if transport is None:
            return
        await written()
        while transport.get_write_buffer_size() and not transport.is_closing():
            await asyncio.sleep(0.001)
        if reset and not transport.is_closing():
            linger = struct.pack("ii", 1, 0)
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


async def written():
    """Let the server write what it was given: over HTTP/2 it does so in a task of its own."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Connections:
    def __init__(self):
        self._open = {}

    def of(self, scope):
        """The connection of a request; one that has already gone counts as ended."""
        found = self._open.get((tuple(scope["client"]), tuple(scope["server"])))
        if found is None:
            found = Connection(None)
            found.end()
        return found

    def tracked(self, factory):
        """Wrap a protocol factory so that its connections are known here."""

        def make():
            protocol = factory()
            protocol.connection_made = self._first(self._made, protocol.connection_made)
            return protocol

        return make

    def _made(self, transport):
        addresses = _address(transport, "peername"), _address(transport, "sockname")
        connection = self._open[addresses] = Connection(transport)

        def lost(*_):
            connection.end()
            if self._open.get(addresses) is connection:
                del self._open[addresses]

        protocol = transport.get_protocol()
        protocol.connection_lost = self._first(lost, protocol.connection_lost)
        # A client that ends its side has left: none of ours half-closes.
        protocol.eof_received = self._first(connection.end, protocol.eof_received)

    @staticmethod
    def _first(ours, theirs):
        def both(*values):
            ours(*values)
            return theirs(*values)

        return both


class Loop(asyncio.SelectorEventLoop):
    """An event loop that tells `connections` about every connection a server accepts."""

    def __init__(self, connections):
        super().__init__()
        self._connections = connections

    async def create_server(self, protocol_factory, *args, **kwargs):
        factory = self._connections.tracked(protocol_factory)
        return await super().create_server(factory, *args, **kwargs)


def _address(transport, name):
    return tuple(transport.get_extra_info(name)[:2])
