# SPDX-License-Identifier: Apache-2.0
"""A network without a way out, in which a test may have any address: those of a cloud are the same
everywhere, and not to be added to the network of whoever runs the tests."""

import concurrent.futures
import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
import time

import pytest
from command import BINARY

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1
LOOPBACK = 1  # the index of lo


class Island:
    """Belongs to one thread, which does all that is done there; whoever has a socket may use it."""

    def __init__(self):
        self._thread = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self._path = self._thread.submit(self._settle).result()
        self._addresses = set()

    @staticmethod
    def _settle():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        return f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"

    def _listen(self, address, port):
        deadline = time.monotonic() + 60
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        packed = socket.inet_pton(family, address)
        if family == socket.AF_INET6:
            request = struct.pack("16sIi", packed, 128, LOOPBACK)
        else:
            name = f"lo:{len(self._addresses)}".encode()
            request = struct.pack("16sHH4s8x", name, family, 0, packed)
        if address != "127.0.0.1" and address not in self._addresses:
            self._addresses.add(address)
            try:
                with socket.socket(family, socket.SOCK_DGRAM) as any_socket:
                    fcntl.ioctl(any_socket, SIOCSIFADDR, request)
            except OSError:
                if family == socket.AF_INET:
                    raise
                pytest.skip("there is no IPv6 here")
        while True:  # an address of IPv6 is there a moment after it was added
            try:
                return socket.create_server((address, port), family=family)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL or time.monotonic() > deadline:
                    raise

    def listen(self, address, port):
        """A socket that listens there."""
        return self._thread.submit(self._listen, address, port).result()

    def run(self, command, *args):
        """As command.run, in this network."""
        return command.run(f"--net={self._path}", BINARY, *args, program="nsenter")

    def close(self):
        self._thread.shutdown()


@contextlib.contextmanager
def new_island():
    try:
        island = Island()
    except PermissionError:
        pytest.skip("a network of its own needs CAP_SYS_ADMIN")
    try:
        yield island
    finally:
        island.close()
