/* SPDX-License-Identifier: Apache-2.0 */
/* What is in an item: read strictly, written so that it is read back byte for byte. */
#include "values.h"

#include "cmocka_all.h"

#include <string.h>

static struct aq_str str(const char *text)
{
    return (struct aq_str){ text, strlen(text) };
}

static struct aq_bytes bytes(const char *text)
{
    return (struct aq_bytes){ (const uint8_t *)text, strlen(text) };
}

static void assert_value(const struct values *v, const char *key, const char *expected)
{
    const struct value *value = values_find(v, str(key));
    assert_non_null(value);
    assert_int_equal(value_bytes(value).len, strlen(expected));
    assert_memory_equal(value_bytes(value).ptr, expected, strlen(expected));
}

static void assert_written(const struct values *v, const char *expected)
{
    struct secret_text text = { NULL, 0 };
    assert_true(values_write(v, &text));
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
    secret_text_done(&text);
}

static void values_are_read_with_their_escapes(void **state)
{
    (void)state;
    struct values v = { NULL };
    assert_int_equal(
        values_parse(str(" { \"a\\u003ab\" : \"{\\\"x\\\":\\\"\\\\n\\\"}\" ,\t\"c\":\"\","
                         "\"d\":\"\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\" }\r\n"),
                     &v),
        AQ_OK);
    assert_value(&v, "a:b", "{\"x\":\"\\n\"}");
    assert_value(&v, "c", "");
    assert_value(&v, "d", "/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80");
    assert_null(values_find(&v, str("a")));
    values_done(&v);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct values v = { NULL };
    struct values again = { NULL };
    struct secret_text text = { NULL, 0 };
    char every[0x80] = { 0 };
    for (int i = 1; i < 0x80; i++) {
        every[i - 1] = (char)i;
    }
    assert_true(values_put(&v, str("every"), bytes(every)));
    assert_true(values_put(&v, str("k\"\\"), bytes("\xe2\x82\xac")));
    assert_true(values_write(&v, &text));
    assert_int_equal(values_parse((struct aq_str){ text.ptr, text.len }, &again), AQ_OK);
    assert_value(&again, "every", every);
    assert_value(&again, "k\"\\", "\xe2\x82\xac");
    secret_text_done(&text);
    values_done(&again);
    values_done(&v);
}

static void a_value_keeps_its_place_when_it_is_replaced(void **state)
{
    (void)state;
    struct values v = { NULL };
    assert_int_equal(values_parse(str("{}"), &v), AQ_OK);
    assert_written(&v, "{}");
    assert_true(values_put(&v, str("a"), bytes("1")));
    assert_true(values_put(&v, str("b"), bytes("2")));
    assert_true(values_put(&v, str("a"), bytes("long enough to be elsewhere")));
    assert_written(&v, "{\"a\":\"long enough to be elsewhere\",\"b\":\"2\"}");
    values_remove(&v, str("a"));
    values_remove(&v, str("nothing"));
    assert_written(&v, "{\"b\":\"2\"}");
    values_done(&v);
}

static void anything_else_is_corrupt(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "x",
        "[]",
        "{",
        "{}x",
        "{\"a\"}",
        "{\"a\":1}",
        "{\"a\":\"1}",
        "{\"a\":\"\\",
        "{,}",
        "{\"a\":\"\",}",
        "{\"a\":{}}",
        "\"a\"",
        "{'a':'b'}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"1\",\"a\":\"2\"}",
        "{\"a\":\"1\",\"\\u0061\":\"2\"}",
        "{\"a\":\"1\" \"b\":\"2\"}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct values v = { NULL };
        assert_int_equal(values_parse(str(texts[i]), &v), AQ_E_CORRUPT);
        values_done(&v);
    }
}

static void every_beginning_of_a_text_is_corrupt(void **state)
{
    (void)state;
    static const char text[] = "{\"a\\n\":\"\\ud83d\\ude00\",\"b\":\"\\\\\"}";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        struct values v = { NULL };
        char *copy = malloc(len + 1); /* of its own, so that reading behind it is noticed */
        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_int_equal(values_parse((struct aq_str){ copy, len }, &v), AQ_E_CORRUPT);
        free(copy);
        values_done(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_with_their_escapes),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_value_keeps_its_place_when_it_is_replaced),
        cmocka_unit_test(anything_else_is_corrupt),
        cmocka_unit_test(every_beginning_of_a_text_is_corrupt),
    };
    return cmocka_run_group_tests_name("store-keyring values", tests, NULL, NULL);
}
