/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a URL and comes out of one. */
#include "base/alloc.h"
#include "base/str.h"
#include "wire/percent.h"
#include "wire/pkce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_buf(const struct buf *got, const char *want)
{
    assert_int_equal(got->len, strlen(want));
    assert_memory_equal(got->len ? (const void *)got->ptr : "", want, got->len);
}

static void everything_but_what_is_unreserved_is_encoded(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    percent_encode(AQ_STR("aZ09 -._~/:+%&=\xc3\xa4"), &out);
    assert_buf(&out, "aZ09%20-._~%2F%3A%2B%25%26%3D%C3%A4");
}

static void a_value_is_decoded_once(void **state)
{
    static const struct {
        const char *text, *value; /* NULL: refused */
    } cases[] = {
        { "", "" },         { "plain", "plain" },     { "a%2Bb", "a+b" }, { "a+b", "a b" },
        { "%2541", "%41" }, { "%c3%A4", "\xc3\xa4" }, { "%", NULL },      { "%4", NULL },
        { "a%4", NULL },    { "%4g", NULL },          { "%g4", NULL },    { "%-1", NULL },
        { "%00", NULL },    { "%0a", NULL },          { "%0D", NULL },    { "%7f", NULL },
        { "%%41", NULL },   { "x%20y", "x y" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf) struct buf out = BUF(0);
        assert_int_equal(percent_decode(str_from(cases[i].text), &out), cases[i].value != NULL);
        if (cases[i].value) {
            assert_buf(&out, cases[i].value);
        }
    }
}

static void base64url_is_that_of_rfc_4648_without_padding(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        { "", "" },
        { "f", "Zg" },
        { "fo", "Zm8" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg" },
        { "fooba", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy" },
        { "\xfb\xff\xfe", "-__-" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf) struct buf out = BUF(0);
        base64url_encode(str_bytes(str_from(cases[i].bytes)), &out);
        assert_buf(&out, cases[i].text);
    }
}

static void the_challenge_is_that_of_rfc_7636(void **state)
{
    /* appendix B; the state's bytes are ours */
    uint8_t random[PKCE_RANDOM_LEN] = {
        116, 24,  223, 180, 151, 153, 224, 37,  79, 250, 96, 125, 216, 173, 187, 186,
        22,  212, 37,  77,  105, 214, 191, 240, 91, 88,  5,  88,  83,  132, 141, 121,
    };
    static const uint8_t zeros[PKCE_RANDOM_LEN] = { 0 };
    struct pkce p = { 0 };
    (void)state;
    assert_int_equal(pkce_begin(&p, random, NULL), AQ_OK);
    assert_buf(&p.verifier, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_buf(&p.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert_buf(&p.state, "AAAAAAAAAAAAAAAAAAAAAA"); /* 128 bits */
    assert_memory_equal(random, zeros, sizeof(random));
    pkce_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_but_what_is_unreserved_is_encoded),
        cmocka_unit_test(a_value_is_decoded_once),
        cmocka_unit_test(base64url_is_that_of_rfc_4648_without_padding),
        cmocka_unit_test(the_challenge_is_that_of_rfc_7636),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
