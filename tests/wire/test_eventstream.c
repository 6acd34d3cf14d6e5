/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/eventstream.h"

#include "base/alloc.h"
#include "base/crc32.h"
#include "base/str.h"

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) ((struct aq_bytes){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The three headers of every event, as they lie in a frame; the number is the length that follows.
 */
#define EVENT_HEADERS \
    "\x0d:message-type\x07\x00\x05" \
    "event" \
    "\x0b:event-type\x07\x00\x09" \
    "codeEvent" \
    "\x0d:content-type\x07\x00\x10" \
    "application/json"

static void add_u32(struct buf *out, size_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_add_char(out, (char)(value >> shift & 0xff));
    }
}

/* Append a frame with any lengths and any header block, and checksums that are right. */
static void add_frame(struct buf *out, size_t total, size_t headers_len, struct aq_bytes headers,
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

/* Append a frame with these header bytes and no payload. */
static void add_headers_frame(struct buf *out, struct aq_bytes headers)
{
    add_frame(out, 16 + headers.len, headers.len, headers, BYTES(""));
}

static struct eventstream_header text_header(const char *name, const char *value)
{
    return (struct eventstream_header){ .name = str_from(name),
                                        .type = EVENTSTREAM_STRING,
                                        .bytes = str_bytes(str_from(value)) };
}

static void add_event(struct buf *out, const char *type, struct aq_bytes payload)
{
    const struct eventstream_header headers[] = { text_header(":message-type", "event"),
                                                  text_header(":event-type", type),
                                                  text_header(":content-type", "text/plain") };
    assert_int_equal(eventstream_encode(headers, COUNT(headers), payload, out, NULL), AQ_OK);
}

/* A stream with everything that may be in one: all types, all kinds, sizes from nothing to 3 KiB.
 */
static void add_everything(struct buf *out)
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

/* Decode a stream that comes in chunks: cuts holds where they end. Each chunk is moved to memory of
 * its own, so that a sanitizer sees reads beyond it and views that live too long. */
static aq_status decode(struct aq_bytes stream, const size_t *cuts, size_t count, struct buf *out,
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

/* Decode a stream that is expected to break, with this status and a text that says this. */
static void assert_broken(struct aq_bytes stream, aq_status status, const char *says)
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

/* The same for one frame with these headers. */
static void assert_headers_broken(struct aq_bytes headers, aq_status status, const char *says)
{
    AUTO(buf) struct buf stream = BUF(0);
    add_headers_frame(&stream, headers);
    assert_broken(buf_bytes(&stream), status, says);
}

/* Linked in place of calloc, where all memory of a decoder comes from: counts, and fails once after
 * so many successes. */
static int allocations_left = -1;
static int allocations;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return allocations_left >= 0 && allocations_left-- == 0 ? NULL : __real_calloc(count, size);
}

/* docs/protocol.md 5, first vector: no headers, payload {'foo':'bar'}. */
static const uint8_t vector_plain[] = {
    0x00, 0x00, 0x00, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x52, 0x8c, 0x5a, 0x7b, 0x27, 0x66,
    0x6f, 0x6f, 0x27, 0x3a, 0x27, 0x62, 0x61, 0x72, 0x27, 0x7d, 0xc3, 0x65, 0x39, 0x36,
};

static void the_published_vectors_are_encoded_byte_for_byte(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    assert_int_equal(eventstream_encode(NULL, 0, BYTES("{'foo':'bar'}"), &out, NULL), AQ_OK);
    assert_int_equal(out.len, sizeof(vector_plain));
    assert_memory_equal(out.ptr, vector_plain, sizeof(vector_plain));

    buf_clear(&out);
    struct eventstream_header header = text_header("content-type", "application/json");
    assert_int_equal(eventstream_encode(&header, 1, BYTES("{'foo':'bar'}"), &out, NULL), AQ_OK);
    assert_int_equal(out.len, 0x3d);
    assert_memory_equal(out.ptr, "\x00\x00\x00\x3d\x00\x00\x00\x20\x07\xfd\x83\x96", 12);
    assert_memory_equal(out.ptr + out.len - 4, "\x8d\x9c\x08\xb1", 4);
}

static void a_frame_without_a_message_type_is_refused_although_its_checksums_are_right(void **state)
{
    (void)state;
    assert_broken((struct aq_bytes){ vector_plain, sizeof(vector_plain) }, AQ_E_PROTOCOL,
                  "message at byte 0 has no :message-type");
}

static void an_event_tells_its_type_its_payload_and_where_it_was(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    add_event(&stream, "codeEvent", BYTES("one"));
    size_t first_len = stream.len;
    add_event(&stream, "metadataEvent", BYTES("two"));

    assert_int_equal(eventstream_feed(&d, buf_bytes(&stream), NULL), AQ_OK);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_int_equal(m.kind, EVENTSTREAM_EVENT);
    assert_true(str_eq(m.event_type, AQ_STR("codeEvent")));
    assert_true(str_eq(m.content_type, AQ_STR("text/plain")));
    assert_int_equal(m.exception_type.len, 0);
    assert_int_equal(m.header_count, 3);
    assert_int_equal(m.offset, 0);
    assert_int_equal(m.payload.len, 3);
    assert_memory_equal(m.payload.ptr, "one", 3);

    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_true(str_eq(m.event_type, AQ_STR("metadataEvent")));
    assert_int_equal(m.offset, first_len);
    assert_memory_equal(m.payload.ptr, "two", 3);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_AGAIN);
}

static void a_payload_inside_one_chunk_is_not_copied(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    add_event(&stream, "codeEvent", BYTES("payload"));
    eventstream_feed(&d, buf_bytes(&stream), NULL);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_ptr_equal(m.payload.ptr, stream.ptr + stream.len - 4 - m.payload.len);
    assert_int_equal(d.carry.cap, 0);
}

static void headers_like_those_before_are_told_apart_from_them(void **state)
{
    (void)state;
    static const char *const types[] = { "codeEvent", "codeEvent", "toolEvent", "codeEvent", "x" };
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    for (size_t i = 0; i < COUNT(types); i++) {
        add_event(&stream, types[i], BYTES("{}"));
    }
    eventstream_feed(&d, buf_bytes(&stream), NULL);
    for (size_t i = 0; i < COUNT(types); i++) {
        assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
        assert_true(str_eq(m.event_type, str_from(types[i])));
        assert_int_equal(m.header_count, 3);
    }
}

static void headers_that_begin_like_those_before_are_told_apart_from_them(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    add_headers_frame(&stream, BYTES(EVENT_HEADERS "\x04more\x00"));
    add_headers_frame(&stream, BYTES(EVENT_HEADERS));
    add_headers_frame(&stream, BYTES(EVENT_HEADERS "\x04more\x00"));
    eventstream_feed(&d, buf_bytes(&stream), NULL);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
        assert_int_equal(m.header_count, i == 1 ? 3 : 4);
    }
}

