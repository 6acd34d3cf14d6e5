/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises about the memory of the process, once it has read a login. */
#include "company.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The secret repeats two letters, so that looking for it needs no copy of it. */
enum { SECRET_REPEATS = 500, FOUND_REPEATS = 8 };

static size_t count_in(const volatile char *at, const volatile char *end)
{
    size_t count = 0;
    for (int matched = 0; at < end; at++) {
        matched = *at == (matched % 2 ? '7' : 'k') ? matched + 1 : *at == 'k';
        if (matched == 2 * FOUND_REPEATS) {
            count++;
            matched = 0;
        }
    }
    return count;
}

/* How often a part of the secret is found in what this process can write. */
static size_t count_in_memory(void)
{
    char line[512], may[8];
    unsigned long from, to;
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, may) == 3 && strncmp(may, "rw", 2) == 0) {
            count += count_in((const volatile char *)from, (const volatile char *)to);
        }
    }
    fclose(maps);
    return count;
}

static aq_status keep_length(void *ctx, void *sink, struct aq_str key, struct aq_bytes value)
{
    (void)ctx;
    (void)key;
    *(size_t *)sink = value.len;
    return AQ_OK;
}

static void nothing_that_was_read_stays_in_memory(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    assert_int_equal(sql_elsewhere(f->path, "UPDATE auth_kv SET value ="
                                            " replace(hex(zeroblob(500)), '00', 'k7')"),
                     SQLITE_OK);
    f->store.host.table.put = keep_length;
    assert_int_equal(f->store.ops->get(f->store.self, AQ_STR("k"), &len, &f->store.err), AQ_OK);
    assert_int_equal(len, 2 * SECRET_REPEATS);
    assert_int_equal(count_in_memory(), 0);

    char *copy = malloc(2 * SECRET_REPEATS); /* it can be found */
    assert_non_null(copy);
    for (int n = 0; n < 2 * SECRET_REPEATS; n++) {
        copy[n] = n % 2 ? '7' : 'k';
    }
    assert_true(count_in_memory() > 0);
    explicit_bzero(copy, 2 * SECRET_REPEATS);
    free(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_that_was_read_stays_in_memory),
    };
    be_elsewhere(argc, argv);
    return cmocka_run_group_tests_name("store-sqlite and secrets", tests, NULL, NULL);
}
