#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py --outside PID --port N --service PORT --cache DIR: the containers' way out.

It listens where it was started, in the engine's network, and reaches out from that of process PID.
The service's hosts are the stand-in. Debian's packages come from outside and are kept in DIR, so
that the next run needs no network. There is nothing else.
"""

import argparse
import ctypes
import hashlib
import os
import select
import socket
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVICE_HOSTS = ".amazonaws.com"
PACKAGE_HOSTS = "http://deb.debian.org/", "http://security.debian.org/"
TIMEOUT_S = 60


class Proxy(BaseHTTPRequestHandler):
    service_port, cache = None, None

    def do_CONNECT(self):
        host, _, port = self.path.rpartition(":")
        if not host.endswith(SERVICE_HOSTS) or port != "443":
            return self.send_error(403, "this network has the service and Debian's packages only")
        with socket.create_connection(("127.0.0.1", self.service_port)) as service:
            self.send_response(200)
            self.end_headers()
            splice(self.connection, service)
        self.close_connection = True

    def do_GET(self):
        if not self.path.startswith(PACKAGE_HOSTS):
            return self.send_error(403, "this network has the service and Debian's packages only")
        kept = self.cache / hashlib.sha256(self.path.encode()).hexdigest()
        try:
            if not (self.path.endswith(".deb") and kept.exists()):
                download(self.path, kept)
        except urllib.error.HTTPError as error:
            return self.send_error(error.code)
        except OSError as error:
            if not kept.exists():
                return self.send_error(504, str(error))
        body = kept.read_bytes()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def download(url, kept):
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
        body = reply.read()
    part = kept.with_suffix(f".{os.getpid()}.{id(body)}")
    part.write_bytes(body)
    part.replace(kept)


def splice(one, other):
    """Hand on what either says until both have ended."""
    peer = {one: other, other: one}
    open_ends = {one, other}
    while open_ends:
        for source in select.select(open_ends, [], [])[0]:
            try:
                data = source.recv(65536)
                peer[source].sendall(data)
            except OSError:
                return
            if not data:
                open_ends.discard(source)
                peer[source].shutdown(socket.SHUT_WR)


def enter_network_of(pid):
    with open(f"/proc/{pid}/ns/net") as network:
        if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--outside", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--service", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    Proxy.service_port, Proxy.cache = options.service, options.cache
    options.cache.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("0.0.0.0", options.port), Proxy)
    server.daemon_threads = True
    enter_network_of(options.outside)  # threads that are made from now on are there, too
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
