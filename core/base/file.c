/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 4096 };

static ssize_t read_piece(int fd, uint8_t *to, size_t len)
{
    ssize_t got;
    do {
        got = read(fd, to, len);
    } while (got < 0 && errno == EINTR);
    return got;
}

aq_status file_read_some(int fd, struct buf *ret)
{
    uint8_t beyond; /* a file that fills the buffer may end there */
    const size_t left = buf_room(ret);
    const size_t room = left < PIECE ? left : PIECE;
    if (!buf_reserve(ret, room)) {
        return buf_status(ret);
    }
    ssize_t got = room ? read_piece(fd, ret->ptr + ret->len, room) : read_piece(fd, &beyond, 1);
    if (got < 0) {
        return errno == EAGAIN ? AQ_AGAIN : AQ_E_IO;
    }
    if (got > 0 && !room) {
        return AQ_E_LIMIT;
    }
    ret->len += (size_t)got;
    ret->ptr[ret->len] = '\0';
    return got == 0 ? AQ_END : AQ_OK;
}

aq_status file_read(int fd, struct buf *ret)
{
    aq_status st;
    do {
        st = file_read_some(fd, ret);
    } while (st == AQ_OK);
    return st == AQ_END ? AQ_OK : st == AQ_AGAIN ? AQ_E_IO : st;
}
