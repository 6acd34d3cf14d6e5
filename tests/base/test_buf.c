/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_content(const struct buf *b, const char *expected)
{
    assert_int_equal(buf_status(b), AQ_OK);
    assert_true(str_eq(buf_str(b), str_from(expected)));
    assert_int_equal(b->ptr[b->len], '\0');
}

static void what_is_appended_stands_in_order_and_ends_with_nul(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(100);
    buf_add(&b, AQ_STR("ab"));
    buf_add_char(&b, 'c');
    buf_add_bytes(&b, (struct aq_bytes){ (const uint8_t *)"de", 2 });
    buf_printf(&b, "%d-%s", 42, "x");
    assert_content(&b, "abcde42-x");
    assert_int_equal(buf_bytes(&b).len, 9);
}

static void an_empty_view_can_be_appended(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(100);
    buf_add(&b, (struct aq_str){ NULL, 0 });
    buf_printf(&b, "%s", "");
    assert_content(&b, "");
}

static void a_buffer_grows_as_far_as_needed(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(0);
    for (int i = 0; i < 10000; i++) {
        buf_add_char(&b, (char)('a' + i % 26));
    }
    assert_int_equal(b.len, 10000);
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(b.ptr[i], 'a' + (int)(i % 26));
    }
    assert_true(b.cap <= 2 * 10001);
}

static void the_limit_is_reached_but_not_passed(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(4);
    buf_add(&b, AQ_STR("abcd"));
    assert_content(&b, "abcd");
    buf_add_char(&b, 'e');
    assert_int_equal(buf_status(&b), AQ_E_LIMIT);
    assert_true(str_eq(buf_str(&b), AQ_STR("abcd")));
}

static void a_failed_buffer_stays_failed_until_cleared(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(4);
    buf_add(&b, AQ_STR("abcde"));
    buf_add(&b, AQ_STR("a"));
    buf_printf(&b, "%d", 1);
    assert_int_equal(buf_status(&b), AQ_E_LIMIT);
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    buf_add(&b, AQ_STR("abcd"));
    assert_content(&b, "abcd");
    buf_printf(&b, "%d", 12345);
    assert_int_equal(buf_status(&b), AQ_E_LIMIT);
    buf_done(&b);
    assert_int_equal(buf_status(&b), AQ_OK);
    assert_int_equal(b.max, 4);
}

static void a_size_that_overflows_is_over_the_limit(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(0);
    buf_add_char(&b, 'x');
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_status(&b), AQ_E_LIMIT);
}

static void clearing_wipes_and_keeps_the_memory(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(0);
    buf_add(&b, AQ_STR("secret"));
    uint8_t *memory = b.ptr;
    buf_clear(&b);
    assert_ptr_equal(b.ptr, memory);
    assert_int_equal(b.len, 0);
    assert_memory_equal(memory, "\0\0\0\0\0\0", 6);
}

static void dropping_moves_the_rest_and_wipes_behind_it(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(0);
    buf_add(&b, AQ_STR("abcdef"));
    buf_drop(&b, 0);
    assert_content(&b, "abcdef");
    buf_drop(&b, 2);
    assert_content(&b, "cdef");
    assert_memory_equal(b.ptr, "cdef\0\0", 6);
    buf_drop(&b, 100);
    assert_content(&b, "");
    assert_memory_equal(b.ptr, "\0\0\0\0\0\0", 6);
}

static void reserved_room_is_there_and_not_counted(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(0);
    assert_true(buf_reserve(&b, 5000));
    assert_int_equal(b.len, 0);
    uint8_t *memory = b.ptr;
    for (int i = 0; i < 5000; i++) {
        buf_add_char(&b, 'x');
    }
    assert_ptr_equal(b.ptr, memory);
}

static void texts_are_written_as_json_strings(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(0);
    buf_add_json(&b, AQ_STR("a\"b\\c/\n\t\x1f\x7f \xc3\xa4\xf0\x9f\x9a\x80"));
    assert_content(&b, "\"a\\\"b\\\\c/\\n\\u0009\\u001f\\u007f \xc3\xa4\xf0\x9f\x9a\x80\"");
    buf_clear(&b);
    buf_add_json(&b, (struct aq_str){ NULL, 0 });
    assert_content(&b, "\"\"");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF(0);
    buf_add_json(&b, AQ_STR("a\xff\xc3"));
    assert_content(&b, "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void every_byte_can_be_written_and_read_back(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        AUTO(buf) struct buf b = BUF(0);
        const char text[3] = { 'a', (char)c, 'z' };
        char decoded[16];
        buf_add(&b, AQ_STR("{\"k\":"));
        buf_add_json(&b, (struct aq_str){ text, 3 });
        buf_add(&b, AQ_STR("}"));
        struct json_member m;
        assert_true(json_find(buf_str(&b), AQ_STR("k"), &m));
        assert_int_equal(json_string_decode(&m, decoded), 3);
        assert_memory_equal(decoded, text, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_stands_in_order_and_ends_with_nul),
        cmocka_unit_test(an_empty_view_can_be_appended),
        cmocka_unit_test(a_buffer_grows_as_far_as_needed),
        cmocka_unit_test(the_limit_is_reached_but_not_passed),
        cmocka_unit_test(a_failed_buffer_stays_failed_until_cleared),
        cmocka_unit_test(a_size_that_overflows_is_over_the_limit),
        cmocka_unit_test(clearing_wipes_and_keeps_the_memory),
        cmocka_unit_test(dropping_moves_the_rest_and_wipes_behind_it),
        cmocka_unit_test(reserved_room_is_there_and_not_counted),
        cmocka_unit_test(texts_are_written_as_json_strings),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(every_byte_can_be_written_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
