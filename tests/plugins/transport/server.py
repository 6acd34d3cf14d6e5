# SPDX-License-Identifier: Apache-2.0
"""Peers for the transport tests: well-behaved, broken and hostile ones, on ports of their own.

    server.py DIRECTORY PROTOCOL LISTENER...

writes ca.pem, good.pem (key and certificate for localhost) and the certificates that vouch for
themselves into DIRECTORY, prints "NAME PORT" for every listener, then "ready 0"; it ends with its
standard input. PROTOCOL is what the listeners speak that do not name another one, http/1.1 or h2.
The path of a request chooses what happens to it. Commands on standard input, one answer line each:

    connections NAME    connections accepted by that listener so far
    requests PATH       complete requests for that path so far, over all listeners
    begun PATH          wait for a request for that path: 1, or 0 if none comes
    accepted NAME       wait for a connection to that listener: 1, or 0 if none comes
    gone NAME           wait until all connections of that listener are closed: 1, or 0
    heard NAME          bytes that came to an impostor after its handshake
    head PATH           head of the last request for that path, lines joined with "|"; for a proxy,
                        the path is CONNECT
    body PATH           length of its body
    resets CODE         streams that were reset with this code so far
    go                  let one waiting response continue
"""

import collections
import datetime
import gzip
import socket
import ssl
import struct
import sys
import threading
import time
import warnings

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

GZIP_BOMB = gzip.compress(bytes(1024 * 1024)) * 1024  # a gigabyte
EVENTS = "application/vnd.amazon.eventstream"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SETTINGS_FRAME = b"\0\0\0\4\0\0\0\0\0"
BIG = 8 * 1024 * 1024
WAIT_SECONDS = 5
DRIP_SECONDS = 0.05

lock = threading.Condition()
connections = collections.Counter()
open_now = collections.Counter()
heard = collections.Counter()
requests = collections.Counter()
heads = {}
bodies = {}
resets = collections.Counter()
go = threading.Semaphore(0)


def record(path, head, body):
    with lock:
        requests[path] += 1
        heads[path] = head
        bodies[path] = len(body)
        lock.notify_all()


def reset(sock):
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def wait_for_close(sock):
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


def plain_path(path):
    """Without its query, and without a slash at its end."""
    return "/" + path.partition("?")[0].strip("/")


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


def redirect(request_path):
    """Status and location of "/redirect?STATUS&LOCATION"."""
    return request_path.partition("?")[2].split("&", 1)


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


# HTTP/2, by the same paths.

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


# A proxy that only knows CONNECT.


def splice(source, target):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve_proxy(sock):
    stream = sock.makefile("rb", buffering=0)
    try:
        request = Request(stream)
    except (EOFError, OSError):
        return
    record("CONNECT", request.head, b"")
    if request.method != "CONNECT":
        sock.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
    elif request.fields.get("proxy-authorization") != "Basic dXNlcjpzZWNyZXQ=":
        sock.sendall(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
                     b"Content-Length: 0\r\n\r\n")
    else:
        host, _, port = request.path.rpartition(":")
        with socket.create_connection((host, int(port))) as peer:
            sock.sendall(b"HTTP/1.1 200 Connected\r\nX-Proxy: must not be seen\r\n\r\n")
            back = threading.Thread(target=splice, args=(peer, sock), daemon=True)
            back.start()
            splice(sock, peer)
            back.join()


def serve_silent(sock):
    wait_for_close(sock)


def blurt(answer):
    """Answers whatever comes with these bytes."""

    def serve(sock):
        sock.recv(65536)
        sock.sendall(answer)
        wait_for_close(sock)

    return serve


def impostor(name):
    """Never answers; counts what a client tells it."""

    def serve(sock):
        data = sock.recv(65536)
        while data:
            with lock:
                heard[name] += len(data)
            data = sock.recv(65536)

    return serve


def serve_rude(sock):
    """Read the beginning of a request and slam the door."""
    try:
        sock.recv(100)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass


# Listeners.

ports = {}


