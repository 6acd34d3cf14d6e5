/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/alloc.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Valid? Asked of a copy that ends where its memory ends, so that a sanitizer sees a read too far.
 */
static bool valid(struct aq_str text)
{
    char *copy = malloc(text.len + !text.len);
    memcpy(copy, text.ptr, text.len);
    bool result = json_valid((struct aq_str){ copy, text.len });
    free(copy);
    return result;
}

static void well_formed_texts_are_accepted(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-12.50e+3",
        "1E-9",
        "0.0",
        "\"\"",
        "\"a b\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uD83D\\uDE80\"",
        "\"\x7f\"",                 /* DEL needs no escape */
        "\"\xc3\xa4\xe2\x82\xac\"", /* two and three bytes */
        "\"\xf0\x9f\x9a\x80\"",
        "\"\\ud800\"", /* a lone surrogate: accepted, decoded to U+FFFD */
        "[]",
        "{}",
        " \t\r\n[ \t\r\n] \t\r\n",
        "[1,[2,[],{}],{\"a\":[{\"b\":null}]}]",
        "{ \"a\" : 1 , \"a\" : 2 , \"\" : \"\" }",
        "123456789012345678901234567890",
        "1e999",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!valid(str_from(cases[i]))) {
            fail_msg("'%s' was refused", cases[i]);
        }
    }
}

static void malformed_texts_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "nul",
        "nulll",
        "Null",
        "True",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "0x10",
        "1 2",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u\"",
        "\"\\U0041\"",
        "'a'",
        "\"a\nb\"", /* control characters must be escaped */
        "\"\x1f\"",
        "\"longer than eight \t bytes\"",
        "\"\x80\"",             /* a tail byte */
        "\"\xc3\"",             /* cut */
        "\"\xc0\x80\"",         /* overlong */
        "\"\xe0\x80\x80\"",     /* overlong */
        "\"\xed\xa0\x80\"",     /* a surrogate */
        "\"\xf4\x90\x80\x80\"", /* above U+10FFFF */
        "\"\xff\"",
        "\xef\xbb\xbfnull", /* byte order mark */
        "\xc2\xa0null",     /* no-break space */
        "\vnull",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "[1,2]]",
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1]",
        "{\"a\":1}{}",
        "[1]/**/",
        "{\"a\":[1,{\"b\":}]}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (valid(str_from(cases[i]))) {
            fail_msg("'%s' was accepted", cases[i]);
        }
    }
}

static void a_nul_byte_is_malformed_wherever_it_is(void **state)
{
    (void)state;
    assert_false(valid(AQ_STR("\0")));
    assert_false(valid(AQ_STR("null\0")));
    assert_false(valid(AQ_STR("\"a\0b\"")));
    assert_false(valid(AQ_STR("\"a\\\0\"")));
    assert_false(valid(AQ_STR("[\0]")));
    assert_false(valid(AQ_STR("{\"a\"\0:1}")));
}

static void every_prefix_of_a_text_is_malformed(void **state)
{
    (void)state;
    const struct aq_str text = AQ_STR(
        "{\"k\\u00e9y\":[true,false,null,-1.5e3,{\"s\":\"\\ud83d\\ude80 \xf0\x9f\x9a\x80\"}]}");
    assert_true(valid(text));
    for (size_t len = 0; len < text.len; len++) {
        assert_false(valid((struct aq_str){ text.ptr, len }));
    }
}

static void every_ascii_byte_at_every_place_of_a_string_is_judged_alike(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        bool plain = c >= 0x20 && c != '"' && c != '\\';
        for (size_t at = 1; at < 19; at++) {
            char text[] = "\"0123456789ABCDEFGH\"";
            text[at] = (char)c;
            assert_int_equal(valid((struct aq_str){ text, 20 }), plain);
        }
    }
}

/* Nest so deep: "[[...]]", or objects and arrays in turn. */
static bool valid_nested(size_t depth, bool mixed)
{
    char text[1024];
    size_t len = 0;
    for (size_t i = 0; i < depth; i++) {
        const char *open = mixed && i % 2 ? "{\"a\":" : "[";
        memcpy(text + len, open, strlen(open));
        len += strlen(open);
    }
    text[len++] = '1';
    for (size_t i = depth; i-- > 0;) {
        text[len++] = mixed && i % 2 ? '}' : ']';
    }

    struct json_reader r = json_reader((struct aq_str){ text, len });
    bool by_reader = json_array(&r) && json_finish(&r);
    assert_int_equal(by_reader, valid((struct aq_str){ text, len }));
    return by_reader;
}

