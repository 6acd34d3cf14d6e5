/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "interrupt.h"
#include "prompt.h"
#include "write.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 10 * 60 * 1000,
    LINE_LEN_MAX = 4096,
    TRIES = 3,
};

bool ask_is_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static void say(const char *text)
{
    (void)write_all(STDERR_FILENO, text_of(text));
}

/* One byte at a time: what comes after the line is somebody else's. */
static bool read_line(struct text *ret)
{
    char c = '\0';
    while (c != '\n' && ret->len < LINE_LEN_MAX) {
        if (!interrupt_wait_ms(STDIN_FILENO, POLLIN, PATIENCE_MS) || interrupt_signal()) {
            return false;
        }
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
            return false;
        }
        if (n > 0) {
            text_add_char(ret, c);
        }
    }
    return text_ok(ret);
}

bool ask_line(const char *question, struct text *ret)
{
    text_clear(ret);
    say(question);
    if (!read_line(ret)) {
        say("\n");
        return false;
    }
    struct aq_str line = prompt_trim(text_view(ret));
    memmove(ret->ptr, line.ptr, line.len);
    ret->len = line.len;
    return true;
}

/* 0 unless it is a number from 1 to count. */
static unsigned number_of(struct aq_str s, unsigned count)
{
    unsigned number = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || number > count) {
            return 0;
        }
        number = number * 10 + (unsigned)(s.ptr[i] - '0');
    }
    return number <= count ? number : 0;
}

unsigned ask_number(const char *question, unsigned count)
{
    AUTO(text) struct text line = { 0 };
    for (int i = 0; i < TRIES && ask_line(question, &line); i++) {
        unsigned number = number_of(text_view(&line), count);
        if (number > 0) {
            return number;
        }
    }
    return 0;
}
