# SPDX-License-Identifier: Apache-2.0
"""A peer that speaks HTTP/2, with python3-h2: it does with a request what http1.py does, by the same
paths."""

import collections
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from seen import (BIG, EVENTS, GZIP_BOMB, go, lock, plain_path, record, redirect, requests, resets)

OK = [(":status", "200"), ("x-answer", "h2")]


class H2Stream:
    """One request over HTTP/2, answered by a thread of its own."""

    def __init__(self, session, number, fields, body):
        self.session = session
        self.number = number
        fields = dict(fields)
        self.method, self.path = fields.pop(":method"), fields.pop(":path")
        self.name = plain_path(self.path)[1:]
        self.body = body
        fields.pop(":scheme")
        fields = {"host": fields.pop(":authority"), **fields}
        self.head = "|".join(["%s %s HTTP/2" % (self.method, self.path)]
                             + [("%s: %s" % field).rstrip() for field in fields.items()])

    def respond(self, fields=OK, end=False):
        self.session.call("send_headers", self.number, fields, end_stream=end)

    def send(self, data, end=False):
        """Send as the window allows."""
        while True:
            room = self.session.wait_for_window(self.number) if data else 0
            piece, data = data[:room], data[room:]
            self.session.call("send_data", self.number, piece, end_stream=end and not data)
            if not data:
                break

    def reset(self, code):
        self.session.call("reset_stream", self.number, error_code=code)

    def answer(self, body, *fields):
        body = b"" if self.method == "HEAD" else body
        self.respond(OK + list(fields), end=not body)
        if body:
            self.send(body, end=True)


def h2_echo(stream):
    stream.respond([(":status", "200"), ("x-answer", "Mixed Case"), ("x-empty", ""),
                    ("content-length", str(len(stream.body)))], end=not stream.body)
    if stream.body:
        stream.send(stream.body, end=True)


def h2_stream(stream):
    stream.respond()
    for number in range(5):
        go.acquire()
        stream.send(b"piece %d" % number)
    stream.session.call("send_headers", stream.number, [("x-trailer", "ignored")], end_stream=True)


def h2_trickle(stream):
    stream.respond(OK + [("content-type", EVENTS)])
    stream.send(b"first")


def h2_big(stream):
    stream.answer(b"x" * BIG)


def h2_redirect(stream):
    status, location = redirect(stream.path)
    stream.respond([(":status", status), ("location", location)], end=True)


def h2_interim(stream):
    stream.respond([(":status", "103"), ("link", "</a>")])
    stream.answer(b"ok")


def h2_silent(stream):
    pass


def h2_half_head(stream):
    block = b"\x88\x40\x06x-slow"  # ":status: 200", and the name of a field
    stream.session.write(struct.pack(">I", len(block))[1:] + b"\x01\x00"
                         + struct.pack(">I", stream.number) + block)


def h2_cut_length(stream):
    stream.respond(OK + [("content-length", "100")])
    stream.send(b"only this")
    stream.session.close()


def h2_short_length(stream):
    stream.respond(OK + [("content-length", "100")])
    stream.send(b"only this", end=True)


def h2_goodbye(stream):
    stream.respond()
    stream.send(b"only this")
    stream.session.close()


def h2_reset(stream):
    stream.respond()
    stream.send(b"only this")
    go.acquire()
    stream.reset(2)


def h2_reset_at_once(stream):
    stream.reset(2)


def h2_refused(stream):
    stream.reset(7)


def h2_close(stream):
    stream.session.close()


def h2_last(stream):
    stream.answer(b"ok")
    stream.session.close()


def h2_close_second(stream):
    with lock:
        first = requests["/" + stream.name] == 1
    if first:
        stream.answer(b"ok")
    else:
        stream.session.close()


def h2_gzip(stream):
    stream.answer(b"\x1f\x8b", ("content-encoding", "gzip"))


def h2_gzip_bomb(stream):
    stream.answer(GZIP_BOMB, ("content-encoding", "gzip"))


def h2_identity(stream):
    stream.answer(b"ok", ("content-encoding", "identity"))


def h2_switch(stream):
    stream.respond([(":status", "101")])


def h2_garbage(stream):
    stream.session.write(b"\xff" * 64)


def h2_bomb(stream):
    stream.answer(b"ok", *[("x-bomb-%d" % i, "b" * 1000) for i in range(100)])


def h2_fields_256(stream):
    stream.answer(b"ok", *[("x-%d" % i, "1") for i in range(255)])


def h2_fields_257(stream):
    stream.answer(b"ok", *[("x-%d" % i, "1") for i in range(256)])


def h2_fields_10000(stream):
    stream.answer(b"ok", *[("x-%d" % i, "1") for i in range(10000)])


def h2_trailer_bomb(stream):
    stream.respond()
    stream.send(b"ok")
    stream.session.call("send_headers", stream.number,
                        [("x-bomb-%d" % i, "b" * 1000) for i in range(100)], end_stream=True)


def h2_interim_bomb(stream):
    for _ in range(65536):
        stream.respond([(":status", "103"), ("x-bomb", "b" * 1000)])


def h2_ok(stream):
    stream.answer(b"ok")


class H2Session:
    def __init__(self, sock):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False))
        self.changed = threading.Condition()  # guards h2; a window has grown, or all is over
        self.over = False
        self.bodies = collections.defaultdict(bytes)
        self.heads = {}
        self.call("initiate_connection")

    def call(self, method, *args, **kwargs):
        """Do something with the connection and send what comes of it."""
        with self.changed:
            if self.over:
                raise EOFError
            getattr(self.h2, method)(*args, **kwargs)
            self.sock.sendall(self.h2.data_to_send())

    def write(self, data):
        with self.changed:
            self.sock.sendall(data)

    def close(self):
        with self.changed:
            self.over = True
            self.sock.shutdown(socket.SHUT_RDWR)

    def wait_for_window(self, stream):
        with self.changed:
            self.changed.wait_for(lambda: self.over or self.h2.local_flow_control_window(stream))
            if self.over:
                raise EOFError
            return min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)

    def run_handler(self, stream):
        try:
            globals().get("h2_" + stream.name.replace("-", "_"), h2_ok)(stream)
        except (EOFError, OSError, h2.exceptions.ProtocolError):
            pass  # the client has reset the stream, or is gone

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.heads[event.stream_id] = event.headers
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            with lock:
                resets[event.error_code] += 1
                lock.notify_all()
        elif isinstance(event, h2.events.StreamEnded):
            stream = H2Stream(self, event.stream_id, self.heads.pop(event.stream_id),
                              self.bodies.pop(event.stream_id, b""))
            record("/" + stream.name, stream.head, stream.body)
            threading.Thread(target=self.run_handler, args=(stream,), daemon=True).start()

    def run(self):
        data = self.sock.recv(65536)
        while data:
            with self.changed:
                for event in self.h2.receive_data(data):
                    self.take(event)
                self.changed.notify_all()
                self.sock.sendall(self.h2.data_to_send())
            data = self.sock.recv(65536)


def serve_h2(sock):
    session = H2Session(sock)
    try:
        session.run()
    except (EOFError, OSError, h2.exceptions.ProtocolError):
        pass
    finally:
        with session.changed:
            session.over = True
            session.changed.notify_all()