static void plain_text_ends_at_its_first_special_byte_whatever_follows(void **state)
{
    (void)state;
    char text[20];
    for (unsigned byte = 0; byte < 256; byte++) {
        bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        for (size_t at = 0; at < sizeof(text); at++) {
            memset(text, 'x', at);
            memset(text + at, (int)byte, sizeof(text) - at); /* it is what borrows, too */
            for (size_t from = 0; from <= at; from++) {
                assert_int_equal(json_plain_end((struct aq_str){ text, sizeof(text) }, from),
                                 plain ? sizeof(text) : at);
            }
        }
    }
}

static void nesting_is_accepted_up_to_64_levels(void **state)
{
    (void)state;
    assert_true(valid_nested(1, false));
    assert_true(valid_nested(JSON_DEPTH_MAX, false));
    assert_true(valid_nested(JSON_DEPTH_MAX, true));
    assert_false(valid_nested(JSON_DEPTH_MAX + 1, false));
    assert_false(valid_nested(JSON_DEPTH_MAX + 1, true));
}

static void an_object_hands_out_its_members_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        enum json_type type;
        bool escaped;
    } expected[] = {
        { "n", "null", JSON_NULL, false },
        { "t", "true", JSON_TRUE, false },
        { "f", "false", JSON_FALSE, false },
        { "i", "-1.5e3", JSON_NUMBER, false },
        { "s", "\"x\"", JSON_STRING, false },
        { "e", "\"\\n\"", JSON_STRING, true },
        { "a", "[1, {\"deep\\n\" : \"\\t\"}]", JSON_ARRAY, false },
        { "o", "{ }", JSON_OBJECT, false },
    };
    struct json_reader r = json_reader(
        AQ_STR(" {\"n\":null, \"t\" : true,\n\"f\":false,\"i\":-1.5e3 ,\"s\":\"x\",\"e\":\"\\n\","
               "\"a\":[1, {\"deep\\n\" : \"\\t\"}], \"o\":{ } } "));
    struct json_member m;
    assert_true(json_object(&r));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(json_next(&r, &m));
        assert_true(str_eq(m.key, str_from(expected[i].key)));
        assert_true(str_eq(m.value, str_from(expected[i].value)));
        assert_int_equal(m.type, expected[i].type);
        assert_int_equal(m.escaped, expected[i].escaped);
    }
    assert_false(json_next(&r, &m));
    assert_false(json_next(&r, &m));
    assert_true(json_finish(&r));
}

static void an_array_hands_out_its_elements_without_keys(void **state)
{
    (void)state;
    struct json_reader r = json_reader(AQ_STR("[1,\"two\",[3]]"));
    struct json_member m;
    assert_false(json_object(&r));
    assert_true(json_array(&r));
    assert_true(json_next(&r, &m));
    assert_int_equal(m.key.len, 0);
    assert_true(str_eq(m.value, AQ_STR("1")));
    assert_true(json_next(&r, &m));
    assert_true(str_eq(m.value, AQ_STR("\"two\"")));
    assert_true(json_next(&r, &m));
    assert_true(str_eq(m.value, AQ_STR("[3]")));
    assert_false(json_next(&r, &m));
    assert_true(json_finish(&r));
}

static void a_reader_that_stops_early_still_finds_what_is_wrong_later(void **state)
{
    (void)state;
    struct json_reader good = json_reader(AQ_STR("{\"a\":1,\"b\":2}"));
    struct json_reader bad = json_reader(AQ_STR("{\"a\":1,\"b\":2"));
    struct json_reader behind = json_reader(AQ_STR("{\"a\":1} x"));
    struct json_member m;
    assert_true(json_object(&good) && json_next(&good, &m));
    assert_true(json_finish(&good));
    assert_true(json_object(&bad) && json_next(&bad, &m));
    assert_false(json_finish(&bad));
    assert_true(json_object(&behind) && json_next(&behind, &m));
    assert_false(json_finish(&behind));
}

static void a_failure_names_the_problem_and_the_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
        size_t at;
    } cases[] = {
        { "{\"a\":1 \"b\":2}", "a comma or a closing bracket is missing", 7 },
        { "{\"a\" 1}", "a colon is missing", 5 },
        { "{\"a\":01}", "a number begins with 0", 6 },
        { "{\"a\":-}", "a digit is missing", 6 },
        { "{\"a\":}", "a value is missing", 5 },
        { "{\"a\":\"x\\q\"}", "an escape is unknown", 8 },
        { "{\"a\":\"x\ty\"}", "a control character is not escaped", 7 },
        { "{\"a\":\"x\xff\"}", "a string is not UTF-8", 7 },
        { "{\"a\":\"x", "a string has no end", 7 },
        { "{\"a\":1} {", "something follows the value", 8 },
        { "nothing", "an opening bracket is missing", 0 },
        { "", "an opening bracket is missing", 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_reader r = json_reader(str_from(cases[i].text));
        struct json_member m;
        json_object(&r);
        assert_false(json_finish(&r));
        assert_string_equal(r.problem, cases[i].problem);
        assert_int_equal(r.at, cases[i].at);
        assert_false(json_next(&r, &m));
    }
}

