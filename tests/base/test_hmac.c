/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "base/hmac.h"
#include "base/str.h"

static void assert_hmac(struct aq_str key, struct aq_str data, const char *expected)
{
    uint8_t digest[SHA256_LEN];
    char hex[SHA256_HEX_LEN + 1];
    hmac_sha256(str_bytes(key), str_bytes(data), digest);
    sha256_hex(digest, hex);
    assert_string_equal(hex, expected);
}

/* RFC 4231, cases 1, 2, 6 and 7: a short key, a shorter one, one of 131 bytes, and that with more
 * data than a block. */
static void the_examples_of_rfc_4231_come_out(void **state)
{
    char key[131];
    (void)state;
    memset(key, 0x0b, 20);
    assert_hmac((struct aq_str){ key, 20 }, AQ_STR("Hi There"),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac(AQ_STR("Jefe"), AQ_STR("what do ya want for nothing?"),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    assert_hmac((struct aq_str){ key, sizeof(key) },
                AQ_STR("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hmac((struct aq_str){ key, sizeof(key) },
                AQ_STR("This is a test using a larger than block-size key and a larger than "
                       "block-size data. The key needs to be hashed before being used by the HMAC "
                       "algorithm."),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void the_digest_may_replace_its_key(void **state)
{
    uint8_t key[SHA256_LEN] = { 1, 2, 3 }, digest[SHA256_LEN];
    const struct aq_bytes data = { (const uint8_t *)"data", 4 };
    (void)state;
    hmac_sha256((struct aq_bytes){ key, sizeof(key) }, data, digest);
    hmac_sha256((struct aq_bytes){ key, sizeof(key) }, data, key);
    assert_memory_equal(key, digest, sizeof(key));
}

static void nothing_at_all_has_a_digest(void **state)
{
    (void)state;
    assert_hmac((struct aq_str){ NULL, 0 }, (struct aq_str){ NULL, 0 },
                "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_4231_come_out),
        cmocka_unit_test(the_digest_may_replace_its_key),
        cmocka_unit_test(nothing_at_all_has_a_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
