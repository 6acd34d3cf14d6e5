# SPDX-License-Identifier: Apache-2.0
"""A peer that speaks HTTP/2 frame by frame, so that it can break every rule; the path of a request
says which. A case sends its frames until the client hangs up."""

import socket
import struct
import threading
import time

import hpack

from seen import go, lock, plain_path, record, refused, requests, resets

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
FRAMES = 1024 * 1024  # of a flood
BATCH = 4096
DRIP_SECONDS = 0.05


def number(value):
    return struct.pack(">I", value)


def frame(kind, flags=0, stream=0, payload=b""):
    return number(len(payload))[1:] + bytes([kind, flags]) + number(stream) + payload


def fields(*pairs):
    """A block of fields that uses no table."""
    return b"".join(b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value
                    for name, value in pairs)


OK = b"\x88"  # ":status: 200" of the static table


class Peer:
    def __init__(self, sock):
        self.sock = sock
        self.decoder = hpack.Decoder()
        self.stream = 0  # of the request
        self.sending = threading.Lock()

    def send(self, *frames):
        with self.sending:
            self.sock.sendall(b"".join(frames))

    def flood(self, one):
        for _ in range(FRAMES // BATCH):
            self.sock.sendall(one * BATCH)

    def head(self, flags=END_HEADERS, block=OK):
        self.send(frame(HEADERS, flags, self.stream, block))

    def data(self, payload, flags=0):
        self.send(frame(DATA, flags, self.stream, payload))

    def ok(self):
        self.head()
        self.data(b"ok", END_STREAM)

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read_frame(self):
        head = self.read(9)
        payload = self.read(int.from_bytes(head[:3], "big"))
        return head[3], head[4], int.from_bytes(head[5:], "big"), payload

    def run(self):
        self.read(len(PREFACE))
        self.greet()
        while True:
            kind, flags, stream, payload = self.read_frame()
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK))
            elif kind == PING and not flags & ACK:
                with lock:
                    requests["PING"] += 1
                self.send(frame(PING, ACK, 0, payload))
            elif kind == RST_STREAM:
                with lock:
                    resets[int.from_bytes(payload, "big")] += 1
            elif kind == HEADERS:
                self.stream = stream
                head = dict(self.decoder.decode(payload))
                path = plain_path(head[":path"])
                record(path, "%s %s" % (head[":method"], head[":path"]), b"")
                self.respond(path)

    def respond(self, path):
        globals().get(path[1:].replace("-", "_"), Peer.ok)(self)

    def greet(self):
        self.send(frame(SETTINGS))


# Floods.


def ping_flood(peer):
    peer.flood(frame(PING, 0, 0, bytes(8)))


def pong_flood(peer):
    peer.flood(frame(PING, ACK, 0, bytes(8)))


def settings_flood(peer):
    peer.flood(frame(SETTINGS, 0, 0, b"\0\4" + number(65535)))


def settings_ack_flood(peer):
    peer.flood(frame(SETTINGS, ACK))


def window_flood(peer):
    peer.flood(frame(WINDOW_UPDATE, 0, 0, number(1)))


def stream_window_flood(peer):
    peer.flood(frame(WINDOW_UPDATE, 0, peer.stream, number(1)))


def priority_flood(peer):
    peer.flood(frame(PRIORITY, 0, peer.stream, number(0) + b"\0"))


def unknown_flood(peer):
    peer.flood(frame(0x42, 0, 0, b"what?"))


def empty_data_flood(peer):
    peer.head()
    peer.flood(frame(DATA, 0, peer.stream))


def padding_flood(peer):
    peer.head()
    peer.flood(frame(DATA, PADDED, peer.stream, b"\x0f" + bytes(15)))


def reset_flood(peer):
    peer.flood(frame(RST_STREAM, 0, peer.stream, number(8)))


def goaway_flood(peer):
    peer.flood(frame(GOAWAY, 0, 0, number(2 ** 31 - 1) + number(0)))


def interim_flood(peer):
    peer.flood(frame(HEADERS, END_HEADERS, peer.stream, fields((b":status", b"103"))))


def late_data_flood(peer):
    """For a stream that is over."""
    peer.ok()
    time.sleep(DRIP_SECONDS)
    peer.flood(frame(DATA, 0, peer.stream, b"x" * 1000))


