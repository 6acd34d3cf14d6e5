/* SPDX-License-Identifier: Apache-2.0 */
/* Which hosts may be shown a secret, and how their names are made. */
#include "base/alloc.h"
#include "base/str.h"
#include "wire/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_text(struct aq_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    if (got.len) {
        assert_memory_equal(got.ptr, want, got.len);
    }
}

static void real_regions_are_valid(void **state)
{
    (void)state;
    const char *const names[] = { "us-east-1",  "eu-central-1", "ap-southeast-12", "us-gov-west-1",
                                  "cn-north-1", "mx-central-1", "eusc-de-east-1" };
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(endpoint_region_valid(str_from(names[i])));
    }
}

static void anything_else_is_not_a_region(void **state)
{
    (void)state;
    const char *const names[] = {
        "",
        "-",
        "us",
        "us-east",
        "us-1",
        "us-east-",
        "us-east-123",
        "us--1",
        "us-east-1.evil",
        "u-east-1",
        "abcde-east-1",
        "US-EAST-1",
        "us-east-1 ",
        "us-east-1/",
        "us-east-1-",
        "-us-east-1",
        "us_east_1",
        "us-east-x",
        "us-e4st-1",
        "us-east-1\n",
        "us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1",
        "1-2-3",
        "us-east-1@evil",
        "us-\xc3\xa9st-1",
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_false(endpoint_region_valid(str_from(names[i])));
    }
}

static void a_nul_does_not_end_a_region(void **state)
{
    (void)state;
    assert_false(endpoint_region_valid((struct aq_str){ "us-east-1\0x", 11 }));
}

static void the_region_of_an_arn_is_its_fourth_field(void **state)
{
    (void)state;
    assert_text(endpoint_region_of_arn(
                    AQ_STR("arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABC")),
                "eu-central-1");
    assert_text(endpoint_region_of_arn(AQ_STR("a:b:c:us-east-1")), "us-east-1");
}

static void an_arn_without_a_valid_region_has_none(void **state)
{
    (void)state;
    const char *const arns[] = { "", "arn", "arn:aws:codewhisperer", "arn:aws:codewhisperer::1:p",
                                 "arn:aws:codewhisperer:evil.example/:1:p" };
    for (size_t i = 0; i < COUNT(arns); i++) {
        assert_int_equal(endpoint_region_of_arn(str_from(arns[i])).len, 0);
    }
}

static void hosts_are_built_from_the_region(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    assert_int_equal(endpoint_oidc(AQ_STR("login"), AQ_STR(""), AQ_STR("eu-west-1"), &out, NULL),
                     AQ_OK);
    assert_text(buf_str(&out), "https://oidc.eu-west-1.amazonaws.com");
    buf_clear(&out);
    assert_int_equal(endpoint_service(0, true, AQ_STR("us-east-1"), &out, NULL), AQ_OK);
    assert_text(buf_str(&out), "https://q.us-east-1.amazonaws.com");
}

static void a_sign_in_service_that_was_named_needs_no_region(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err = { 0 };
    const struct aq_str object = AQ_STR("login");
    assert_int_equal(
        endpoint_oidc(object, AQ_STR("https://sso.example/"), AQ_STR("none"), &out, &err), AQ_OK);
    assert_text(buf_str(&out), "https://sso.example");
    buf_clear(&out);
    assert_int_equal(
        endpoint_oidc(object, AQ_STR("http://sso.example"), AQ_STR("eu-west-1"), &out, &err),
        AQ_E_INVALID);
    assert_int_equal(out.len, 0);
    assert_non_null(strstr(err.text, "sign-in endpoint"));
}

static void a_site_has_a_name_and_a_host_for_what_streams_and_for_the_rest(void **state)
{
    static const struct {
        const char *name, *streams, *rest;
    } want[ENDPOINT_SITES] = {
        { "q", "https://q.eu-central-1.amazonaws.com", "https://q.eu-central-1.amazonaws.com" },
        { "kiro", "https://runtime.eu-central-1.kiro.dev",
          "https://management.eu-central-1.kiro.dev" },
    };
    const struct aq_str region = AQ_STR_INIT("eu-central-1");
    AUTO(buf) struct buf out = BUF(0);
    (void)state;
    for (uint32_t i = 0; i < ENDPOINT_SITES; i++) {
        assert_text(endpoint_site_name(i), want[i].name);
        assert_int_equal(endpoint_site_find(str_from(want[i].name)), i);
        buf_clear(&out);
        assert_int_equal(endpoint_service(i, true, region, &out, NULL), AQ_OK);
        assert_text(buf_str(&out), want[i].streams);
        buf_clear(&out);
        assert_int_equal(endpoint_service(i, false, region, &out, NULL), AQ_OK);
        assert_text(buf_str(&out), want[i].rest);
    }
    assert_int_equal(endpoint_site_find(AQ_STR("")), ENDPOINT_SITES);
    assert_int_equal(endpoint_site_find(AQ_STR("Q")), ENDPOINT_SITES);
}