static void headers_of_any_length_can_be_repeated(void **state)
{
    (void)state;
    static uint8_t text[400];
    for (size_t len = 100; len <= sizeof(text); len++) {
        AUTO(buf) struct buf stream = BUF(0);
        AUTO(eventstream) struct eventstream_decoder d = { 0 };
        const struct eventstream_header headers[] = {
            text_header(":message-type", "error"),
            { AQ_STR_INIT("text"), EVENTSTREAM_STRING, 0, { text, len } },
        };
        struct eventstream_message m;
        for (int i = 0; i < 3; i++) {
            text[len - 1] = i == 2; /* twice the same, then the last byte is another */
            eventstream_encode(headers, 2, BYTES(""), &stream, NULL);
        }
        text[len - 1] = 0;
        eventstream_feed(&d, buf_bytes(&stream), NULL);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
            assert_int_equal(m.headers.ptr[m.headers.len - 1], i == 2);
        }
    }
}

static void exceptions_and_errors_are_told_apart(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    add_headers_frame(&stream, BYTES("\x0d:message-type\x07\x00\x09"
                                     "exception"
                                     "\x0f:exception-type\x07\x00\x05"
                                     "error"));
    add_headers_frame(&stream, BYTES("\x0d:message-type\x07\x00\x05"
                                     "error"
                                     "\x0b:error-code\x07\x00\x03"
                                     "418"
                                     "\x0e:error-message\x07\x00\x06"
                                     "teapot"));
    eventstream_feed(&d, buf_bytes(&stream), NULL);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_int_equal(m.kind, EVENTSTREAM_EXCEPTION);
    assert_true(str_eq(m.exception_type, AQ_STR("error")));

    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_int_equal(m.kind, EVENTSTREAM_ERROR);
    assert_true(str_eq(m.error_code, AQ_STR("418")));
    assert_true(str_eq(m.error_message, AQ_STR("teapot")));
}

static void a_message_needs_the_header_that_goes_with_its_type(void **state)
{
    (void)state;
    assert_headers_broken(BYTES("\x0d:message-type\x07\x00\x05"
                                "event"),
                          AQ_E_PROTOCOL, "no :event-type");
    assert_headers_broken(BYTES("\x0d:message-type\x07\x00\x09"
                                "exception"),
                          AQ_E_PROTOCOL, "no :exception-type");
    assert_headers_broken(BYTES("\x0d:message-type\x07\x00\x05"
                                "tweet"),
                          AQ_E_PROTOCOL, "unknown :message-type");
    assert_headers_broken(BYTES("\x0d:message-type\x06\x00\x05"
                                "event"),
                          AQ_E_PROTOCOL, "must be a string");
    assert_headers_broken(BYTES("\x0d:message-type\x07\x00\x09"
                                "exemption"),
                          AQ_E_PROTOCOL, "unknown :message-type");
    assert_headers_broken(BYTES("\x0d:message-type\x07\x00\x06"
                                "events"),
                          AQ_E_PROTOCOL, "unknown :message-type");
    assert_headers_broken(BYTES("\x0b:event-type\x00"), AQ_E_PROTOCOL, "must be a string");
}

static void names_as_long_as_those_with_a_meaning_have_none(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    add_headers_frame(&stream, BYTES(EVENT_HEADERS "\x0d:message-time\x00"
                                                   "\x0b:event-time\x00"
                                                   "\x0f:exception-time\x00"
                                                   "\x0d:content-time\x00"
                                                   "\x0b:error-time\x00"
                                                   "\x0e:error-severe!\x00"));
    eventstream_feed(&d, buf_bytes(&stream), NULL);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_int_equal(m.header_count, 9);
    assert_true(str_eq(m.event_type, AQ_STR("codeEvent")));
    assert_true(str_eq(m.content_type, AQ_STR("application/json")));
    assert_null(m.exception_type.ptr);
    assert_null(m.error_code.ptr);
    assert_null(m.error_message.ptr);
}

