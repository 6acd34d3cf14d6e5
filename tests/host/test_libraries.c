/* SPDX-License-Identifier: Apache-2.0 */
/* The corners of the search; what plugins meet in practice is in test_hostile_plugins.py. */
#include "cmocka_all.h"

#include "host/libraries.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char library[96];

static int make_library(void **state)
{
    char bytes[4096];
    size_t len;
    FILE *in = fopen(AQ_TEST_FAKES_DIR "/store-good.so", "rb");
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/aq-libraries-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(library, sizeof(library), "%s/part.so", dir);
    FILE *out = fopen(library, "wb");
    assert_non_null(in);
    assert_non_null(out);
    while ((len = fread(bytes, 1, sizeof(bytes), in))) {
        assert_int_equal(fwrite(bytes, 1, len, out), len);
    }
    fclose(in);
    fclose(out);
    return chmod(library, 0644);
}

static int remove_library(void **state)
{
    (void)state;
    unlink(library);
    return rmdir(dir);
}

static aq_status check(const char *needed, const char *search, struct aq_error *err)
{
    struct elf elf = { 0 };
    if (needed) {
        buf_add(&elf.needed, (struct aq_str){ needed, strlen(needed) + 1 });
    }
    if (search) {
        buf_add(&elf.search, (struct aq_str){ search, strlen(search) });
        buf_add_char(&elf.search, ':');
    }
    aq_status st = libraries_check("plugin", library, &elf, err);
    elf_done(&elf);
    return st;
}

static void a_plugin_that_brings_nothing_along_is_fine(void **state)
{
    struct aq_error err;
    (void)state;
    assert_int_equal(check(NULL, NULL, &err), AQ_OK);
    assert_int_equal(check("libc.so.6", NULL, &err), AQ_OK);
    assert_int_equal(check("nowhere-at-all.so", "$ORIGIN", &err), AQ_OK); /* the linker says so */
}

static void a_library_by_its_path_is_checked_where_it_is(void **state)
{
    struct aq_error err;
    (void)state;
    assert_int_equal(check(library, NULL, &err), AQ_OK);
    assert_int_equal(check("/nowhere/part.so", NULL, &err), AQ_OK);
    assert_int_equal(chmod(library, 0666), 0);
    assert_int_equal(check(library, NULL, &err), AQ_E_DENIED);
    assert_contains(err.text, "part.so can be written by others");
}

static void a_library_that_is_damaged_is_refused(void **state)
{
    struct aq_error err;
    (void)state;
    assert_int_equal(truncate(library, 100), 0);
    assert_int_equal(check("part.so", "$ORIGIN", &err), AQ_E_PLUGIN);
    assert_contains(err.text, "part.so is damaged");
}

static void a_path_that_is_too_long_is_refused_or_leads_nowhere(void **state)
{
    char longer[2 * PATH_MAX];
    struct aq_error err;
    (void)state;
    memset(longer, 'x', sizeof(longer));
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    assert_int_not_equal(check(NULL, longer, &err), AQ_OK);
    assert_int_equal(check(longer + 1, "$ORIGIN", &err), AQ_OK); /* no such file can be there */
    longer[PATH_MAX - 1] = '\0';
    assert_int_equal(check(NULL, longer, &err), AQ_OK); /* "/" is where it would be made */
}

static void a_search_path_without_end_is_refused(void **state)
{
    struct elf elf = { 0 };
    struct aq_error err;
    (void)state;
    for (int i = 0; i < 65536; i++) {
        buf_add(&elf.search, AQ_STR("$ORIGIN:"));
    }
    assert_int_equal(libraries_check("plugin", library, &elf, &err), AQ_E_DENIED);
    assert_contains(err.text, "looks in too many directories");
    elf_done(&elf);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_library, remove_library)
    const struct CMUnitTest tests[] = {
        CASE(a_plugin_that_brings_nothing_along_is_fine),
        CASE(a_library_by_its_path_is_checked_where_it_is),
        CASE(a_library_that_is_damaged_is_refused),
        CASE(a_path_that_is_too_long_is_refused_or_leads_nowhere),
        CASE(a_search_path_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
