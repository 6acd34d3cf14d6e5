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
    resumed NAME        TLS sessions that were resumed at that listener so far
    refused PATH        requests beyond what the peer said it would take
    resets CODE         streams that were reset with this code so far
    go                  let one waiting response continue
"""

import socket
import ssl
import struct
import sys
import threading
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

import key_updates
from cryptography.hazmat.primitives.asymmetric import rsa
from hostile import serve_few_streams, serve_hostile
from http1 import Request, answer, serve_h1
from http2 import serve_h2
from seen import (bodies, connections, go, heads, heard, lock, open_now, record, refused, requests,
                  resets, resumed, wait_for_close)

sys.path.append(str(Path(__file__).resolve().parents[2] / "service"))
from qservice.certificates import Authority, Certificate  # noqa: E402

SETTINGS_FRAME = b"\0\0\0\4\0\0\0\0\0"
WAIT_SECONDS = 60


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


def serve_hanging_up(sock):
    """Read all that there is and close in order."""
    try:
        sock.recv(65536)
    except OSError:
        pass


# Listeners.

ports = {}


def tls(cert, alpn=(), version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.load_into(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    return context


def self_signed(path, **times):
    """A certificate for localhost that only vouches for itself; in that file, with its key."""
    cert = Certificate("localhost", **times)
    Path(path).write_bytes(cert.key + cert.pem)
    return tls(cert)


def rsa_authority(**of):
    return Authority(key=rsa.generate_private_key(65537, 2048), **of)


def trusted(path):
    """An authority with an RSA key, in that file."""
    authority = rsa_authority()
    Path(path).write_bytes(authority.pem)
    return authority


def handle(name, sock, serve, context):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with (context.wrap_socket(sock, server_side=True) if context else sock) as peer:
            if context and peer.session_reused:
                resumed[name] += 1
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
    ca = Authority()
    Path(directory, "ca.pem").write_bytes(ca.pem)
    good = ca.issue("localhost", "127.0.0.1", "dead.test")
    Path(directory, "good.pem").write_bytes(good.key + good.pem)
    long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
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
        "resets-handshake": lambda: (serve_rude,),
        "ends-handshake": lambda: (serve_hanging_up,),
        "hostile": lambda: (serve_hostile,),
        "hostile-tls": lambda: (serve_hostile, tls(good, ["h2"])),
        "key-updates": lambda: (key_updates.serve(directory + "/good.pem"),),
        "few-streams": lambda: (serve_few_streams, tls(good, ["h2"])),
        "ssh": lambda: (blurt(b"SSH-2.0-OpenSSH_9.2\r\n"),),
        "h2": lambda: (serve_h2, tls(good, ["h2"])),
        "h1-as-h2": lambda: (blurt(answer(b"ok")), tls(good, ["h2"])),
        "h2-as-h1": lambda: (blurt(SETTINGS_FRAME), tls(good, ["http/1.1"])),
    }
    impostors = {
        "wrong-name": lambda: tls(ca.issue("other.example")),
        "expired": lambda: tls(ca.issue("localhost", end=long_ago)),
        "early": lambda: self_signed(directory + "/early.pem", begin=tomorrow),
        "self-signed": lambda: self_signed(directory + "/self-signed.pem"),
        "unknown": lambda: tls(Authority().issue("localhost")),
        "namesake": lambda: tls(Authority(namesake=ca).issue("localhost")),
        "rsa-namesake": lambda: tls(rsa_authority(namesake=ca).issue("localhost")),
        "namesake-of-rsa": lambda: tls(Authority(
            namesake=trusted(directory + "/namesake-of-rsa.pem")).issue("localhost")),
        "rsa-namesake-of-rsa": lambda: tls(rsa_authority(
            namesake=trusted(directory + "/rsa-namesake-of-rsa.pem")).issue("localhost")),
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
    if words[0] == "resumed":
        return resumed[words[1]]
    if words[0] == "refused":
        return refused[words[1]]
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
