/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of profiles, page by page. */
#include "base/alloc.h"
#include "base/str.h"
#include "no_memory.h"
#include "wire/profiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_text(struct aq_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.len ? got.ptr : "", want, got.len);
}

static aq_status add(struct profiles *p, const char *json)
{
    struct aq_error err = { 0 };
    aq_status st = profiles_add_page(p, str_from(json), &err);
    assert_true(st == AQ_OK || (err.status == st && err.text[0]));
    return st;
}

static void assert_body(const struct profiles *p, const char *want)
{
    AUTO(buf) struct buf body = BUF(0);
    profiles_body(p, &body);
    assert_text(buf_str(&body), want);
}

static void pages_are_put_together(void **state)
{
    AUTO(profiles) struct profiles p = { 0 };
    (void)state;
    assert_body(&p, "{}");
    assert_int_equal(add(&p, "{\"profiles\":[{\"arn\":\"arn:1\",\"profileName\":\"o\\u006ee\"},"
                             "{\"arn\":\"arn:2\"}],\"nextToken\":\"n\\\"ext\"}"),
                     AQ_OK);
    assert_body(&p, "{\"nextToken\":\"n\\\"ext\"}");
    assert_int_equal(add(&p, "{\"nextToken\":null,\"profiles\":[{\"profileName\":\"three\",\"arn\":"
                             "\"arn:3\",\"more\":{}}]}"),
                     AQ_OK);
    assert_body(&p, "{}");
    assert_int_equal(p.count, 3);
    assert_text(p.list[0].arn, "arn:1");
    assert_text(p.list[0].name, "one");
    assert_text(p.list[1].name, "");
    assert_text(p.list[2].name, "three");
    assert_ptr_equal(profiles_find(&p, AQ_STR("arn:2")), &p.list[1]);
    assert_null(profiles_find(&p, AQ_STR("arn:")));
}

static void the_last_page_has_no_token_an_empty_one_or_the_one_before(void **state)
{
    static const char *const pages[] = { "{\"profiles\":[]}",
                                         "{\"profiles\":[],\"nextToken\":\"\"}",
                                         "{\"profiles\":[],\"nextToken\":null}",
                                         "{\"profiles\":[],\"nextToken\":\"a\"}" };
    (void)state;
    for (size_t i = 0; i < COUNT(pages); i++) {
        AUTO(profiles) struct profiles p = { 0 };
        assert_int_equal(add(&p, "{\"profiles\":[],\"nextToken\":\"a\"}"), AQ_OK);
        assert_int_equal(p.next_token.len, 1);
        assert_int_equal(add(&p, pages[i]), AQ_OK);
        assert_int_equal(p.next_token.len, 0);
    }
}

static void what_cannot_be_chosen_is_left_out(void **state)
{
    AUTO(profiles) struct profiles p = { 0 };
    (void)state;
    assert_int_equal(add(&p, "{\"profiles\":[{\"arn\":\"arn:1\"},{\"arn\":\"arn:1\"},{},null,7,"
                             "{\"arn\":7},{\"arn\":\"a b\"},{\"arn\":\"\"}]}"),
                     AQ_OK);
    assert_int_equal(p.count, 1);
}

static void an_answer_that_is_no_list_is_an_error(void **state)
{
    static const char *const pages[] = { "{}", "{\"profiles\":{}}", "[]", "",
                                         "{\"profiles\":null}" };
    (void)state;
    for (size_t i = 0; i < COUNT(pages); i++) {
        AUTO(profiles) struct profiles p = { 0 };
        assert_int_equal(add(&p, pages[i]), AQ_E_PROTOCOL);
    }
}

static void no_more_are_held_than_somebody_could_choose_from(void **state)
{
    AUTO(profiles) struct profiles p = { 0 };
    char page[64];
    (void)state;
    for (int i = 0; i < PROFILES_MAX; i++) {
        snprintf(page, sizeof(page), "{\"profiles\":[{\"arn\":\"arn:%d\"}]}", i);
        assert_int_equal(add(&p, page), AQ_OK);
    }
    assert_text(p.list[0].arn, "arn:0"); /* still where it was */
    assert_int_equal(add(&p, "{\"profiles\":[{\"arn\":\"arn:more\"}]}"), AQ_E_LIMIT);
}

static void a_choice_is_remembered_as_the_existing_cli_does(void **state)
{
    const struct aq_profile profile = { .arn = AQ_STR_INIT("arn:1"), .name = AQ_STR_INIT("a\"b") };
    AUTO(buf) struct buf row = BUF(0);
    (void)state;
    profiles_row(&profile, &row);
    assert_text(buf_str(&row), "{\"arn\":\"arn:1\",\"profile_name\":\"a\\\"b\"}");
}

static void without_memory_nothing_is_half_done(void **state)
{
    bool failed = true;
    (void)state;
    for (int at = 1; failed; at++) {
        AUTO(profiles) struct profiles p = { 0 };
        no_memory(at);
        aq_status st = profiles_add_page(
            &p, AQ_STR("{\"profiles\":[{\"arn\":\"arn:1\"}],\"nextToken\":\"n\"}"), NULL);
        failed = no_memory_ended();
        assert_int_equal(st, failed ? AQ_E_NOMEM : AQ_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_put_together),
        cmocka_unit_test(the_last_page_has_no_token_an_empty_one_or_the_one_before),
        cmocka_unit_test(what_cannot_be_chosen_is_left_out),
        cmocka_unit_test(an_answer_that_is_no_list_is_an_error),
        cmocka_unit_test(no_more_are_held_than_somebody_could_choose_from),
        cmocka_unit_test(a_choice_is_remembered_as_the_existing_cli_does),
        cmocka_unit_test(without_memory_nothing_is_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
