/* SPDX-License-Identifier: Apache-2.0 */
/* What a decoder holds, and what it does when there is no more. */
#include "base/alloc.h"
#include "wire/eventstream_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promised_length_allocates_nothing_before_the_bytes_come),
        cmocka_unit_test(a_frame_of_16_mib_is_read_and_its_memory_given_back),
        cmocka_unit_test(a_warm_decoder_allocates_nothing_wherever_a_frame_is_split),
        cmocka_unit_test(a_decoder_holds_its_frame_and_at_most_64_kib_more),
        cmocka_unit_test(without_memory_the_stream_ends_in_an_error_wherever_it_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