static void stepping_through_headers_ends_at_the_first_that_is_malformed(void **state)
{
    (void)state;
    struct aq_bytes rest = BYTES("\x01"
                                 "a\x00\x01"
                                 "b\xff\x01"
                                 "c\x00");
    struct eventstream_header h;
    assert_true(eventstream_header_next(&rest, &h));
    assert_true(str_eq(h.name, AQ_STR("a")));
    assert_false(eventstream_header_next(&rest, &h));
    assert_int_equal(rest.len, 6);
}

static void every_header_type_is_read_with_its_value(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    static const struct {
        enum eventstream_type type;
        int64_t number;
        const char *bytes;
        size_t len;
    } expected[] = {
        { EVENTSTREAM_TRUE, 1, "", 0 },
        { EVENTSTREAM_FALSE, 0, "", 0 },
        { EVENTSTREAM_BYTE, -2, "", 0 },
        { EVENTSTREAM_SHORT, -2, "", 0 },
        { EVENTSTREAM_INTEGER, -2, "", 0 },
        { EVENTSTREAM_LONG, -2, "", 0 },
        { EVENTSTREAM_BYTES, 0, "\x00\x01\xff", 3 },
        { EVENTSTREAM_STRING, 0, "\xc3\xa4", 2 },
        { EVENTSTREAM_TIMESTAMP, 1700000000123, "", 0 },
        { EVENTSTREAM_UUID, 0, "0123456789abcdef", 16 },
    };
    add_headers_frame(&stream, BYTES("\x01"
                                     "a\x00"
                                     "\x01"
                                     "b\x01"
                                     "\x01"
                                     "c\x02\xfe"
                                     "\x01"
                                     "d\x03\xff\xfe"
                                     "\x01"
                                     "e\x04\xff\xff\xff\xfe"
                                     "\x01"
                                     "f\x05\xff\xff\xff\xff\xff\xff\xff\xfe"
                                     "\x01"
                                     "g\x06\x00\x03\x00\x01\xff"
                                     "\x01"
                                     "h\x07\x00\x02\xc3\xa4"
                                     "\x01"
                                     "i\x08\x00\x00\x01\x8b\xcf\xe5\x68\x7b" /* 1700000000123 ms */
                                     "\x01"
                                     "j\x09"
                                     "0123456789abcdef" EVENT_HEADERS));
    eventstream_feed(&d, buf_bytes(&stream), NULL);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_int_equal(m.header_count, 13);

    struct aq_bytes rest = m.headers;
    for (size_t i = 0; i < COUNT(expected); i++) {
        struct eventstream_header h;
        assert_true(eventstream_header_next(&rest, &h));
        assert_int_equal(h.name.ptr[0], 'a' + (int)i);
        assert_int_equal(h.type, expected[i].type);
        assert_true(h.number == expected[i].number);
        assert_int_equal(h.bytes.len, expected[i].len);
        assert_true(!h.bytes.len || !memcmp(h.bytes.ptr, expected[i].bytes, h.bytes.len));
    }
}

