# SPDX-License-Identifier: Apache-2.0
"""A service that streams answers at a set pace, over HTTP/1.1 or HTTP/2 without TLS: one loop, no framework.

    server.py CPU [together]

Prints its URL. Each event is a write of its own; `together`, those of an HTTP/2 connection that are due at the same
time are one, as servers do that flush when their loop has had its turn, and streams that were asked for together stay
together. What a request's body says decides over its answer:

    events=200 rate=50 shape=model      so many events, the first at once, then 50 a second
    events=200 rate=0 shape=plain       as fast as they go
    events=1 rate=0 shape=plain hold    the answer does not end before the client closes it

Else the streams of a run are spread over the time between two events, whenever they were opened: a client that opens
them faster does not find them closer together.
"""
import heapq
import os
import re
import selectors
import socket
import sys
import time

import corpus
import h2c

ASKED = re.compile(rb"events=(\d+) rate=([\d.]+) shape=(\w+)( hold)?")
SPREAD = 0.618033988749895  # multiples of it are spread evenly over 0 to 1
HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
        b"x-amzn-RequestId: 0f0e0d0c\r\nTransfer-Encoding: chunked\r\n\r\n")


class Connection:
    """One of clients that speak HTTP/1.1: an answer after the other."""

    def __init__(self, sock):
        self.sock = sock
        self.received = b""

    def requests(self, data):
        """Take what has come; the answers to give, each with the body of its request."""
        self.received += data
        while True:
            head, end, rest = self.received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = int(length.group(1)) if length else 0
            if not end or len(rest) < body:
                return
            self.received = rest[body:]
            yield self, rest[:body]

    def send(self, data, first, last):
        self.sock.sendall(b"%s%x\r\n%s\r\n%s" % (
            HEAD if first else b"", len(data), data, b"0\r\n\r\n" if last else b""))


class Stream:
    """An answer that is being sent."""

    def __init__(self, answer, asked):
        events, rate, shape, hold = ASKED.search(asked).groups()
        self.answer = answer
        self.frames, self.sent, self.events = TURNS[shape.decode()], 0, int(events)
        self.period, self.hold = 1 / float(rate) if float(rate) else 0.0, bool(hold)

    def write(self):
        """Send the next event, with whatever belongs before it and after the last one."""
        frame = self.frames[self.sent % len(self.frames)].at(time.monotonic_ns())
        first, self.sent = self.sent == 0, self.sent + 1
        more = self.sent < self.events
        self.answer.send(frame, first, not more and not self.hold)
        return more


TURNS = {shape: [frame for frame, _ in corpus.turn(shape)] for shape in ("plain", "model")}


class Server:
    def __init__(self, together):
        self.held = set() if together else None  # HTTP/2 connections with something to flush
        self.readable = selectors.EpollSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.readable.register(self.listener, selectors.EVENT_READ)
        self.due = []  # heap of (time, number, stream)
        self.number = 0

    def run(self):
        while True:
            self.write_due()
            wait = max(0.0, self.due[0][0] - time.monotonic()) if self.due else None
            for key, _ in self.readable.select(wait):  # to the millisecond, as any event loop
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.read(key)

    def accept(self):
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.readable.register(sock, selectors.EVENT_READ)

    def read(self, key):
        sock, connection = key.fileobj, key.data
        try:
            data = sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.forget(sock)
            return
        if connection is None:
            speaks_h2 = data.startswith(h2c.PREFACE)
            connection = h2c.Connection(sock, self.held) if speaks_h2 else Connection(sock)
            self.readable.modify(sock, selectors.EVENT_READ, connection)
        for answer, body in connection.requests(data):
            self.begin(Stream(answer, body))
        self.flush()

    def begin(self, stream):
        more = stream.write()
        while more and not stream.period:
            more = stream.write()
        if more:
            self.number += 1
            offset = 1 if self.held is not None else 1 + self.number * SPREAD % 1
            self.plan(time.monotonic() + offset * stream.period, stream)

    def plan(self, when, stream):
        self.number += 1
        heapq.heappush(self.due, (when, self.number, stream))

    def write_due(self):
        now = time.monotonic()
        while self.due and self.due[0][0] <= now:
            when, number, stream = self.due[0]
            try:
                more = stream.write()
            except OSError:  # closed by the client, in the middle
                more = False
            if more:
                heapq.heapreplace(self.due, (when + stream.period, number, stream))
            else:
                heapq.heappop(self.due)
        self.flush()

    def flush(self):
        while self.held:
            try:
                self.held.pop().flush()
            except OSError:  # closed by the client
                pass

    def forget(self, sock):
        self.readable.unregister(sock)
        sock.close()


def main():
    os.sched_setaffinity(0, {int(sys.argv[1])})
    server = Server(sys.argv[2:] == ["together"])
    print("http://127.0.0.1:%d" % server.listener.getsockname()[1], flush=True)
    server.run()


if __name__ == "__main__":
    main()
