# SPDX-License-Identifier: Apache-2.0
"""A peer that speaks HTTP/1.1: well-behaved, broken or hostile, as the path of a request asks."""

import contextlib
import ssl
import time

from seen import (BIG, EVENTS, GZIP_BOMB, go, lock, plain_path, record, redirect, requests, reset,
                  wait_for_close)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIP_SECONDS = 0.05


class Request:
    def __init__(self, stream):
        lines = []
        while True:
            line = stream.readline(65536)
            if not line:
                raise EOFError
            if line in (b"\r\n", b"\n"):
                break
            lines.append(line.rstrip(b"\r\n").decode("latin-1"))
        self.head = "|".join(lines)
        if lines[0].count(" ") != 2:
            raise EOFError
        self.method, self.path = lines[0].split(" ")[:2]
        self.name = plain_path(self.path)[1:]
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()
        self.body = stream.read(int(self.fields.get("content-length", 0)))


def answer(body, extra=b""):
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (extra, len(body), body)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


# What to do with a request over HTTP/1.1; True: the connection can be used again.


def h1_ok(sock, request):
    sock.sendall(answer(b"ok"))
    return True


def h1_echo(sock, request):
    sock.sendall(answer(request.body, b"X-Answer:  Mixed Case \r\nX-Empty:\r\n"))
    return True


def h1_stream(sock, request):
    sock.sendall(CHUNKED)
    for number in range(5):
        go.acquire()
        sock.sendall(chunk(b"piece %d" % number))
    sock.sendall(b"0\r\nX-Trailer: ignored\r\n\r\n")
    return True


def h1_trickle(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
                 % EVENTS.encode() + chunk(b"first"))
    wait_for_close(sock)


def h1_big(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
    sock.sendall(b"x" * BIG)
    return True


def h1_redirect(sock, request):
    status, location = redirect(request.path)
    sock.sendall(b"HTTP/1.1 %s Elsewhere\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
                 % (status.encode(), location.encode()))
    return True


def h1_interim(sock, request):
    sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"ok"))
    return True


def h1_silent(sock, request):
    wait_for_close(sock)