static void malformed_headers_are_refused_with_their_offset(void **state)
{
    (void)state;
    const struct {
        struct aq_bytes headers;
        const char *says;
    } cases[] = {
        { BYTES("\x00"), "header at byte 12 has an empty name" },
        { BYTES("\x01"), "does not fit" },                  /* no name */
        { BYTES("\x01x"), "does not fit" },                 /* no type */
        { BYTES("\x05x\x00"), "does not fit" },             /* a name of 5, 2 are there */
        { BYTES("\x01x\x0a"), "unknown type" },             /* one after the last */
        { BYTES("\x01x\xff"), "unknown type" },             /* not a signed one either */
        { BYTES("\x01x\x02"), "does not fit" },             /* no byte */
        { BYTES("\x01x\x03\x00"), "does not fit" },         /* half a short */
        { BYTES("\x01x\x04\x00\x00\x00"), "does not fit" }, /* three quarters of an integer */
        { BYTES("\x01x\x05\x00"), "does not fit" },         /* an eighth of a long */
        { BYTES("\x01x\x06\x00"), "does not fit" },         /* half a length */
        { BYTES("\x01x\x06\x00\x01"), "does not fit" },     /* no byte array */
        { BYTES("\x01x\x07\xff\xff"
                "x"),
          "does not fit" },                         /* a text of 65535, 1 is there */
        { BYTES("\x01x\x08\x00"), "does not fit" }, /* an eighth of a timestamp */
        { BYTES("\x01x\x09"
                "0123456789abcde"),
          "does not fit" }, /* fifteen sixteenths of a uuid */
        { BYTES("\x01x\x00\x01x\x01"), "header at byte 15 has a name that was there before" },
        { BYTES("\x01\xff\x00"), "name that is not UTF-8" },
        { BYTES("\x01x\x07\x00\x01\xff"), "text that is not UTF-8" },
        { BYTES("\x0b:event-type\x07\x00\x01\xff"), "text that is not UTF-8" },
        { BYTES("\x0b:event-type\x07\x00\x01x\x0b:event-type\x07\x00\x01x"),
          "header at byte 28 has a name that was there before" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_headers_broken(cases[i].headers, AQ_E_PROTOCOL, cases[i].says);
    }
}

static void a_header_must_not_reach_into_the_payload(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    add_frame(&stream, 16 + 5 + 3, 5, BYTES("\x01x\x07\x00\x01"), BYTES("abc"));
    assert_broken(buf_bytes(&stream), AQ_E_PROTOCOL, "does not fit into the headers length");
}

static void a_duplicate_is_found_among_many_names(void **state)
{
    (void)state;
    AUTO(buf) struct buf headers = BUF(0);
    buf_add_bytes(&headers, BYTES(EVENT_HEADERS));
    for (int i = 0; i < 500; i++) {
        buf_printf(&headers, "\x06name%02x%c", i & 0xff, EVENTSTREAM_TRUE);
        if (i == 255) { /* all different so far */
            AUTO(buf) struct buf stream = BUF(0);
            AUTO(buf) struct buf out = BUF(0);
            add_headers_frame(&stream, buf_bytes(&headers));
            assert_int_equal(decode(buf_bytes(&stream), NULL, 0, &out, NULL), AQ_END);
        }
    }
    assert_headers_broken(buf_bytes(&headers), AQ_E_PROTOCOL, "was there before");
}

static void as_many_headers_as_the_limit_are_accepted_and_one_more_is_not(void **state)
{
    (void)state;
    AUTO(buf) struct buf headers = BUF(0);
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(buf) struct buf out = BUF(0);
    char says[64];
    buf_add_bytes(&headers, BYTES(EVENT_HEADERS));
    for (int i = 3; i < EVENTSTREAM_HEADER_COUNT_MAX; i++) {
        buf_printf(&headers, "\x04%04x%c", i, EVENTSTREAM_FALSE);
    }
    add_headers_frame(&stream, buf_bytes(&headers));
    assert_int_equal(decode(buf_bytes(&stream), NULL, 0, &out, NULL), AQ_END);

    snprintf(says, sizeof(says), "header at byte %zu is one too many", 12 + headers.len);
    buf_printf(&headers, "\x04more%c", EVENTSTREAM_FALSE);
    assert_headers_broken(buf_bytes(&headers), AQ_E_LIMIT, says);
}

/* Headers of len bytes: those of an event, and texts of zeros. */
static void add_long_headers(struct buf *out, size_t len)
{
    size_t end = out->len + len;
    static const uint8_t zeros[60000];
    buf_add_bytes(out, BYTES(EVENT_HEADERS));
    for (int i = 0; out->len < end; i++) {
        size_t text = end - out->len - 5;
        text = text > sizeof(zeros) ? sizeof(zeros) : text;
        buf_add_char(out, 1);
        buf_add_char(out, (char)('a' + i));
        buf_add_char(out, EVENTSTREAM_STRING);
        buf_add_char(out, (char)(text >> 8 & 0xff));
        buf_add_char(out, (char)(text & 0xff));
        buf_add_bytes(out, (struct aq_bytes){ zeros, text });
    }
    assert_int_equal(out->len, end);
}

static void headers_may_be_128_kib_and_no_more(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        AUTO(buf) struct buf headers = BUF(0);
        AUTO(buf) struct buf stream = BUF(0);
        AUTO(buf) struct buf out = BUF(0);
        add_long_headers(&headers, EVENTSTREAM_HEADERS_MAX + more);
        add_headers_frame(&stream, buf_bytes(&headers));
        aq_status st = decode(buf_bytes(&stream), NULL, 0, &out, NULL);
        assert_int_equal(st, more ? AQ_E_LIMIT : AQ_END);
    }
}

static void length_lies_are_refused_as_soon_as_the_prelude_is_there(void **state)
{
    (void)state;
    static const struct {
        size_t total, headers_len;
        aq_status status;
        const char *says;
    } cases[] = {
        { 0, 0, AQ_E_PROTOCOL, "total length at byte 0 is smaller than 16" },
        { 15, 0, AQ_E_PROTOCOL, "total length at byte 0 is smaller than 16" },
        { 16, 1, AQ_E_PROTOCOL, "headers length at byte 4 does not fit" },
        { 100, 85, AQ_E_PROTOCOL, "headers length at byte 4 does not fit" },
        { 100, 0xffffffff, AQ_E_PROTOCOL, "headers length at byte 4 does not fit" },
        { EVENTSTREAM_FRAME_MAX + 1, 0, AQ_E_LIMIT, "total length at byte 0 is larger" },
        { 25 << 20, 0, AQ_E_LIMIT, "total length at byte 0 is larger" },
        { 0xffffffff, 0, AQ_E_LIMIT, "total length at byte 0 is larger" },
        { 1 << 20, EVENTSTREAM_HEADERS_MAX + 1, AQ_E_LIMIT, "headers length at byte 4 is larger" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf) struct buf stream = BUF(0);
        add_frame(&stream, cases[i].total, cases[i].headers_len, BYTES(""), BYTES(""));
        assert_broken((struct aq_bytes){ stream.ptr, 12 }, cases[i].status, cases[i].says);
    }
}