static void assert_decoded(const char *value, struct aq_str expected)
{
    char text[256];
    char decoded[256];
    struct json_member m;
    size_t len = 0;
    text[len++] = '[';
    memcpy(text + len, value, strlen(value));
    len += strlen(value);
    text[len++] = ']';
    struct json_reader r = json_reader((struct aq_str){ text, len });
    assert_true(json_array(&r) && json_next(&r, &m));

    size_t decoded_len = json_string_decode(&m, decoded);
    assert_true(decoded_len <= m.value.len);
    assert_true(str_eq((struct aq_str){ decoded, decoded_len }, expected));
}

static void strings_are_decoded(void **state)
{
    (void)state;
    assert_decoded("\"\"", AQ_STR(""));
    assert_decoded("\"plain\"", AQ_STR("plain"));
    assert_decoded("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", AQ_STR("\"\\/\b\f\n\r\t"));
    assert_decoded("\"a\\u0041\\u00e9\\u20ACz\"", AQ_STR("aA\xc3\xa9\xe2\x82\xacz"));
    assert_decoded("\"\\u0000\"", AQ_STR("\0"));
    assert_decoded("\"\\ud83d\\ude80\"", AQ_STR("\xf0\x9f\x9a\x80"));
    assert_decoded("\"\\ud800\\udc00\"", AQ_STR("\xf0\x90\x80\x80"));
    assert_decoded("\"\\uDBFF\\uDFFF\"", AQ_STR("\xf4\x8f\xbf\xbf"));
}

static void lone_surrogates_become_replacement_characters(void **state)
{
    (void)state;
    assert_decoded("\"\\ud800\"", AQ_STR("\xef\xbf\xbd"));
    assert_decoded("\"\\udc00\"", AQ_STR("\xef\xbf\xbd"));
    assert_decoded("\"\\udc00\\udc00\"", AQ_STR("\xef\xbf\xbd\xef\xbf\xbd"));
    assert_decoded("\"\\ud800\\ue000\"", AQ_STR("\xef\xbf\xbd\xee\x80\x80"));
    assert_decoded("\"\\udfff\\ue000\"", AQ_STR("\xef\xbf\xbd\xee\x80\x80"));
    assert_decoded("\"\\udc00\\ud800\"", AQ_STR("\xef\xbf\xbd\xef\xbf\xbd"));
    assert_decoded("\"\\ud800\\u0041\"", AQ_STR("\xef\xbf\xbd"
                                                "A"));
    assert_decoded("\"\\ud800\\n\"", AQ_STR("\xef\xbf\xbd\n"));
    assert_decoded("\"\\ud800xxxxxx\"", AQ_STR("\xef\xbf\xbdxxxxxx"));
    assert_decoded("\"\\ud800\\ud83d\\ude80\"", AQ_STR("\xef\xbf\xbd\xf0\x9f\x9a\x80"));
}

static void values_that_are_not_strings_decode_to_nothing(void **state)
{
    (void)state;
    assert_decoded("12", AQ_STR(""));
    assert_decoded("null", AQ_STR(""));
    assert_decoded("[\"x\"]", AQ_STR(""));
}

static void plain_strings_are_views_of_the_text(void **state)
{
    (void)state;
    struct json_reader r = json_reader(AQ_STR("[\"plain\",\"esc\\n\",1,\"\"]"));
    struct json_member m;
    assert_true(json_array(&r) && json_next(&r, &m));
    assert_true(str_eq(json_string_plain(&m), AQ_STR("plain")));
    assert_ptr_equal(json_string_plain(&m).ptr, r.text.ptr + 2);
    assert_true(json_next(&r, &m));
    assert_null(json_string_plain(&m).ptr);
    assert_true(json_next(&r, &m));
    assert_null(json_string_plain(&m).ptr);
    assert_true(json_next(&r, &m));
    assert_int_equal(json_string_plain(&m).len, 0);
}

