/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of frames: what they say, however they are cut, and how they end. */
#include "wire/eventstream_support.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_are_encoded_byte_for_byte),
        cmocka_unit_test(
            a_frame_without_a_message_type_is_refused_although_its_checksums_are_right),
        cmocka_unit_test(an_event_tells_its_type_its_payload_and_where_it_was),
        cmocka_unit_test(a_payload_inside_one_chunk_is_not_copied),
        cmocka_unit_test(exceptions_and_errors_are_told_apart),
        cmocka_unit_test(a_message_needs_the_header_that_goes_with_its_type),
        cmocka_unit_test(length_lies_are_refused_as_soon_as_the_prelude_is_there),
        cmocka_unit_test(a_flipped_bit_anywhere_is_found),
        cmocka_unit_test(a_stream_split_at_every_byte_gives_the_same_events),
        cmocka_unit_test(a_stream_in_chunks_of_any_size_gives_the_same_events),
        cmocka_unit_test(every_stream_of_the_corpus_split_anywhere_gives_the_same_events),
        cmocka_unit_test(a_stream_cut_anywhere_but_between_frames_is_truncated),
        cmocka_unit_test(an_error_is_final_and_always_the_same),
        cmocka_unit_test(a_chunk_is_accepted_only_when_the_last_one_is_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
