/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum {
    PIECE = 65536,
    PROMPT_MAX = 8 << 20, /* far beyond what any model takes in */
};

int prompt_read(int fd, struct text *ret)
{
    for (;;) {
        if (!text_reserve(ret, PIECE)) {
            return ENOMEM;
        }
        if (!interrupt_wait(fd, POLLIN)) {
            return errno;
        }
        if (interrupt_signal()) {
            return EINTR;
        }
        ssize_t n = read(fd, ret->ptr + ret->len, PIECE);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return errno;
        }
        ret->len += n > 0 ? (size_t)n : 0;
        if (ret->len > PROMPT_MAX) {
            return EFBIG;
        }
    }
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct aq_str prompt_trim(struct aq_str s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}
