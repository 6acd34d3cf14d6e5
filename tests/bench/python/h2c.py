# SPDX-License-Identifier: Apache-2.0
"""A connection of clients that speak HTTP/2 without TLS: as much of it as a benchmark's server needs.

What a client may be sent is not counted: those that are measured open their windows wide.
"""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM = ACK = 1
END_HEADERS = 4
STREAMS_MAX = 128  # of a connection, as services commonly allow


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">IBBI", len(payload), kind, flags, stream)[1:] + payload


def field(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


GREETING = frame(SETTINGS, 0, 0, struct.pack(">HI", 3, STREAMS_MAX))
# 200, and fields that enter no table.
HEAD = (b"\x88" + field(b"content-type", b"application/vnd.amazon.eventstream") +
        field(b"x-amzn-requestid", b"0f0e0d0c"))


class Answer:
    """One stream of a connection."""

    def __init__(self, connection, number):
        self.connection, self.number = connection, number
        self.gone = False

    def send(self, data, first, last):
        if self.gone:
            raise BrokenPipeError
        head = frame(HEADERS, END_HEADERS, self.number, HEAD) if first else b""
        self.connection.write(head + frame(DATA, END_STREAM if last else 0, self.number, data))


class Connection:
    def __init__(self, sock, held=None):
        """With a set held, events wait there for flush()."""
        self.sock, self.held, self.out = sock, held, b""
        self.received = b""
        self.bodies = {}   # of requests, as far as they came, by stream
        self.answers = {}
        sock.sendall(GREETING)

    def write(self, data):
        self.out += data
        if self.held is None:
            self.flush()
        else:
            self.held.add(self)

    def flush(self):
        data, self.out = self.out, b""
        self.sock.sendall(data)

    def requests(self, data):
        """Take what has come; the answers to give, each with the body of its request."""
        self.received = (self.received + data).removeprefix(PREFACE)
        while len(self.received) >= 9:
            length = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + length:
                return
            kind, flags, stream = struct.unpack(">BBI", self.received[3:9])
            payload, self.received = self.received[9:9 + length], self.received[9 + length:]
            if kind == SETTINGS and not flags & ACK:
                self.sock.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.sock.sendall(frame(PING, ACK, 0, payload))
            elif kind == RST_STREAM:
                self.bodies.pop(stream, None)
                answer = self.answers.pop(stream, None)
                if answer:
                    answer.gone = True
            elif kind in (HEADERS, DATA):
                if kind == DATA and payload:
                    self.sock.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", length)))
                body = self.bodies.pop(stream, b"") + (payload if kind == DATA else b"")
                if flags & END_STREAM:
                    answer = self.answers[stream] = Answer(self, stream)
                    yield answer, body
                else:
                    self.bodies[stream] = body
