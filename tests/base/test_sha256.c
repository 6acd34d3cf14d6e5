/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "base/sha256.h"

static void assert_digest(const char *text, size_t times, const char *expected)
{
    uint8_t digest[SHA256_LEN];
    char hex[SHA256_HEX_LEN + 1];
    struct sha256 h;
    sha256_init(&h);
    for (size_t i = 0; i < times; i++) {
        sha256_add(&h, (struct aq_bytes){ (const uint8_t *)text, strlen(text) });
    }
    sha256_done(&h, digest);
    sha256_hex(digest, hex);
    assert_string_equal(hex, expected);
}

/* The examples NIST publishes for FIPS 180-4, and the empty message. */
static void the_published_examples_come_out(void **state)
{
    (void)state;
    assert_digest("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_digest("a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void how_a_message_is_cut_does_not_matter(void **state)
{
    uint8_t message[200];
    uint8_t whole[SHA256_LEN], pieces[SHA256_LEN];
    struct sha256 h;
    (void)state;
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 0; len <= sizeof(message); len++) {
        sha256_init(&h);
        sha256_add(&h, (struct aq_bytes){ message, len });
        sha256_done(&h, whole);
        for (size_t cut = 1; cut < len; cut += 13) {
            sha256_init(&h);
            sha256_add(&h, (struct aq_bytes){ message, cut });
            sha256_add(&h, (struct aq_bytes){ message + cut, len - cut });
            sha256_done(&h, pieces);
            assert_memory_equal(pieces, whole, SHA256_LEN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples_come_out),
        cmocka_unit_test(how_a_message_is_cut_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
