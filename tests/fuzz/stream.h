/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold for every event stream, well-formed or not. */
#ifndef AQ_TESTS_FUZZ_STREAM_H
#define AQ_TESTS_FUZZ_STREAM_H

#include "base/alloc.h"
#include "base/crc32.h"
#include "base/str.h"
#include "base/utf8.h"
#include "fuzz/fuzzer.h"
#include "wire/eventstream.h"

#include <string.h>

static inline void add_u32(struct buf *out, size_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_add_char(out, (char)(value >> shift & 0xff));
    }
}

/* Append a frame of any content whose lengths and checksums are right. */
static inline void stream_add(struct buf *out, struct aq_bytes headers, struct aq_bytes payload)
{
    size_t start = out->len;
    add_u32(out, 16 + headers.len + payload.len);
    add_u32(out, headers.len);
    add_u32(out, crc32_eight(out->ptr + start));
    buf_add_bytes(out, headers);
    buf_add_bytes(out, payload);
    add_u32(out, crc32_bytes((struct aq_bytes){ out->ptr + start, out->len - start }));
}

static inline void text_check(struct aq_str s)
{
    PROMISE(utf8_valid((const uint8_t *)s.ptr, s.len));
}

/* The headers of a message step through its block to the last byte, and are encoded to the same. */
static inline void message_check(const struct eventstream_message *m)
{
    static struct eventstream_header headers[EVENTSTREAM_HEADER_COUNT_MAX];
    AUTO(buf) struct buf again = BUF(0);
    struct aq_bytes rest = m->headers;
    size_t count = 0;

    while (eventstream_header_next(&rest, &headers[count])) {
        text_check(headers[count].name);
        if (headers[count].type == EVENTSTREAM_STRING) {
            text_check(str_of_bytes(headers[count].bytes));
        }
        PROMISE(++count <= m->header_count);
    }
    PROMISE(rest.len == 0 && count == m->header_count);
    PROMISE(eventstream_encode(headers, count, m->payload, &again, NULL) == AQ_OK);
    PROMISE(again.len == 16 + m->headers.len + m->payload.len);
    PROMISE(memcmp(again.ptr + 12, m->headers.ptr, m->headers.len) == 0);
    PROMISE(m->kind != EVENTSTREAM_EVENT || m->event_type.ptr);
    PROMISE(m->kind != EVENTSTREAM_EXCEPTION || m->exception_type.ptr);
    text_check(m->event_type);
    text_check(m->exception_type);
    text_check(m->content_type);
    text_check(m->error_code);
    text_check(m->error_message);
}

static inline void describe(const struct eventstream_message *m, struct buf *out)
{
    buf_printf(out, "%llu %d %u ", (unsigned long long)m->offset, (int)m->kind, m->header_count);
    buf_add(out, m->event_type);
    buf_add_bytes(out, m->headers);
    buf_add_bytes(out, m->payload);
}

/* Decode in pieces of `step` bytes, each in memory of its own; describe all that comes. */
static inline aq_status stream_decode(struct aq_bytes stream, size_t step, struct buf *out)
{
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    struct aq_error err;
    aq_status st = AQ_AGAIN;
    for (size_t at = 0; st == AQ_AGAIN && at < stream.len; at += step) {
        size_t len = stream.len - at < step ? stream.len - at : step;
        uint8_t *piece = malloc(len);
        memcpy(piece, stream.ptr + at, len);
        PROMISE(eventstream_feed(&d, (struct aq_bytes){ piece, len }, NULL) == AQ_OK);
        while ((st = eventstream_next(&d, &m, &err)) == AQ_OK) {
            message_check(&m);
            describe(&m, out);
        }
        free(piece);
        PROMISE(d.carry.cap <= 4 * (at + len) + 256); /* memory follows what arrived */
    }
    if (st == AQ_AGAIN) {
        eventstream_finish(&d);
        st = eventstream_next(&d, &m, &err);
        PROMISE(st == AQ_END || st == AQ_E_TRUNCATED);
    }
    PROMISE(eventstream_next(&d, &m, NULL) == st);
    buf_printf(out, "%d %s", st, st == AQ_END ? "" : err.text);
    return st;
}

/* Whole and in pieces a stream gives the same. */
static inline aq_status stream_check(struct aq_bytes stream, size_t step)
{
    AUTO(buf) struct buf whole = BUF(0);
    AUTO(buf) struct buf pieces = BUF(0);
    aq_status st = stream_decode(stream, stream.len + 1, &whole);
    PROMISE(stream_decode(stream, step, &pieces) == st);
    PROMISE(str_eq(buf_str(&whole), buf_str(&pieces)));
    return st;
}

#endif