def tls(cert, alpn=(), version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    return context


def self_signed(path, start=datetime.timedelta()):
    """A certificate for localhost that only vouches for itself, from now plus start; in that file,
    with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    begin = datetime.datetime.utcnow() + start
    end = begin + datetime.timedelta(days=2)
    number = x509.random_serial_number()
    builder = x509.CertificateBuilder(name, name, key.public_key(), number, begin, end)
    cert = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    with open(path, "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM,
                                     serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
        file.write(cert.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def handle(name, sock, serve, context):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with (context.wrap_socket(sock, server_side=True) if context else sock) as peer:
            serve(peer)
    except OSError:  # ssl.SSLError is one
        pass
    finally:
        sock.close()
        with lock:
            open_now[name] -= 1
            lock.notify_all()


def accept(name, listener, serve, context):
    while True:
        sock, _ = listener.accept()
        with lock:
            connections[name] += 1
            open_now[name] += 1
            lock.notify_all()
        threading.Thread(target=handle, args=(name, sock, serve, context), daemon=True).start()


def listen(name, serve, context=None):
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ports[name] = listener.getsockname()[1]
    threading.Thread(target=accept, args=(name, listener, serve, context), daemon=True).start()


def start(directory, protocol, names):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(directory + "/ca.pem")
    good = ca.issue_cert("localhost", "127.0.0.1")
    good.private_key_and_cert_chain_pem.write_to_path(directory + "/good.pem")
    long_ago = datetime.datetime(2020, 1, 1)
    serve = serve_h2 if protocol == "h2" else serve_h1
    listeners = {
        "plain": lambda: (serve,),
        "second": lambda: (serve,),
        "second-tls": lambda: (serve, tls(good, [protocol])),
        "no-alpn": lambda: (serve_h1, tls(good)),
        "http1": lambda: (serve_h1,),
        "http1-tls": lambda: (serve_h1, tls(good, ["http/1.1"])),
        "silent": lambda: (serve_silent,),
        "proxy": lambda: (serve_proxy,),
        "rude": lambda: (serve_rude,),
        "rude-tls": lambda: (serve_rude, tls(good, [protocol])),
        "tls": lambda: (serve, tls(good, [protocol])),
        "h2": lambda: (serve_h2, tls(good, ["h2"])),
        "h1-as-h2": lambda: (blurt(answer(b"ok")), tls(good, ["h2"])),
        "h2-as-h1": lambda: (blurt(SETTINGS_FRAME), tls(good, ["http/1.1"])),
    }
    impostors = {
        "wrong-name": lambda: tls(ca.issue_cert("other.example")),
        "expired": lambda: tls(ca.issue_cert("localhost", not_after=long_ago)),
        "early": lambda: self_signed(directory + "/early.pem", datetime.timedelta(days=1)),
        "self-signed": lambda: self_signed(directory + "/self-signed.pem"),
        "unknown": lambda: tls(trustme.CA().issue_cert("localhost")),
        "old-tls": lambda: tls(good, version=ssl.TLSVersion.TLSv1_1),
    }
    for name in names:
        if name in impostors:
            listen(name, impostor(name), impostors[name]())
        else:
            listen(name, *listeners[name]())


def wait_until(condition):
    with lock:
        return lock.wait_for(condition, WAIT_SECONDS)


def command(words):
    if words[0] == "connections":
        return connections[words[1]]
    if words[0] == "requests":
        return requests[words[1]]
    if words[0] == "begun":
        return int(wait_until(lambda: requests[words[1]] > 0))
    if words[0] == "accepted":
        return int(wait_until(lambda: connections[words[1]] > 0))
    if words[0] == "gone":
        return int(wait_until(lambda: open_now[words[1]] == 0))
    if words[0] == "heard":
        return heard[words[1]]
    if words[0] == "head":
        return heads.get(words[1], "")
    if words[0] == "resets":
        return resets[int(words[1])]
    if words[0] == "body":
        return bodies.get(words[1], -1)
    if words[0] == "go":
        go.release()
        return 1
    raise ValueError(words[0])


def main():
    warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is what we want
    start(sys.argv[1], sys.argv[2], sys.argv[3:])
    for name, port in ports.items():
        print(name, port)
    print("ready 0", flush=True)
    for line in sys.stdin:
        print(command(line.split()), flush=True)


if __name__ == "__main__":
    main()