static void a_flipped_bit_anywhere_is_found(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    char message_says[64];
    add_event(&stream, "codeEvent", BYTES("{\"content\":\"x\"}"));
    snprintf(message_says, sizeof(message_says), "message checksum at byte %zu does not match",
             stream.len - 4);
    for (size_t bit = 0; bit < stream.len * 8; bit++) {
        stream.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_broken(buf_bytes(&stream), AQ_E_PROTOCOL,
                      bit < 12 * 8 ? "prelude checksum at byte 8 does not match" : message_says);
        stream.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_stream_split_at_every_byte_gives_the_same_events(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(buf) struct buf whole = BUF(0);
    add_everything(&stream);
    assert_int_equal(decode(buf_bytes(&stream), NULL, 0, &whole, NULL), AQ_END);

    for (size_t cut = 0; cut <= stream.len; cut++) {
        AUTO(buf) struct buf parts = BUF(0);
        assert_int_equal(decode(buf_bytes(&stream), &cut, 1, &parts, NULL), AQ_END);
        assert_true(str_eq(buf_str(&parts), buf_str(&whole)));
    }
}

static void a_stream_in_chunks_of_any_size_gives_the_same_events(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(buf) struct buf whole = BUF(0);
    add_everything(&stream);
    assert_int_equal(decode(buf_bytes(&stream), NULL, 0, &whole, NULL), AQ_END);

    for (size_t size = 1; size < 200; size++) {
        AUTO(buf) struct buf parts = BUF(0);
        size_t count = (stream.len - 1) / size;
        size_t *cuts = calloc(count + 1, sizeof(*cuts));
        for (size_t i = 0; i < count; i++) {
            cuts[i] = (i + 1) * size;
        }
        assert_int_equal(decode(buf_bytes(&stream), cuts, count, &parts, NULL), AQ_END);
        assert_true(str_eq(buf_str(&parts), buf_str(&whole)));
        free(cuts);
    }
}

/* Decode a stream of any content; what came of it is in out, with how it ended. */
static void decode_any(struct aq_bytes stream, const size_t *cuts, size_t count, struct buf *out)
{
    struct aq_error err = { 0 };
    aq_status st = decode(stream, cuts, count, out, &err);
    buf_printf(out, "%d %s", st, st == AQ_END ? "" : err.text);
}

/* A small generator, so that the test is the same on every machine. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Cut a stream in two at every byte, and in many at random. */
static void assert_same_however_split(struct aq_bytes stream)
{
    enum { ROUNDS = 50, CUTS_MAX = 100 };
    AUTO(buf) struct buf whole = BUF(0);
    uint32_t seed = 20240131;
    decode_any(stream, NULL, 0, &whole);
    for (size_t cut = 0; cut <= stream.len; cut++) {
        AUTO(buf) struct buf parts = BUF(0);
        decode_any(stream, &cut, 1, &parts);
        assert_true(str_eq(buf_str(&parts), buf_str(&whole)));
    }
    for (int round = 0; round < ROUNDS; round++) {
        AUTO(buf) struct buf parts = BUF(0);
        size_t cuts[CUTS_MAX];
        size_t count = 0;
        size_t at = 0;
        size_t step_max = 1 + next_random(&seed) % (stream.len + 1);
        while (count < CUTS_MAX && (at += next_random(&seed) % (step_max + 1)) <= stream.len) {
            cuts[count++] = at;
        }
        decode_any(stream, cuts, count, &parts);
        assert_true(str_eq(buf_str(&parts), buf_str(&whole)));
    }
}

/* The fuzzer's corpus; the first byte of a file is not of the stream (tests/fuzz/frame_fuzzer.c).
 */
static void every_stream_of_the_corpus_split_anywhere_gives_the_same_events(void **state)
{
    (void)state;
    static uint8_t bytes[64 * 1024];
    DIR *folder = opendir(AQ_TEST_CORPUS);
    const struct dirent *entry;
    int streams = 0;
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", AQ_TEST_CORPUS, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (file) {
            size_t len = fread(bytes, 1, sizeof(bytes), file);
            assert_true(feof(file));
            fclose(file);
            assert_same_however_split((struct aq_bytes){ bytes + 1, len ? len - 1 : 0 });
            streams++;
        }
    }
    closedir(folder);
    assert_true(streams > 0);
}

static void a_stream_cut_anywhere_but_between_frames_is_truncated(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    add_event(&stream, "codeEvent", BYTES("{}"));
    size_t boundary = stream.len;
    add_event(&stream, "metadataEvent", BYTES("{}"));

    for (size_t len = 0; len <= stream.len; len++) {
        AUTO(buf) struct buf out = BUF(0);
        struct aq_error err;
        bool whole = len == 0 || len == boundary || len == stream.len;
        aq_status st = decode((struct aq_bytes){ stream.ptr, len }, NULL, 0, &out, &err);
        assert_int_equal(st, whole ? AQ_END : AQ_E_TRUNCATED);
        if (!whole) {
            char says[96];
            snprintf(says, sizeof(says), "stream at byte %zu ends inside a message, try again",
                     len);
            assert_non_null(strstr(err.text, says));
        }
    }
}

static void a_promised_length_allocates_nothing_before_the_bytes_come(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    add_frame(&stream, EVENTSTREAM_FRAME_MAX, 0, BYTES(""), BYTES("12345678"));
    eventstream_feed(&d, (struct aq_bytes){ stream.ptr, 20 }, NULL);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_AGAIN);
    assert_int_equal(d.carry.len, 20);
    assert_true(d.carry.cap < 1024);
}

static void a_frame_of_16_mib_is_read_and_its_memory_given_back(void **state)
{
    (void)state;
    enum { CHUNK = 1000000 };
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    const struct aq_bytes headers = BYTES(EVENT_HEADERS);
    size_t payload_len = EVENTSTREAM_FRAME_MAX - 16 - headers.len;
    uint8_t *payload = calloc(payload_len, 1);
    add_frame(&stream, EVENTSTREAM_FRAME_MAX, headers.len, headers,
              (struct aq_bytes){ payload, payload_len });
    free(payload);

    size_t at = 0;
    aq_status st = AQ_AGAIN;
    while (st == AQ_AGAIN && at < stream.len) {
        size_t len = stream.len - at < CHUNK ? stream.len - at : CHUNK;
        eventstream_feed(&d, (struct aq_bytes){ stream.ptr + at, len }, NULL);
        st = eventstream_next(&d, &m, NULL);
        at += len;
        assert_true(d.carry.cap <= 4 * at);
    }
    assert_int_equal(st, AQ_OK);
    assert_int_equal(m.payload.len, payload_len);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_AGAIN);
    assert_int_equal(d.carry.cap, 0);
}

