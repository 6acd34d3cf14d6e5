# SPDX-License-Identifier: Apache-2.0
"""Peers that the command may meet on its way: proxies, and servers that are not what they should
be, or never finish. Each serves until its block ends."""

import contextlib
import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from qservice import certificates

HOST = "127.0.0.1"


@contextlib.contextmanager
def _listening(handle, listener=None):
    """Call handle(connection) for each connection, in a thread of its own; yields the port."""
    listener = listener or socket.create_server((HOST, 0))

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def read_head(client):
    """All that a request says before its body, however many pieces it comes in."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(65536)
        if not piece:
            return b""
        head += piece
    return head


def _pipe(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _join(client, target, greeting=b""):
    with socket.create_connection(target) as server:
        client.sendall(greeting)
        back = threading.Thread(target=_pipe, args=(server, client), daemon=True)
        back.start()
        _pipe(client, server)
        back.join()


def relay(listener, target):
    """Lead every connection to (host, port)."""

    def handle(client):
        with client:
            _join(client, target)

    return _listening(handle, listener)


class Proxy:
    """An HTTP proxy that leads every tunnel to one place, or refuses it with a status."""

    def __init__(self, target, refuse=None):
        parts = urlsplit(target)
        self._target, self._refuse = (parts.hostname, parts.port), refuse
        self.asked = []  # "q.us-east-1.amazonaws.com:443", ...

    def __enter__(self):
        self._listener = _listening(self._handle)
        self.port = self._listener.__enter__()
        return self

    def __exit__(self, *failure):
        return self._listener.__exit__(*failure)

    def _handle(self, client):
        with client:
            head = read_head(client)
            if not head:
                return
            self.asked.append(head.split()[1].decode())
            if self._refuse:
                client.sendall(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % self._refuse)
                return
            _join(client, self._target, greeting=b"HTTP/1.1 200 Connected\r\n\r\n")


class Authority:
    """Whom the command trusts, by the file `path`, and what it issues."""

    def __init__(self, directory):
        self._trusted = certificates.Authority()
        self.path = directory / "authority.pem"
        self.path.write_bytes(self._trusted.pem)

    def good(self):
        return self._trusted.issue(HOST)

    def expired(self):
        return self._trusted.issue(HOST, end=datetime(2020, 1, 2, tzinfo=timezone.utc))

    def not_valid_yet(self):
        """It vouches for itself, and is trusted from now on."""
        tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
        own = certificates.Certificate(HOST, begin=tomorrow)
        self.path.write_bytes(own.pem)
        return own

    def for_another_name(self):
        return self._trusted.issue("other.example")

    def of_a_stranger(self):
        return certificates.Authority().issue(HOST)


@contextlib.contextmanager
def tls_server(certificate, alpn=("h2", "http/1.1")):
    """A server that shakes hands and says no more; yields its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.load_into(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))

    def handle(connection):
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)

    with _listening(handle) as port:
        yield f"https://{HOST}:{port}"


@contextlib.contextmanager
def endless_refusal():
    """A server that refuses what it is asked with a body that comes byte by byte, for hours; yields
    its URL."""
    ended = threading.Event()

    def handle(connection):
        with contextlib.suppress(OSError), connection:
            read_head(connection)
            connection.sendall(b"HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\n")
            while not ended.wait(2):
                connection.sendall(b" ")

    with _listening(handle) as port:
        yield f"http://{HOST}:{port}"
        ended.set()
