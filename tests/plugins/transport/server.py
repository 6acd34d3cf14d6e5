# SPDX-License-Identifier: Apache-2.0
"""Peers for the transport tests: well-behaved, broken and hostile ones, on ports of their own.

    server.py DIRECTORY LISTENER...

writes ca.pem, good.pem (key and certificate for localhost) and the certificates that vouch for
themselves into DIRECTORY, prints "NAME PORT" for every listener, then "ready 0"; it ends with its
standard input. The path of a request chooses what happens to it. Commands on standard input, one
answer line each:

    connections NAME    connections accepted by that listener so far
    requests PATH       complete requests for that path so far, over all listeners
    begun PATH          wait for a request for that path: 1, or 0 if none comes
    accepted NAME       wait for a connection to that listener: 1, or 0 if none comes
    gone NAME           wait until all connections of that listener are closed: 1, or 0
    heard NAME          bytes that came to an impostor after its handshake
    head PATH           head of the last request for that path, lines joined with "|"; for a proxy,
                        the path is CONNECT
    body PATH           length of its body
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


class H2Session:
    def __init__(self, sock):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.pending = {}
        self.bodies = collections.Counter()
        self.heads = {}
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def respond(self, stream, whole_path):
        ok = [(":status", "200"), ("x-answer", "h2")]
        path = plain_path(whole_path)
        if path == "/redirect":
            status, location = redirect(whole_path)
            self.h2.send_headers(stream, [(":status", status), ("location", location)],
                                 end_stream=True)
        elif path == "/refused":
            self.h2.reset_stream(stream, error_code=7)
        elif path == "/reset":
            self.h2.send_headers(stream, ok)
            self.h2.send_data(stream, b"only this")
            self.flush()
            go.acquire()
            self.h2.reset_stream(stream, error_code=2)
        elif path == "/reset-at-once":
            self.h2.reset_stream(stream, error_code=2)
        elif path == "/goodbye":
            self.h2.send_headers(stream, ok)
            self.h2.send_data(stream, b"only this")
            self.flush()
            raise EOFError
        elif path == "/garbage":
            self.flush()
            self.sock.sendall(b"\xff" * 64)
        elif path == "/silent":
            pass
        elif path == "/bomb":
            self.h2.send_headers(stream, ok + [("x-bomb-%d" % i, "b" * 1000) for i in range(100)])
        elif path == "/gzip":
            self.h2.send_headers(stream, ok + [("content-encoding", "gzip")])
        elif path == "/gzip-bomb":
            self.h2.send_headers(stream, ok + [("content-encoding", "gzip")])
            self.pending[stream] = BIG
        elif path == "/trickle":
            self.h2.send_headers(stream, ok + [("content-type", EVENTS)])
            self.h2.send_data(stream, b"first")
        elif path == "/big":
            self.h2.send_headers(stream, ok)
            self.pending[stream] = BIG
        else:
            self.h2.send_headers(stream, ok)
            self.h2.send_data(stream, b"ok", end_stream=True)

    def pump(self):
        for stream in list(self.pending):
            while self.pending[stream]:
                room = min(self.h2.local_flow_control_window(stream),
                           self.h2.max_outbound_frame_size, self.pending[stream])
                if room <= 0:
                    break
                self.pending[stream] -= room
                self.h2.send_data(stream, b"x" * room, end_stream=self.pending[stream] == 0)
                self.flush()
            if not self.pending[stream]:
                del self.pending[stream]

    def run(self):
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.heads[event.stream_id] = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] += len(event.data)
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    self.pending.pop(event.stream_id, None)
                elif isinstance(event, h2.events.StreamEnded):
                    head = self.heads[event.stream_id]
                    lines = ["%s: %s" % field for field in head.items()]
                    record(plain_path(head[":path"]), "|".join(lines),
                           b"x" * self.bodies[event.stream_id])
                    self.respond(event.stream_id, head[":path"])
            self.pump()
            self.flush()


def serve_h2(sock):
    try:
        H2Session(sock).run()
    except (EOFError, OSError):
        pass


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


def start(directory, names):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(directory + "/ca.pem")
    good = ca.issue_cert("localhost", "127.0.0.1")
    good.private_key_and_cert_chain_pem.write_to_path(directory + "/good.pem")
    long_ago = datetime.datetime(2020, 1, 1)
    listeners = {
        "plain": lambda: (serve_h1,),
        "second": lambda: (serve_h1,),
        "second-tls": lambda: (serve_h1, tls(good)),  # no ALPN
        "silent": lambda: (serve_silent,),
        "proxy": lambda: (serve_proxy,),
        "rude": lambda: (serve_rude,),
        "rude-tls": lambda: (serve_rude, tls(good)),
        "tls": lambda: (serve_h1, tls(good, ["http/1.1"])),
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
    if words[0] == "body":
        return bodies.get(words[1], -1)
    if words[0] == "go":
        go.release()
        return 1
    raise ValueError(words[0])


def main():
    warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is what we want
    start(sys.argv[1], sys.argv[2:])
    for name, port in ports.items():
        print(name, port)
    print("ready 0", flush=True)
    for line in sys.stdin:
        print(command(line.split()), flush=True)


if __name__ == "__main__":
    main()