static void a_warm_decoder_allocates_nothing_wherever_a_frame_is_split(void **state)
{
    (void)state;
    static const uint8_t payload[1000];
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    for (size_t len = sizeof(payload); len > 0;
         len--) { /* warm after the first, which is largest */
        AUTO(buf) struct buf stream = BUF(0);
        add_event(&stream, len % 2 ? "codeEvent" : "toolUseEvent",
                  (struct aq_bytes){ payload, len });
        size_t cut = 1 + len * 7 % (stream.len - 1);
        int before = allocations;
        eventstream_feed(&d, (struct aq_bytes){ stream.ptr, cut }, NULL);
        assert_int_equal(eventstream_next(&d, &m, NULL), AQ_AGAIN);
        eventstream_feed(&d, (struct aq_bytes){ stream.ptr + cut, stream.len - cut }, NULL);
        assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
        assert_int_equal(eventstream_next(&d, &m, NULL), AQ_AGAIN);
        assert_true(len == sizeof(payload) ? allocations > before : allocations == before);
    }
}

static void a_decoder_holds_its_frame_and_at_most_64_kib_more(void **state)
{
    (void)state;
    for (size_t len = 1000; len < EVENTSTREAM_FRAME_MAX / 4; len = len * 3 + 1) {
        AUTO(buf) struct buf stream = BUF(0);
        AUTO(eventstream) struct eventstream_decoder d = { 0 };
        struct eventstream_message m;
        uint8_t *payload = calloc(len, 1);
        add_event(&stream, "codeEvent", (struct aq_bytes){ payload, len });
        free(payload);
        for (size_t at = 0; at < stream.len; at += len / 100) {
            size_t left = stream.len - at;
            size_t part = left < len / 100 ? left : len / 100;
            eventstream_feed(&d, (struct aq_bytes){ stream.ptr + at, part }, NULL);
            aq_status st = eventstream_next(&d, &m, NULL);
            assert_int_equal(st, part == left ? AQ_OK : AQ_AGAIN);
            assert_true(d.carry.cap <= stream.len + 64 * 1024);
        }
    }
}

static void without_memory_the_stream_ends_in_an_error_wherever_it_runs_out(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    struct eventstream_message m;
    static const uint8_t large[100 * 1024];
    add_everything(&stream);
    add_event(&stream, "codeEvent", (struct aq_bytes){ large, sizeof(large) });
    aq_status st = AQ_E_NOMEM;
    int runs = 0;
    for (; st == AQ_E_NOMEM; runs++) {
        AUTO(eventstream) struct eventstream_decoder d = { 0 };
        struct aq_error err = { 0 };
        st = AQ_AGAIN;
        allocations_left = runs;
        for (size_t at = 0; st == AQ_AGAIN && at < stream.len; at++) {
            eventstream_feed(&d, (struct aq_bytes){ stream.ptr + at, 1 }, NULL);
            while ((st = eventstream_next(&d, &m, &err)) == AQ_OK) {
            }
        }
        allocations_left = -1;
        assert_true(st == AQ_AGAIN || strcmp(err.text, "event stream: out of memory") == 0);
    }
    assert_int_equal(st, AQ_AGAIN);
    assert_true(runs > 6); /* it did run out, in several places */
}

static void an_error_is_final_and_always_the_same(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    struct aq_error first, again;
    add_headers_frame(&stream, BYTES(""));
    add_event(&stream, "codeEvent", BYTES("{}"));
    eventstream_feed(&d, buf_bytes(&stream), NULL);
    assert_int_equal(eventstream_next(&d, &m, &first), AQ_E_PROTOCOL);
    assert_int_equal(eventstream_next(&d, &m, &again), AQ_E_PROTOCOL);
    assert_string_equal(first.text, again.text);
    assert_int_equal(eventstream_feed(&d, buf_bytes(&stream), NULL), AQ_E_STATE);
    eventstream_finish(&d);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_E_PROTOCOL);
}

static void a_chunk_is_accepted_only_when_the_last_one_is_used_up(void **state)
{
    (void)state;
    AUTO(buf) struct buf stream = BUF(0);
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    add_event(&stream, "codeEvent", BYTES("{}"));
    assert_int_equal(eventstream_feed(&d, buf_bytes(&stream), NULL), AQ_OK);
    assert_int_equal(eventstream_feed(&d, buf_bytes(&stream), NULL), AQ_E_STATE);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_AGAIN);
    assert_int_equal(eventstream_feed(&d, BYTES(""), NULL), AQ_OK);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_AGAIN);
    eventstream_finish(&d);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_END);
    assert_int_equal(eventstream_next(&d, &m, NULL), AQ_END);
    assert_int_equal(eventstream_feed(&d, BYTES("x"), NULL), AQ_E_STATE);
}

