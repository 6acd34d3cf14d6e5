# SPDX-License-Identifier: Apache-2.0
"""Peers that the command may meet on its way: proxies, and servers that are not what they should
be, or never finish. Each serves until its block ends."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from urllib.parse import urlsplit

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            self.asked.append(head.split()[1].decode())
            if self._refuse:
                client.sendall(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % self._refuse)
                return
            _join(client, self._target, greeting=b"HTTP/1.1 200 Connected\r\n\r\n")


class Authority:
    """Whom the command trusts, by the file `path`, and what it issues."""

    def __init__(self, directory):
        self._ca = trustme.CA()
        self.path = directory / "authority.pem"
        self._ca.cert_pem.write_to_path(str(self.path))

    def good(self):
        return self._ca.issue_cert(HOST)

    def expired(self):
        long_ago = datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc)
        return self._ca.issue_cert(HOST, not_after=long_ago)

    def not_valid_yet(self):
        """It vouches for itself, and is trusted from now on."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
        begin = datetime.datetime.utcnow() + datetime.timedelta(days=1)
        end = begin + datetime.timedelta(days=30)
        number = x509.random_serial_number()
        builder = x509.CertificateBuilder(name, name, key.public_key(), number, begin, end)
        cert = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
        pem = cert.public_bytes(serialization.Encoding.PEM)
        self.path.write_bytes(pem)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return trustme.LeafCert(private, pem, [])

    def for_another_name(self):
        return self._ca.issue_cert("other.example")

    def of_a_stranger(self):
        return trustme.CA().issue_cert(HOST)


@contextlib.contextmanager
def tls_server(certificate, alpn=("h2", "http/1.1")):
    """A server that shakes hands and says no more; yields its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
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
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\n")
            while not ended.wait(2):
                connection.sendall(b" ")

    with _listening(handle) as port:
        yield f"http://{HOST}:{port}"
        ended.set()
