# SPDX-License-Identifier: Apache-2.0
"""What the peers share: what they have seen so far, and small things they do alike."""

import collections
import gzip
import socket
import struct
import threading

GZIP_BOMB = gzip.compress(bytes(1024 * 1024)) * 1024  # a gigabyte
EVENTS = "application/vnd.amazon.eventstream"
BIG = 8 * 1024 * 1024

lock = threading.Condition()
connections = collections.Counter()
open_now = collections.Counter()
heard = collections.Counter()
requests = collections.Counter()
heads = {}
bodies = {}
resets = collections.Counter()
refused = collections.Counter()
resumed = collections.Counter()
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


def redirect(request_path):
    """Status and location of "/redirect?STATUS&LOCATION"."""
    return request_path.partition("?")[2].split("&", 1)