static void every_host_of_a_site_may_be_shown_the_token(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2 * ENDPOINT_SITES; i++) {
        AUTO(buf) struct buf url = BUF(0);
        AUTO(buf) struct buf out = BUF(0);
        assert_int_equal(endpoint_service(i / 2, i % 2, AQ_STR("us-east-1"), &url, NULL), AQ_OK);
        assert_int_equal(endpoint_check(AQ_STR("e"), buf_str(&url), false, &out, NULL), AQ_OK);
    }
}

static void the_region_of_the_service_is_that_of_the_profile_if_it_is_there(void **state)
{
    (void)state;
    assert_text(endpoint_region(AQ_STR("arn:aws:codewhisperer:eu-central-1:1:profile/P")),
                "eu-central-1");
    assert_text(endpoint_region(AQ_STR("arn:aws:codewhisperer:us-east-2:1:profile/P")),
                "us-east-1");
    assert_text(endpoint_region(AQ_STR("")), "us-east-1");
    assert_false(endpoint_region_known(AQ_STR("us-east-2")));
}

static void the_name_of_a_host_of_aws_says_its_region(void **state)
{
    static const struct {
        const char *url, *region;
    } cases[] = {
        { "https://q.eu-central-1.amazonaws.com", "eu-central-1" },
        { "https://q.us-gov-west-1.amazonaws.com:443/path", "us-gov-west-1" },
        { "https://vpce-0-x.q.eu-central-1.vpce.amazonaws.com/", "eu-central-1" },
        { "https://q.amazonaws.com", "" },
        { "https://my-proxy-1.example.com", "" },
        { "https://q.eu-central-1.amazonaws.com.example.com", "" },
        { "http://127.0.0.1:8080", "" },
        { "q.eu-central-1.amazonaws.com", "" },
        { "", "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_text(endpoint_region_of_host(str_from(cases[i].url)), cases[i].region);
    }
}

static void a_region_that_is_none_makes_no_host(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err = { 0 };
    assert_int_equal(
        endpoint_oidc(AQ_STR("login 'x'"), AQ_STR(""), AQ_STR("evil.example/"), &out, &err),
        AQ_E_INVALID);
    assert_int_equal(out.len, 0);
    assert_non_null(strstr(err.text, "login 'x'"));
    assert_null(strstr(err.text, "evil"));
}

/* One row per question; want NULL: refused. */
static const struct {
    const char *url;
    bool named;
    const char *want;
} checks[] = {
    { "https://q.us-east-1.amazonaws.com", false, "https://q.us-east-1.amazonaws.com" },
    { "https://q.eu-central-1.amazonaws.com/", false, "https://q.eu-central-1.amazonaws.com" },
    { "https://oidc.eu-west-1.amazonaws.com", false, "https://oidc.eu-west-1.amazonaws.com" },
    { "https://codewhisperer.us-east-1.amazonaws.com", false,
      "https://codewhisperer.us-east-1.amazonaws.com" },
    { "https://runtime.us-east-1.kiro.dev", false, "https://runtime.us-east-1.kiro.dev" },
    { "https://management.us-east-1.kiro.dev", false, "https://management.us-east-1.kiro.dev" },
    { "https://prod.us-east-1.auth.desktop.kiro.dev", false,
      "https://prod.us-east-1.auth.desktop.kiro.dev" },

    /* nothing by suffix, prefix, case or port */
    { "https://evil.amazonaws.com", false, NULL },
    { "https://s3.us-east-1.amazonaws.com", false, NULL },
    { "https://q.us-east-1.amazonaws.com.evil.example", false, NULL },
    { "https://q.evil.amazonaws.com", false, NULL },
    { "https://x.q.us-east-1.amazonaws.com", false, NULL },
    { "https://q.us-east-1.kiro.dev", false, NULL },
    { "https://q.us-east-1.amazonaws.co", false, NULL },
    { "https://q.us-east-1.amazonaws.comx", false, NULL },
    { "https://q.us-east-1.amazonaws.com.", false, NULL },
    { "https://Q.us-east-1.amazonaws.com", false, NULL },
    { "https://q.us-east-1.amazonaws.com:444", false, NULL },
    { "https://evil.example/q.us-east-1.amazonaws.com", false, NULL },
    { "https://q.us-east-1.amazonaws.com@evil.example", false, NULL },
    { "http://q.us-east-1.amazonaws.com", false, NULL },
    { "http://127.0.0.1:8080", false, NULL },
    { "https://localhost", false, NULL },

    /* named by the user */
    { "https://evil.example:8443/base/", true, "https://evil.example:8443/base" },
    { "https://q.internal.example//", true, "https://q.internal.example" },
    { "https://[2001:db8::1]:8443", true, "https://[2001:db8::1]:8443" },
    { "http://127.0.0.1:8080/", true, "http://127.0.0.1:8080" },
    { "http://127.255.0.9", true, "http://127.255.0.9" },
    { "http://[::1]:80", true, "http://[::1]:80" },
    { "http://localhost:1", true, "http://localhost:1" },
    { "http://evil.example", true, NULL },
    { "http://10.0.0.1", true, NULL },
    { "http://127.0.0.1.evil.example", true, NULL },
    { "http://127.0.0.256", true, NULL },
    { "http://127.0.0.01", true, NULL },
    { "http://127.1", true, NULL },
    { "http://127.0.0.1.", true, NULL },
    { "http://0x7f.0.0.1", true, NULL },
    { "http://localhost.evil.example", true, NULL },
    { "http://[::2]", true, NULL },

    /* not base URLs */
    { "", true, NULL },
    { "https://", true, NULL },
    { "https:///path", true, NULL },
    { "https:host", true, NULL },
    { "HTTPS://host", true, NULL },
    { "ftp://host", true, NULL },
    { "host", true, NULL },
    { "https://user@host", true, NULL },
    { "https://user:pass@host", true, NULL },
    { "https://host?query", true, NULL },
    { "https://host/path?query", true, NULL },
    { "https://host#fragment", true, NULL },
    { "https://host\\@evil", true, NULL },
    { "https://ho st", true, NULL },
    { "https://host/a b", true, NULL },
    { "https://host\r\nx: y", true, NULL },
    { "https://h\xc3\xb6st", true, NULL },
    { "https://ho%73t", true, NULL },
    { "https://host:", true, NULL },
    { "https://host:0", true, NULL },
    { "https://host:65536", true, NULL },
    { "https://host:80x", true, NULL },
    { "https://host:+80", true, NULL },
    { "https://[::1", true, NULL },
    { "https://[]", true, NULL },
    { "https://[::1]x", true, NULL },
    { "https://[fe80::1%25eth0]", true, NULL },
    { "https://:80", true, NULL },
};

static void only_the_right_hosts_may_see_a_secret(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        AUTO(buf) struct buf out = BUF(0);
        struct aq_error err = { 0 };
        aq_status st = endpoint_check(AQ_STR("setting 'x'"), str_from(checks[i].url),
                                      checks[i].named, &out, &err);
        if (st != (checks[i].want ? AQ_OK : AQ_E_INVALID)) {
            fail_msg("%s, named %d: status %d", checks[i].url, checks[i].named, st);
        }
        assert_text(buf_str(&out), checks[i].want ? checks[i].want : "");
        if (!checks[i].want) {
            assert_memory_equal(err.text, "setting 'x': ", 13);
        }
    }
}

