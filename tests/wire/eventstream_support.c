/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/eventstream_support.h"

#include "base/crc32.h"

static void add_u32(struct buf *out, size_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_add_char(out, (char)(value >> shift & 0xff));
    }
}

void add_frame(struct buf *out, size_t total, size_t headers_len, struct aq_bytes headers,
               struct aq_bytes payload)
{
    size_t start = out->len;
    add_u32(out, total);
    add_u32(out, headers_len);
    add_u32(out, crc32_eight(out->ptr + start));
    buf_add_bytes(out, headers);
    buf_add_bytes(out, payload);
    add_u32(out, crc32_bytes((struct aq_bytes){ out->ptr + start, out->len - start }));
    assert_int_equal(buf_status(out), AQ_OK);
}

void add_headers_frame(struct buf *out, struct aq_bytes headers)
{
    add_frame(out, 16 + headers.len, headers.len, headers, BYTES(""));
}

struct eventstream_header text_header(const char *name, const char *value)
{
    return (struct eventstream_header){ .name = str_from(name),
                                        .type = EVENTSTREAM_STRING,
                                        .bytes = str_bytes(str_from(value)) };
}

void add_event(struct buf *out, const char *type, struct aq_bytes payload)
{
    const struct eventstream_header headers[] = { text_header(":message-type", "event"),
                                                  text_header(":event-type", type),
                                                  text_header(":content-type", "text/plain") };
    assert_int_equal(eventstream_encode(headers, COUNT(headers), payload, out, NULL), AQ_OK);
}

void add_everything(struct buf *out)
{
    const struct eventstream_header all_types[] = {
        { AQ_STR_INIT("true"), EVENTSTREAM_TRUE, 1, { NULL, 0 } },
        { AQ_STR_INIT("false"), EVENTSTREAM_FALSE, 0, { NULL, 0 } },
        { AQ_STR_INIT("byte"), EVENTSTREAM_BYTE, -128, { NULL, 0 } },
        { AQ_STR_INIT("short"), EVENTSTREAM_SHORT, -32768, { NULL, 0 } },
        { AQ_STR_INIT("integer"), EVENTSTREAM_INTEGER, INT32_MIN, { NULL, 0 } },
        { AQ_STR_INIT("long"), EVENTSTREAM_LONG, INT64_MIN, { NULL, 0 } },
        { AQ_STR_INIT("bytes"), EVENTSTREAM_BYTES, 0, BYTES("\x00\xff") },
        text_header("string", "gr\xc3\xbc\xc3\x9f"),
        { AQ_STR_INIT("timestamp"), EVENTSTREAM_TIMESTAMP, 1700000000123, { NULL, 0 } },
        { AQ_STR_INIT("uuid"), EVENTSTREAM_UUID, 0, BYTES("0123456789abcdef") },
        text_header(":message-type", "event"),
        text_header(":event-type", "everything"),
    };
    const struct eventstream_header exception[] = { text_header(":message-type", "exception"),
                                                    text_header(":exception-type", "error") };
    const struct eventstream_header error[] = { text_header(":message-type", "error"),
                                                text_header(":error-code", "418"),
                                                text_header(":error-message", "teapot") };
    static uint8_t large[3000];
    memset(large, 'x', sizeof(large));

    add_event(out, "assistantResponseEvent", BYTES("{\"content\":\"Hello\"}"));
    add_event(out, "assistantResponseEvent", BYTES(""));
    add_event(out, "toolUseEvent", (struct aq_bytes){ large, sizeof(large) });
    eventstream_encode(all_types, COUNT(all_types), BYTES("?"), out, NULL);
    eventstream_encode(exception, COUNT(exception), BYTES("{}"), out, NULL);
    eventstream_encode(error, COUNT(error), BYTES(""), out, NULL);
    assert_int_equal(buf_status(out), AQ_OK);
}

/* Write down all a message says, so that two ways of reading a stream can be compared. */
static void describe(const struct eventstream_message *m, struct buf *out)
{
    struct aq_bytes rest = m->headers;
    struct eventstream_header h;
    buf_printf(out, "%llu %d %u [%.*s|%.*s|%.*s|%.*s|%.*s]", (unsigned long long)m->offset,
               (int)m->kind, m->header_count, AQ_STR_ARG(m->event_type),
               AQ_STR_ARG(m->exception_type), AQ_STR_ARG(m->content_type),
               AQ_STR_ARG(m->error_code), AQ_STR_ARG(m->error_message));
    while (eventstream_header_next(&rest, &h)) {
        buf_printf(out, " %.*s %d %lld ", AQ_STR_ARG(h.name), (int)h.type, (long long)h.number);
        buf_add_bytes(out, h.bytes);
    }
    assert_int_equal(rest.len, 0);
    buf_add_bytes(out, m->payload);
    buf_add_char(out, '\n');
}

static aq_status read_all(struct eventstream_decoder *d, struct buf *out, struct aq_error *err)
{
    struct eventstream_message m;
    aq_status st;
    while ((st = eventstream_next(d, &m, err)) == AQ_OK) {
        describe(&m, out);
    }
    return st;
}

aq_status decode(struct aq_bytes stream, const size_t *cuts, size_t count, struct buf *out,
                 struct aq_error *err)
{
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    size_t at = 0;
    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : stream.len;
        uint8_t *chunk = malloc(end - at + 1);
        memcpy(chunk, stream.ptr + at, end - at);
        assert_int_equal(eventstream_feed(&d, (struct aq_bytes){ chunk, end - at }, err), AQ_OK);
        aq_status st = read_all(&d, out, err);
        free(chunk);
        if (st != AQ_AGAIN) {
            return st;
        }
        at = end;
    }
    eventstream_finish(&d);
    return read_all(&d, out, err);
}

void assert_broken(struct aq_bytes stream, aq_status status, const char *says)
{
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err = { 0 };
    aq_status st = decode(stream, NULL, 0, &out, &err);
    if (st != status || !strstr(err.text, says)) {
        fail_msg("expected %d '%s', got %d '%s'", status, says, st, err.text);
    }
    assert_non_null(strstr(err.text, ", try again"));
    assert_int_equal(err.status, status);
}

void assert_headers_broken(struct aq_bytes headers, aq_status status, const char *says)
{
    AUTO(buf) struct buf stream = BUF(0);
    add_headers_frame(&stream, headers);
    assert_broken(buf_bytes(&stream), status, says);
}

uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}