static void headers_that_cannot_be_sent_are_not_encoded(void **state)
{
    (void)state;
    static char long_name[257];
    static uint8_t long_value[65536];
    memset(long_name, 'n', sizeof(long_name) - 1);
    const struct eventstream_header cases[] = {
        { { NULL, 0 }, EVENTSTREAM_TRUE, 1, { NULL, 0 } },
        { { long_name, 256 }, EVENTSTREAM_TRUE, 1, { NULL, 0 } },
        { AQ_STR_INIT("\xff"), EVENTSTREAM_TRUE, 1, { NULL, 0 } },
        { AQ_STR_INIT("x"), (enum eventstream_type)10, 0, { NULL, 0 } },
        { AQ_STR_INIT("x"), EVENTSTREAM_BYTE, 128, { NULL, 0 } },
        { AQ_STR_INIT("x"), EVENTSTREAM_BYTE, -129, { NULL, 0 } },
        { AQ_STR_INIT("x"), EVENTSTREAM_SHORT, 32768, { NULL, 0 } },
        { AQ_STR_INIT("x"), EVENTSTREAM_INTEGER, INT64_C(1) << 31, { NULL, 0 } },
        { AQ_STR_INIT("x"), EVENTSTREAM_BYTES, 0, { long_value, sizeof(long_value) } },
        { AQ_STR_INIT("x"), EVENTSTREAM_STRING, 0, BYTES("\xc0\x80") },
        { AQ_STR_INIT("x"), EVENTSTREAM_UUID, 0, BYTES("0123456789abcde") },
    };
    AUTO(buf) struct buf out = BUF(0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct aq_error err;
        assert_int_equal(eventstream_encode(&cases[i], 1, BYTES(""), &out, &err), AQ_E_INVALID);
        assert_non_null(strstr(err.text, "event stream: header 0 has "));
        assert_non_null(strstr(err.text, ", correct it"));
        assert_int_equal(out.len, 0);
    }
    const struct eventstream_header twice[] = { text_header("x", "1"), text_header("x", "2") };
    assert_int_equal(eventstream_encode(twice, 2, BYTES(""), &out, NULL), AQ_E_INVALID);
}

static void names_are_encoded_up_to_their_limit_in_length_and_number(void **state)
{
    (void)state;
    static char names[EVENTSTREAM_HEADER_COUNT_MAX + 1][8];
    static struct eventstream_header headers[EVENTSTREAM_HEADER_COUNT_MAX + 1];
    static char longest[EVENTSTREAM_NAME_MAX];
    AUTO(buf) struct buf out = BUF(0);
    for (size_t i = 0; i < COUNT(headers); i++) {
        snprintf(names[i], sizeof(names[i]), "%04x", (unsigned)i & 0xffff);
        headers[i] = (struct eventstream_header){ .name = str_from(names[i]) };
    }
    memset(longest, 'n', sizeof(longest));
    headers[0].name = (struct aq_str){ longest, sizeof(longest) };
    assert_int_equal(
        eventstream_encode(headers, EVENTSTREAM_HEADER_COUNT_MAX, BYTES(""), &out, NULL), AQ_OK);
    assert_int_equal(eventstream_encode(headers, COUNT(headers), BYTES(""), &out, NULL),
                     AQ_E_LIMIT);
}

static void headers_are_encoded_up_to_the_limit(void **state)
{
    (void)state;
    enum { PER_HEADER = 5 }; /* length of the name, a name of one byte, type, length of the value */
    static uint8_t value[EVENTSTREAM_VALUE_MAX];
    AUTO(buf) struct buf out = BUF(0);
    struct eventstream_header headers[] = {
        { AQ_STR_INIT("a"), EVENTSTREAM_BYTES, 0, { value, sizeof(value) } },
        { AQ_STR_INIT("b"), EVENTSTREAM_BYTES, 0, { value, sizeof(value) - 2 * PER_HEADER + 2 } },
    };
    assert_int_equal(eventstream_encode(headers, 2, BYTES(""), &out, NULL), AQ_OK);
    assert_int_equal(out.len, 16 + EVENTSTREAM_HEADERS_MAX);
    buf_clear(&out);
    headers[1].bytes.len++;
    assert_int_equal(eventstream_encode(headers, 2, BYTES(""), &out, NULL), AQ_E_LIMIT);
    assert_int_equal(out.len, 0);
}

static void frames_are_encoded_up_to_the_limit(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    AUTO(buf) struct buf small = BUF(10);
    const struct eventstream_header header = text_header("x", "y"); /* 6 bytes */
    struct aq_bytes payload = { NULL, EVENTSTREAM_FRAME_MAX - 16 - 6 };
    uint8_t *zeros = calloc(payload.len + 1, 1);
    payload.ptr = zeros;
    assert_int_equal(eventstream_encode(&header, 1, payload, &out, NULL), AQ_OK);
    assert_int_equal(out.len, EVENTSTREAM_FRAME_MAX);
    buf_clear(&out);
    payload.len++;
    assert_int_equal(eventstream_encode(&header, 1, payload, &out, NULL), AQ_E_LIMIT);
    assert_int_equal(out.len, 0);
    free(zeros);
    assert_int_equal(eventstream_encode(NULL, 0, BYTES(""), &small, NULL), AQ_E_LIMIT);
    assert_int_equal(small.len, 0);
}

static struct eventstream_header random_header(uint32_t *seed, char name[8], uint8_t *bytes)
{
    enum eventstream_type type = (enum eventstream_type)(next_random(seed) % 10);
    uint64_t number = (uint64_t)next_random(seed) << 32 | next_random(seed);
    size_t len = type == EVENTSTREAM_UUID                                  ? 16
                 : type == EVENTSTREAM_BYTES || type == EVENTSTREAM_STRING ? number % 300
                                                                           : 0;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(next_random(seed) & (type == EVENTSTREAM_STRING ? 0x7f : 0xff));
    }
    int64_t value = type == EVENTSTREAM_TRUE        ? 1
                    : type == EVENTSTREAM_BYTE      ? (int8_t)number
                    : type == EVENTSTREAM_SHORT     ? (int16_t)number
                    : type == EVENTSTREAM_INTEGER   ? (int32_t)number
                    : type == EVENTSTREAM_LONG      ? (int64_t)number
                    : type == EVENTSTREAM_TIMESTAMP ? (int64_t)number
                                                    : 0;
    return (struct eventstream_header){ str_from(name), type, value, { bytes, len } };
}