def pieces_of_nothing(peer, one):
    """What is no flood when it comes over hours: a little for each of four go, then the answer."""
    for _ in range(4):
        peer.sock.sendall(one * 900)
        go.acquire()
    peer.ok()


def windows_now_and_then(peer):
    pieces_of_nothing(peer, frame(WINDOW_UPDATE, 0, 0, number(1)))


def unknown_now_and_then(peer):
    pieces_of_nothing(peer, frame(0x42, 0, 0, bytes(1024)))


# Heads.


def continuation_flood(peer):
    peer.head(flags=0)
    peer.flood(frame(CONTINUATION, 0, peer.stream, fields((b"x", b"y"))))


def empty_continuation_flood(peer):
    peer.head(flags=0)
    peer.flood(frame(CONTINUATION, 0, peer.stream))


def hpack_bomb(peer):
    """One field of 4000 bytes goes into the table, and each byte after it stands for it again."""
    value = b"b" * 4000
    entry = b"\x40\x01x\x7f" + bytes([(len(value) - 127) & 0x7f | 0x80, (len(value) - 127) >> 7])
    peer.head(flags=0, block=OK + entry + value)
    peer.flood(frame(CONTINUATION, 0, peer.stream, b"\xbe" * 16000))


def hpack_bomb_in_one_frame(peer):
    value = b"b" * 4000
    entry = b"\x40\x01x\x7f" + bytes([(len(value) - 127) & 0x7f | 0x80, (len(value) - 127) >> 7])
    peer.head(block=OK + entry + value + b"\xbe" * 12000)


def unknown_index(peer):
    peer.head(block=OK + b"\xff\xff\xff\xff\x07")


def endless_number(peer):
    peer.head(block=OK + b"\xff" * 64)


def drip_head(peer):
    peer.head(flags=0)
    while True:
        time.sleep(DRIP_SECONDS)
        peer.send(frame(CONTINUATION, 0, peer.stream, fields((b"x", b"d"))))


def no_status(peer):
    peer.head(block=fields((b"x", b"y")))


def status_after_field(peer):
    peer.head(block=fields((b"x", b"y"), (b":status", b"200")))


def two_statuses(peer):
    peer.head(block=OK + OK)


def status_of_two_digits(peer):
    peer.head(block=fields((b":status", b"20")))


def status_099(peer):
    peer.head(block=fields((b":status", b"099")))


def status_600(peer):
    peer.head(block=fields((b":status", b"600")))


def status_101(peer):
    peer.head(block=fields((b":status", b"101")))


def upper_case_name(peer):
    peer.head(block=OK + fields((b"X-Upper", b"y")))


def connection_field(peer):
    peer.head(block=OK + fields((b"connection", b"close")))


def nul_in_value(peer):
    peer.head(block=OK + fields((b"x", b"a\0b")))


def return_in_value(peer):
    peer.head(block=OK + fields((b"x", b"a\rb")))


def line_end_in_value(peer):
    peer.head(block=OK + fields((b"x", b"a\r\nb: c")))


def blank_in_name(peer):
    peer.head(block=OK + fields((b"x y", b"z")))


def two_lengths(peer):
    peer.head(block=OK + fields((b"content-length", b"2"), (b"content-length", b"3")))
    peer.data(b"ok!", END_STREAM)


def negative_length(peer):
    peer.head(block=OK + fields((b"content-length", b"-1")))


def short_of_its_length(peer):
    peer.head(block=OK + fields((b"content-length", b"100")))
    peer.data(b"only this", END_STREAM)


def beyond_its_length(peer):
    peer.head(block=OK + fields((b"content-length", b"2")))
    peer.data(b"only this", END_STREAM)


# Frames where they must not be.


def data_before_head(peer):
    peer.data(b"what?")


def data_for_nobody(peer):
    peer.send(frame(DATA, 0, 0, b"what?"))


def data_for_a_stream_to_come(peer):
    peer.send(frame(DATA, 0, peer.stream + 2, b"what?"))


def head_for_a_stream_to_come(peer):
    peer.send(frame(HEADERS, END_HEADERS, peer.stream + 2, OK))


def head_of_a_stream_of_its_own(peer):
    peer.send(frame(HEADERS, END_HEADERS, 2, OK))


def second_head(peer):
    peer.head()
    peer.head()


def head_within_head(peer):
    peer.head(flags=0)
    peer.head()


def continuation_of_nothing(peer):
    peer.send(frame(CONTINUATION, END_HEADERS, peer.stream, OK))