static void the_text_of_a_scalar_is_what_it_means(void **state)
{
    (void)state;
    static const char *const expected[] = { "plain", "esc\n", "12", "true", "false", "", "", "" };
    AUTO(buf) struct buf scratch = BUF(0);
    struct json_reader r = json_reader(AQ_STR("[\"plain\",\"esc\\n\",12,true,false,null,[1],{}]"));
    struct json_member m;
    assert_true(json_array(&r));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(json_next(&r, &m));
        assert_true(str_eq(json_text(&m, &scratch), str_from(expected[i])));
    }
    AUTO(buf) struct buf small = BUF(1);
    r = json_reader(AQ_STR("[\"\\n\"]"));
    assert_true(json_array(&r) && json_next(&r, &m));
    assert_int_equal(json_text(&m, &small).len, 0);
    assert_int_equal(buf_status(&small), AQ_E_LIMIT);
}

static void keys_are_compared_as_what_they_mean(void **state)
{
    (void)state;
    struct json_member m = { .key = AQ_STR("a\\u0062\\n") };
    assert_true(json_key_is(&m, AQ_STR("ab\n")));
    assert_false(json_key_is(&m, AQ_STR("a\\u0062\\n")));
    assert_false(json_key_is(&m, AQ_STR("ab")));
    assert_false(json_key_is(&m, AQ_STR("ab\nc")));
    assert_false(json_key_is(&m, AQ_STR("")));
    m.key = AQ_STR("plain");
    assert_true(json_key_is(&m, AQ_STR("plain")));
    assert_false(json_key_is(&m, AQ_STR("plai")));
    assert_false(json_key_is(&m, AQ_STR("plain!")));
    m.key = AQ_STR("");
    assert_true(json_key_is(&m, AQ_STR("")));
}

static bool int_of(const char *value, int64_t *ret)
{
    struct json_reader r = json_reader(str_from(value));
    struct json_member m;
    return json_array(&r) && json_next(&r, &m) && json_int(&m, ret);
}

static void integers_are_read_when_they_fit(void **state)
{
    (void)state;
    int64_t i = 7;
    assert_true(int_of("[0]", &i) && i == 0);
    assert_true(int_of("[-0]", &i) && i == 0);
    assert_true(int_of("[3600]", &i) && i == 3600);
    assert_true(int_of("[9223372036854775807]", &i) && i == INT64_MAX);
    assert_true(int_of("[-9223372036854775808]", &i) && i == INT64_MIN);
    assert_false(int_of("[9223372036854775808]", &i));
    assert_false(int_of("[1.0]", &i));
    assert_false(int_of("[1e3]", &i));
    assert_false(int_of("[\"1\"]", &i));
    assert_false(int_of("[null]", &i));
}

static void a_member_is_found_and_the_last_one_wins(void **state)
{
    (void)state;
    struct json_member m;
    const struct aq_str text = AQ_STR("{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":3,\"c\":4}");
    assert_true(json_find(text, AQ_STR("a"), &m));
    assert_true(str_eq(m.value, AQ_STR("3")));
    assert_false(json_find(text, AQ_STR("d"), &m));
    assert_false(json_find(AQ_STR("[\"a\"]"), AQ_STR("a"), &m));
    assert_false(json_find(AQ_STR("{\"a\":1"), AQ_STR("a"), &m));
    assert_false(json_find(AQ_STR("{\"a\":1}}"), AQ_STR("a"), &m));
    assert_false(json_find(AQ_STR(""), AQ_STR("a"), &m));
    assert_false(json_find((struct aq_str){ NULL, 0 }, AQ_STR("a"), &m));
    assert_true(str_eq(m.value, AQ_STR("3"))); /* a miss leaves the result alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_texts_are_accepted),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(a_nul_byte_is_malformed_wherever_it_is),
        cmocka_unit_test(every_prefix_of_a_text_is_malformed),
        cmocka_unit_test(every_ascii_byte_at_every_place_of_a_string_is_judged_alike),
        cmocka_unit_test(plain_text_ends_at_its_first_special_byte_whatever_follows),
        cmocka_unit_test(nesting_is_accepted_up_to_64_levels),
        cmocka_unit_test(an_object_hands_out_its_members_in_order),
        cmocka_unit_test(an_array_hands_out_its_elements_without_keys),
        cmocka_unit_test(a_reader_that_stops_early_still_finds_what_is_wrong_later),
        cmocka_unit_test(a_failure_names_the_problem_and_the_byte),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(lone_surrogates_become_replacement_characters),
        cmocka_unit_test(values_that_are_not_strings_decode_to_nothing),
        cmocka_unit_test(plain_strings_are_views_of_the_text),
        cmocka_unit_test(the_text_of_a_scalar_is_what_it_means),
        cmocka_unit_test(keys_are_compared_as_what_they_mean),
        cmocka_unit_test(integers_are_read_when_they_fit),
        cmocka_unit_test(a_member_is_found_and_the_last_one_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
