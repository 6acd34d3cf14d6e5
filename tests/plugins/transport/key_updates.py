# SPDX-License-Identifier: Apache-2.0
"""A peer whose TLS never comes to the point: after the handshake it changes its keys, again and again.
Python's ssl cannot be asked for that, so this calls OpenSSL itself."""

import ctypes
import ctypes.util

UPDATES = 1024 * 1024
NOT_REQUESTED = 0  # of the other side
FILE_IS_PEM = 1
H2 = b"\x02h2"
CHOSEN = 0

ssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
    getattr(ssl, name).restype = ctypes.c_void_p

_h2 = ctypes.create_string_buffer(H2[1:])


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p),
                  ctypes.POINTER(ctypes.c_ubyte), ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p)
def _choose_h2(_ssl, chosen, chosen_len, _offered, _offered_len, _arg):
    chosen[0], chosen_len[0] = ctypes.addressof(_h2), len(H2) - 1
    return CHOSEN


def serve(certificate):
    """A handler of connections, with the certificate and key in that file."""
    context = ctypes.c_void_p(ssl.SSL_CTX_new(ctypes.c_void_p(ssl.TLS_server_method())))
    path = certificate.encode()
    ssl.SSL_CTX_use_certificate_chain_file(context, path)
    ssl.SSL_CTX_use_PrivateKey_file(context, path, FILE_IS_PEM)
    ssl.SSL_CTX_set_alpn_select_cb(context, _choose_h2, None)

    def flood(sock):
        channel = ctypes.c_void_p(ssl.SSL_new(context))
        ssl.SSL_set_fd(channel, sock.fileno())
        alive = ssl.SSL_accept(channel) == 1
        for _ in range(UPDATES):
            if not alive:
                break
            ssl.SSL_key_update(channel, NOT_REQUESTED)
            alive = ssl.SSL_do_handshake(channel) == 1
        ssl.SSL_free(channel)

    return flood
