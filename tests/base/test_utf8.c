/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_scalar(uint32_t value)
{
    return value < 0x110000 && (value < 0xd800 || value >= 0xe000);
}

static void every_scalar_value_is_encoded_to_a_valid_sequence(void **state)
{
    (void)state;
    for (uint32_t scalar = 0; scalar < 0x110000; scalar++) {
        uint8_t out[4];
        if (is_scalar(scalar)) {
            size_t len = utf8_encode(scalar, out);
            assert_int_equal(len, scalar < 0x80      ? 1
                                  : scalar < 0x800   ? 2
                                  : scalar < 0x10000 ? 3
                                                     : 4);
            assert_int_equal(utf8_sequence(out, len), len);
            assert_int_equal(utf8_sequence(out, len - 1), 0); /* cut */
        }
    }
}

/* What a sequence of len bytes stands for, and whether RFC 3629 allows it: computed from the bits,
 * not from the ranges of bytes that the code under test knows. */
static bool allowed(const uint8_t *p, size_t len)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    static const uint8_t lead_mask[] = { 0, 0, 0xe0, 0xf0, 0xf8 };
    if ((p[0] & lead_mask[len]) != lead[len]) {
        return false;
    }
    uint32_t value = p[0] & (uint8_t)~lead_mask[len];
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return false;
        }
        value = value << 6 | (p[i] & 0x3f);
    }
    return value >= least[len] && is_scalar(value);
}

static void every_pair_of_bytes_is_judged_as_the_bits_say(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x10000; i++) {
        const uint8_t p[2] = { (uint8_t)(i >> 8), (uint8_t)i };
        size_t expected = p[0] < 0x80 ? 1 : allowed(p, 2) ? 2 : 0;
        assert_int_equal(utf8_sequence(p, 2), expected);
    }
}

static void long_sequences_are_judged_as_the_bits_say(void **state)
{
    (void)state;
    static const uint8_t tails[] = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff };
    for (unsigned i = 0xe000; i < 0x10000; i++) {
        for (size_t k = 0; k < sizeof(tails) * sizeof(tails); k++) {
            const uint8_t p[4] = { (uint8_t)(i >> 8), (uint8_t)i, tails[k / sizeof(tails)],
                                   tails[k % sizeof(tails)] };
            size_t expected = allowed(p, 3) ? 3 : allowed(p, 4) ? 4 : 0;
            assert_int_equal(utf8_sequence(p, 4), expected);
        }
    }
}

static void one_bad_byte_anywhere_makes_a_text_invalid(void **state)
{
    (void)state;
    uint8_t text[40];
    memset(text, 'a', sizeof(text));
    for (size_t len = 0; len <= sizeof(text); len++) {
        assert_true(utf8_valid(text, len));
    }
    for (size_t at = 0; at < sizeof(text); at++) {
        text[at] = 0xff;
        assert_false(utf8_valid(text, sizeof(text)));
        assert_true(utf8_valid(text, at));
        text[at] = 'a';
    }
}

static void a_character_at_any_place_keeps_a_text_valid(void **state)
{
    (void)state;
    uint8_t text[40];
    for (size_t at = 0; at + 4 <= sizeof(text); at++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + at, "\xf0\x9f\x9a\x80", 4);
        assert_true(utf8_valid(text, sizeof(text)));
        assert_false(utf8_valid(text, at + 3));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar_value_is_encoded_to_a_valid_sequence),
        cmocka_unit_test(every_pair_of_bytes_is_judged_as_the_bits_say),
        cmocka_unit_test(long_sequences_are_judged_as_the_bits_say),
        cmocka_unit_test(one_bad_byte_anywhere_makes_a_text_invalid),
        cmocka_unit_test(a_character_at_any_place_keeps_a_text_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