def promise(peer):
    peer.send(frame(PUSH_PROMISE, END_HEADERS, peer.stream,
                    number(2) + fields((b":method", b"GET"), (b":scheme", b"http"),
                                       (b":authority", b"x"), (b":path", b"/"))))


def huge_frame(peer):
    peer.send(b"\xff\xff\xff\0\0" + number(peer.stream) + bytes(65536))


def frame_beyond_our_limit(peer):
    peer.head()
    peer.data(b"x" * 16385)


def beyond_the_window(peer):
    peer.head()
    for _ in range(65):
        peer.data(b"x" * 16384)


def wrong_ping(peer):
    peer.send(frame(PING, 0, 0, b"short"))


def wrong_setting(peer):
    peer.send(frame(SETTINGS, 0, 0, b"\0\4" + number(2 ** 31)))


def window_of_zero(peer):
    peer.send(frame(WINDOW_UPDATE, 0, 0, number(0)))


def window_overflow(peer):
    peer.send(frame(WINDOW_UPDATE, 0, 0, number(2 ** 31 - 1)) * 2)


def padding_beyond_the_frame(peer):
    peer.head()
    peer.data(b"\xffx", PADDED)


def deaf(peer):
    """Never answers, not even a ping."""
    peer.head()
    peer.data(b"first")
    while peer.sock.recv(65536):
        pass


def quiet(peer):
    """Answers pings, and nothing else."""
    peer.head()
    peer.data(b"first")


def slow_reader(peer):
    """Takes what a request carries, 512 KiB for each of four go, then the rest for a fifth."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    peer.send(frame(WINDOW_UPDATE, 0, 0, number(2 ** 30)),
              frame(WINDOW_UPDATE, 0, peer.stream, number(2 ** 30)))
    taken = rounds = kind = flags = 0
    while kind != DATA or not flags & END_STREAM:
        if rounds < 5 and taken >= rounds * 512 * 1024:
            go.acquire()
            rounds += 1
        kind, flags, _, payload = peer.read_frame()
        taken += len(payload)
        if kind == PING:
            peer.send(frame(PING, ACK, 0, payload))
        with lock:
            requests["TAKEN"] = taken
    peer.ok()


# Goodbyes.


def refuse(peer):
    peer.send(frame(RST_STREAM, 0, peer.stream, number(7)))


def refuse_after_head(peer):
    peer.head()
    peer.send(frame(RST_STREAM, 0, peer.stream, number(7)))


def want_http1(peer):
    peer.send(frame(RST_STREAM, 0, peer.stream, number(13)))


def go_away_before(peer):
    """Without having looked at this request."""
    peer.send(frame(GOAWAY, 0, 0, number(max(peer.stream - 2, 0)) + number(0)))
    raise EOFError


def go_away_after(peer):
    """But not before it has answered."""
    peer.send(frame(GOAWAY, 0, 0, number(peer.stream) + number(0)))
    go.acquire()
    peer.ok()


def go_away_unanswered(peer):
    peer.send(frame(GOAWAY, 0, 0, number(peer.stream) + number(0)))
    raise EOFError


def go_away_angry(peer):
    peer.send(frame(GOAWAY, 0, 0, number(peer.stream) + number(11) + b"calm down"))
    raise EOFError


def reset_without_error(peer):
    """An answer that does not wait for the whole request."""
    peer.ok()
    peer.send(frame(RST_STREAM, 0, peer.stream, number(0)))


def serve_hostile(sock):
    try:
        Peer(sock).run()
    except (EOFError, OSError):
        pass


# Greetings.


class FewStreams(Peer):
    """Lets a client have two streams at a time, refuses the third, and answers a moment later."""

    def greet(self):
        self.open = 0
        self.send(frame(SETTINGS, 0, 0, b"\0\3" + number(2)))

    def respond(self, path):
        self.open += 1
        if self.open > 2:
            with lock:
                refused[path] += 1
            refuse(self)
        else:
            threading.Timer(DRIP_SECONDS, self.respond_late, [self.stream]).start()

    def respond_late(self, stream):
        self.open -= 1
        try:
            self.send(frame(HEADERS, END_HEADERS, stream, OK)
                      + frame(DATA, END_STREAM, stream, b"ok"))
        except OSError:
            pass


def serve_few_streams(sock):
    try:
        FewStreams(sock).run()
    except (EOFError, OSError):
        pass
