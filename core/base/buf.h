/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable buffer with a limit it carries from birth. It always wipes what it gives back, so that
 * it may hold secrets. A buffer that ran out of memory or over its limit stays failed; callers
 * append without looking and ask once at the end, with buf_status.
 */
#ifndef AQ_BASE_BUF_H
#define AQ_BASE_BUF_H

#include <amazonq/status.h>
#include <amazonq/view.h>
#include <stdbool.h>

struct buf {
    uint8_t *ptr; /* NUL-terminated once something was appended (the NUL is not counted) */
    size_t len;
    size_t cap;
    size_t max;       /* largest len; 0 means BUF_MAX_DEFAULT */
    aq_status failed; /* AQ_OK, AQ_E_NOMEM or AQ_E_LIMIT */
};

#define BUF_MAX_DEFAULT ((size_t)64 << 20)

/* struct buf b = BUF(limit); */
#define BUF(limit) \
    { \
        NULL, 0, 0, (limit), AQ_OK \
    }

void buf_done(struct buf *b);  /* wipe, free, ready for reuse with the same limit */
void buf_clear(struct buf *b); /* wipe the content, keep the memory, forget a failure */

void buf_add(struct buf *b, struct aq_str s);
void buf_add_bytes(struct buf *b, struct aq_bytes bytes);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append s as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD. */
void buf_add_json(struct buf *b, struct aq_str s);

/* Room for at least len more bytes behind b->len; false (and failed) if there is none. */
bool buf_reserve(struct buf *b, size_t len);

/* How many more bytes its limit allows. */
size_t buf_room(const struct buf *b);

/* Remove len bytes from the front. */
void buf_drop(struct buf *b, size_t len);

aq_status buf_status(const struct buf *b);
struct aq_str buf_str(const struct buf *b);
struct aq_bytes buf_bytes(const struct buf *b);

#endif
