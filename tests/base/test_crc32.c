/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The definition, a bit at a time. */
static uint32_t by_definition(const uint8_t *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len * 8; i++) {
        uint32_t bit = (uint32_t)bytes[i / 8] >> i % 8 & 1;
        crc = crc >> 1 ^ ((crc ^ bit) & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void the_check_value_of_the_standard_is_met(void **state)
{
    (void)state;
    assert_int_equal(crc32_bytes((struct aq_bytes){ (const uint8_t *)"123456789", 9 }), 0xcbf43926);
    assert_int_equal(crc32_bytes((struct aq_bytes){ NULL, 0 }), 0);
}

static void all_lengths_agree_with_the_definition(void **state)
{
    (void)state;
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 167 + 13);
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        assert_int_equal(crc32_bytes((struct aq_bytes){ bytes, len }), by_definition(bytes, len));
    }
}

static void eight_bytes_agree_with_the_definition_whatever_they_are(void **state)
{
    (void)state;
    uint8_t bytes[8] = { 0 };
    assert_int_equal(crc32_eight(bytes), by_definition(bytes, 8));
    for (size_t at = 0; at < 8; at++) { /* each entry of each table */
        for (int value = 0; value < 256; value++) {
            bytes[at] = (uint8_t)value;
            assert_int_equal(crc32_eight(bytes), by_definition(bytes, 8));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_value_of_the_standard_is_met),
        cmocka_unit_test(all_lengths_agree_with_the_definition),
        cmocka_unit_test(eight_bytes_agree_with_the_definition_whatever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
