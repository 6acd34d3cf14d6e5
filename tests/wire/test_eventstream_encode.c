/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as they are written. */
#include "wire/eventstream_support.h"

#include <stdio.h>

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
        cmocka_unit_test(headers_that_cannot_be_sent_are_not_encoded),
        cmocka_unit_test(names_are_encoded_up_to_their_limit_in_length_and_number),
        cmocka_unit_test(headers_are_encoded_up_to_the_limit),
        cmocka_unit_test(frames_are_encoded_up_to_the_limit),
        cmocka_unit_test(what_was_encoded_is_decoded_to_the_same_headers_and_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