static void naming_a_url_is_never_worse_than_not_naming_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        AUTO(buf) struct buf out = BUF(0);
        struct aq_str url = str_from(checks[i].url);
        if (endpoint_check(AQ_STR("x"), url, false, &out, NULL) == AQ_OK) {
            assert_int_equal(endpoint_check(AQ_STR("x"), url, true, &out, NULL), AQ_OK);
        }
    }
}

static void a_password_in_a_url_is_not_repeated_in_the_error(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err = { 0 };
    endpoint_check(AQ_STR("x"), AQ_STR("https://me:s3cret@host"), true, &out, &err);
    assert_null(strstr(err.text, "s3cret"));
}

static void a_url_of_2048_bytes_passes_and_a_longer_one_does_not(void **state)
{
    (void)state;
    char text[2049];
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://host/", 13);
    AUTO(buf) struct buf out = BUF(0);
    assert_int_equal(endpoint_check(AQ_STR("x"), (struct aq_str){ text, 2048 }, true, &out, NULL),
                     AQ_OK);
    assert_int_equal(endpoint_check(AQ_STR("x"), (struct aq_str){ text, 2049 }, true, &out, NULL),
                     AQ_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_regions_are_valid),
        cmocka_unit_test(anything_else_is_not_a_region),
        cmocka_unit_test(a_nul_does_not_end_a_region),
        cmocka_unit_test(the_region_of_an_arn_is_its_fourth_field),
        cmocka_unit_test(an_arn_without_a_valid_region_has_none),
        cmocka_unit_test(hosts_are_built_from_the_region),
        cmocka_unit_test(a_sign_in_service_that_was_named_needs_no_region),
        cmocka_unit_test(a_site_has_a_name_and_a_host_for_what_streams_and_for_the_rest),
        cmocka_unit_test(every_host_of_a_site_may_be_shown_the_token),
        cmocka_unit_test(the_region_of_the_service_is_that_of_the_profile_if_it_is_there),
        cmocka_unit_test(the_name_of_a_host_of_aws_says_its_region),
        cmocka_unit_test(a_region_that_is_none_makes_no_host),
        cmocka_unit_test(only_the_right_hosts_may_see_a_secret),
        cmocka_unit_test(naming_a_url_is_never_worse_than_not_naming_it),
        cmocka_unit_test(a_password_in_a_url_is_not_repeated_in_the_error),
        cmocka_unit_test(a_url_of_2048_bytes_passes_and_a_longer_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