def h1_half_head(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    wait_for_close(sock)


def h1_cut_length(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")


def h1_cut_chunk(sock, request):
    sock.sendall(CHUNKED + chunk(b"only this") + b"ff\r\nand")


def h1_reset(sock, request):
    sock.sendall(CHUNKED + chunk(b"only this"))
    go.acquire()
    reset(sock)


def h1_close(sock, request):
    pass


def h1_last(sock, request):
    sock.sendall(answer(b"ok"))
    if isinstance(sock, ssl.SSLSocket):  # as servers do: TLS has last words
        sock.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            sock.unwrap()


def h1_close_second(sock, request):
    with lock:
        first = requests["/" + request.name] == 1
    if first:
        sock.sendall(answer(b"ok"))
    return first


def h1_gzip(sock, request):
    sock.sendall(answer(b"\x1f\x8b", b"Content-Encoding: gzip\r\n"))
    return True


def h1_gzip_bomb(sock, request):
    sock.sendall(answer(GZIP_BOMB, b"Content-Encoding: gzip\r\n"))
    return True


def h1_gzip_transfer(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
                 + chunk(b"\x1f\x8b"))


def h1_identity(sock, request):
    sock.sendall(answer(b"ok", b"Content-Encoding: identity\r\n"))
    return True


def h1_folded(sock, request):
    sock.sendall(answer(b"ok", b"X-Folded: a\r\n b\r\n"))


def h1_garbage(sock, request):
    sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def h1_switch(sock, request):
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    wait_for_close(sock)


def h1_bomb(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    line = b"X-Bomb: " + b"b" * 1000 + b"\r\n"
    for _ in range(65536):
        sock.sendall(line)


def h1_long_line(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\nX-Bomb: ")
    for _ in range(65536):
        sock.sendall(b"b" * 1000)


def h1_fields_256(sock, request):
    sock.sendall(answer(b"ok", b"".join(b"X-%d: 1\r\n" % i for i in range(255))))
    return True


def h1_fields_257(sock, request):
    sock.sendall(answer(b"ok", b"".join(b"X-%d: 1\r\n" % i for i in range(256))))


def h1_fields_10000(sock, request):
    sock.sendall(answer(b"ok", b"".join(b"X-%d: 1\r\n" % i for i in range(10000))))


def drip(sock, start, piece):
    """An answer that goes on for ever, a little at a time."""
    sock.sendall(b"HTTP/1.1 200 OK\r\n" + start)
    while True:
        time.sleep(DRIP_SECONDS)
        sock.sendall(piece)


def h1_drip_bytes(sock, request):
    drip(sock, b"X-Drip: ", b"d")


def h1_drip_fields(sock, request):
    drip(sock, b"", b"X: d\r\n")


def h1_trailer_bomb(sock, request):
    sock.sendall(CHUNKED + chunk(b"ok") + b"0\r\n")
    for _ in range(65536):
        sock.sendall(b"X-Bomb: " + b"b" * 1000 + b"\r\n")


def h1_interim_bomb(sock, request):
    for _ in range(65536):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nX-Bomb: " + b"b" * 1000 + b"\r\n\r\n")


# Answers whose framing is ambiguous or absurd; the connection stays open, so that none of them ends
# by itself.
TWO_CHUNKS = b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"
FRAMINGS = {
    "length-then-chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked" + TWO_CHUNKS,
    "chunks-then-length": b"Transfer-Encoding: chunked\r\nContent-Length: 2" + TWO_CHUNKS,
    "two-lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "list-of-lengths": b"Content-Length: 2, 3\r\n\r\nok!",
    "negative-length": b"Content-Length: -1\r\n\r\nok",
    "signed-length": b"Content-Length: +2\r\n\r\nok",
    "hexadecimal-length": b"Content-Length: 0x2\r\n\r\nok",
    "no-length": b"Content-Length:\r\n\r\nok",
    "endless-length": b"Content-Length: 99999999999999999999\r\n\r\nok",
    "chunked-twice": b"Transfer-Encoding: chunked, chunked" + TWO_CHUNKS,
    "chunked-two-fields":
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + TWO_CHUNKS,
    "unknown-coding": b"Transfer-Encoding: xchunked" + TWO_CHUNKS,
    "blank-before-colon": b"Transfer-Encoding : chunked" + TWO_CHUNKS,
    "no-name": b": value\r\nContent-Length: 2\r\n\r\nok",
    "no-colon": b"Content-Length 2\r\nContent-Length: 2\r\n\r\nok",
    "nul-in-value": b"X: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "return-in-value": b"X: a\rb\r\nContent-Length: 2\r\n\r\nok",
    "chunk-overflow": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\nx",
    "chunk-overflow-by-one": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx",
    "chunk-of-all-bits": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    "negative-chunk": b"Transfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n",
    "chunk-without-size": b"Transfer-Encoding: chunked\r\n\r\n\r\nok\r\n0\r\n\r\n",
    "chunk-longer-than-said": b"Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n",
}


STATUS_LINES = {
    "status-of-two-digits": b"HTTP/1.1 20 OK",
    "status-of-four-digits": b"HTTP/1.1 2000 OK",
    "status-with-a-letter": b"HTTP/1.1 2x0 OK",
    "status-099": b"HTTP/1.1 099 OK",
    "status-600": b"HTTP/1.1 600 OK",
    "no-status": b"HTTP/1.1",
    "two-status-lines": b"HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK",
}


def h1_status_line(sock, request):
    sock.sendall(STATUS_LINES[request.name] + b"\r\nContent-Length: 2\r\n\r\nok")
    wait_for_close(sock)


def h1_framing(sock, request):
    sock.sendall(b"HTTP/1.1 200 OK\r\n" + FRAMINGS[request.name])
    wait_for_close(sock)


def find_handler(name):
    if name in STATUS_LINES:
        return h1_status_line
    if name in FRAMINGS:
        return h1_framing
    return globals().get("h1_" + name.replace("-", "_"), h1_ok)


def serve_h1(sock):
    stream = sock.makefile("rb")
    try:
        while True:
            request = Request(stream)
            record("/" + request.name, request.head, request.body)
            if not find_handler(request.name)(sock, request):
                break
    except (EOFError, OSError):
        pass
