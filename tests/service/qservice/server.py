# SPDX-License-Identifier: Apache-2.0
"""The real server around the application: sockets, certificates, start and end."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from email.utils import formatdate
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

from .app import App
from .certificates import Authority
from .connections import Connections, Loop
from .state import State

HOST = "127.0.0.1"
REAL_HOSTS = ("*.us-east-1.amazonaws.com", "*.us-east-1.kiro.dev")  # where a proxy leads here
BACKLOG = 512


class ServiceConfig(Config):
    """hypercorn, with the service's clock in the date header and no name of its own."""

    def __init__(self, state):
        super().__init__()
        self._state = state

    def response_headers(self, protocol):
        return [(b"date", formatdate(self._state.now(), usegmt=True).encode())]


class Server:
    def __init__(self, directory, port=0, tls_port=0):
        self.directory = Path(directory).resolve()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state = State()
        self._sockets = _listen(port), _listen(tls_port)
        self.url, self.tls_url = (
            f"{scheme}://{HOST}:{sock.getsockname()[1]}"
            for scheme, sock in zip(("http", "https"), self._sockets)
        )
        self.ca, self._certificate, self._key = _certificates(self.directory)

    def run(self, on_ready, stdin_lifetime=False):
        """Serve until a signal comes, or until stdin ends when that was asked for.

        `on_ready` is called when a connection can be made: it waits in the backlog if need be.
        The server's tasks are not wound up: the process is expected to end now.
        """
        self._log_to_file()
        connections = Connections()
        loop = Loop(connections)
        asyncio.set_event_loop(loop)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if stdin_lifetime:
            threading.Thread(target=_until_stdin_ends, args=(loop, stop), daemon=True).start()
        loop.run_until_complete(self._serve(connections, on_ready, stop))

    async def _serve(self, connections, on_ready, stop):
        app, stopped = App(self.state, connections), asyncio.ensure_future(stop.wait())
        on_ready()
        serving = asyncio.ensure_future(serve(app, self._config(), shutdown_trigger=_never))
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # raises: a server that ends by itself could not start

    def _config(self):
        clear, secure = (sock.detach() for sock in self._sockets)
        config = ServiceConfig(self.state)
        config.bind, config.insecure_bind = [f"fd://{secure}"], [f"fd://{clear}"]
        config.certfile, config.keyfile = self._certificate, self._key
        config.errorlog = logging.getLogger("hypercorn.error")
        config.backlog = BACKLOG
        config.keep_alive_timeout = 60.0
        return config

    def _log_to_file(self):
        """Clients that break off or distrust us are everyday; asyncio and hypercorn report them."""
        logging.basicConfig(filename=self.directory / "service.log", level=logging.INFO)
        sys.unraisablehook = lambda found: logging.info("%s: %s", found.err_msg, found.exc_value)


def _listen(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    sock.listen(BACKLOG)  # connections made from now on are kept until the server takes them
    return sock


def _certificates(directory):
    """Make an authority of our own and a certificate; return the three paths."""
    authority = Authority()
    issued = authority.issue("localhost", HOST, "::1", *REAL_HOSTS)
    paths = [directory / name for name in ("ca.pem", "server.pem", "server.key")]
    paths[0].write_bytes(authority.pem)
    paths[1].write_bytes(issued.pem)
    with open(paths[2], "wb", opener=_private) as key:
        key.write(issued.key)
    return map(str, paths)


def _private(path, flags):
    return os.open(path, flags, 0o600)


async def _never():
    await asyncio.Event().wait()


def _until_stdin_ends(loop, stop):
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)