static void assert_same_header(const struct eventstream_header *a,
                               const struct eventstream_header *b)
{
    assert_true(str_eq(a->name, b->name));
    assert_int_equal(a->type, b->type);
    assert_true(a->number == b->number);
    assert_true(str_eq(str_of_bytes(a->bytes), str_of_bytes(b->bytes)));
}

static void what_was_encoded_is_decoded_to_the_same_headers_and_payload(void **state)
{
    (void)state;
    enum { HEADERS = 20 };
    uint32_t seed = 20240131;
    static char names[HEADERS][8];
    static uint8_t bytes[HEADERS][300];
    static uint8_t payload[5000];
    for (int round = 0; round < 500; round++) {
        AUTO(buf) struct buf stream = BUF(0);
        AUTO(eventstream) struct eventstream_decoder d = { 0 };
        struct eventstream_message m;
        struct eventstream_header headers[HEADERS] = { text_header(":message-type", "error") };
        size_t count = 1 + next_random(&seed) % (HEADERS - 1);
        for (size_t i = 1; i < count; i++) {
            snprintf(names[i], sizeof(names[i]), "%x%02x", next_random(&seed) & 0xfff,
                     (unsigned)i & 0xff);
            headers[i] = random_header(&seed, names[i], bytes[i]);
        }
        size_t payload_len = next_random(&seed) % sizeof(payload);
        for (size_t i = 0; i < payload_len; i++) {
            payload[i] = (uint8_t)next_random(&seed);
        }
        assert_int_equal(eventstream_encode(headers, count,
                                            (struct aq_bytes){ payload, payload_len }, &stream,
                                            NULL),
                         AQ_OK);

        eventstream_feed(&d, buf_bytes(&stream), NULL);
        assert_int_equal(eventstream_next(&d, &m, NULL), AQ_OK);
        assert_int_equal(m.header_count, count);
        struct aq_bytes rest = m.headers;
        for (size_t i = 0; i < count; i++) {
            struct eventstream_header h;
            assert_true(eventstream_header_next(&rest, &h));
            assert_same_header(&h, &headers[i]);
        }
        assert_int_equal(rest.len, 0);
        assert_int_equal(m.payload.len, payload_len);
        assert_memory_equal(m.payload.ptr, payload, payload_len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_are_encoded_byte_for_byte),
        cmocka_unit_test(
            a_frame_without_a_message_type_is_refused_although_its_checksums_are_right),
        cmocka_unit_test(an_event_tells_its_type_its_payload_and_where_it_was),
        cmocka_unit_test(a_payload_inside_one_chunk_is_not_copied),
        cmocka_unit_test(headers_like_those_before_are_told_apart_from_them),
        cmocka_unit_test(headers_that_begin_like_those_before_are_told_apart_from_them),
        cmocka_unit_test(headers_of_any_length_can_be_repeated),
        cmocka_unit_test(exceptions_and_errors_are_told_apart),
        cmocka_unit_test(a_message_needs_the_header_that_goes_with_its_type),
        cmocka_unit_test(names_as_long_as_those_with_a_meaning_have_none),
        cmocka_unit_test(stepping_through_headers_ends_at_the_first_that_is_malformed),
        cmocka_unit_test(every_header_type_is_read_with_its_value),
        cmocka_unit_test(malformed_headers_are_refused_with_their_offset),
        cmocka_unit_test(a_header_must_not_reach_into_the_payload),
        cmocka_unit_test(a_duplicate_is_found_among_many_names),
        cmocka_unit_test(as_many_headers_as_the_limit_are_accepted_and_one_more_is_not),
        cmocka_unit_test(headers_may_be_128_kib_and_no_more),
        cmocka_unit_test(length_lies_are_refused_as_soon_as_the_prelude_is_there),
        cmocka_unit_test(a_flipped_bit_anywhere_is_found),
        cmocka_unit_test(a_stream_split_at_every_byte_gives_the_same_events),
        cmocka_unit_test(a_stream_in_chunks_of_any_size_gives_the_same_events),
        cmocka_unit_test(every_stream_of_the_corpus_split_anywhere_gives_the_same_events),
        cmocka_unit_test(a_stream_cut_anywhere_but_between_frames_is_truncated),
        cmocka_unit_test(a_promised_length_allocates_nothing_before_the_bytes_come),
        cmocka_unit_test(a_frame_of_16_mib_is_read_and_its_memory_given_back),
        cmocka_unit_test(a_warm_decoder_allocates_nothing_wherever_a_frame_is_split),
        cmocka_unit_test(a_decoder_holds_its_frame_and_at_most_64_kib_more),
        cmocka_unit_test(without_memory_the_stream_ends_in_an_error_wherever_it_runs_out),
        cmocka_unit_test(an_error_is_final_and_always_the_same),
        cmocka_unit_test(a_chunk_is_accepted_only_when_the_last_one_is_used_up),
        cmocka_unit_test(headers_that_cannot_be_sent_are_not_encoded),
        cmocka_unit_test(names_are_encoded_up_to_their_limit_in_length_and_number),
        cmocka_unit_test(headers_are_encoded_up_to_the_limit),
        cmocka_unit_test(frames_are_encoded_up_to_the_limit),
        cmocka_unit_test(what_was_encoded_is_decoded_to_the_same_headers_and_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
