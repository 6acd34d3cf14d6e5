/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of a message: read, refused, counted, repeated. */
#include "wire/eventstream_support.h"

#include <stdio.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_like_those_before_are_told_apart_from_them),
        cmocka_unit_test(headers_that_begin_like_those_before_are_told_apart_from_them),
        cmocka_unit_test(headers_of_any_length_can_be_repeated),
        cmocka_unit_test(names_as_long_as_those_with_a_meaning_have_none),
        cmocka_unit_test(stepping_through_headers_ends_at_the_first_that_is_malformed),
        cmocka_unit_test(every_header_type_is_read_with_its_value),
        cmocka_unit_test(malformed_headers_are_refused_with_their_offset),
        cmocka_unit_test(a_header_must_not_reach_into_the_payload),
        cmocka_unit_test(a_duplicate_is_found_among_many_names),
        cmocka_unit_test(as_many_headers_as_the_limit_are_accepted_and_one_more_is_not),
        cmocka_unit_test(headers_may_be_128_kib_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
