/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of sites, and that nothing in the file can do harm. */
#include "base/alloc.h"
#include "base/str.h"
#include "cmocka_all.h"
#include "host/accepted.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[64];
static char file[128];

static int make_cache(void **state)
{
    (void)state;
    snprintf(home, sizeof(home), "/tmp/aq-accepted-XXXXXX");
    assert_non_null(mkdtemp(home));
    snprintf(file, sizeof(file), "%s/amazonq/endpoints", home);
    setenv("XDG_CACHE_HOME", home, 1);
    return 0;
}

static int remove_cache(void **state)
{
    char dir[96];
    (void)state;
    unlink(file);
    snprintf(dir, sizeof(dir), "%s/amazonq", home);
    rmdir(dir);
    return rmdir(home);
}

static struct accepted_key login(const char *arn)
{
    return accepted_key(AQ_STR("q-cli"), AQ_STR("https://x.awsapps.com/start"), str_from(arn));
}

/* What another process finds. */
static void expect(const char *arn, const char *site)
{
    AUTO(accepted) struct accepted other = { 0 };
    const struct accepted_key key = login(arn);
    struct aq_str found = accepted_find(&other, &key);
    assert_int_equal(found.len, strlen(site));
    assert_memory_equal(found.ptr ? found.ptr : "", site, found.len);
}

static void set(const char *arn, const char *site)
{
    AUTO(accepted) struct accepted a = { 0 };
    const struct accepted_key key = login(arn);
    accepted_set(&a, &key, str_from(site));
}

static void write_file(const char *text)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void what_is_set_is_found_by_others_for_this_login_only(void **state)
{
    (void)state;
    set("a", "kiro");
    expect("a", "kiro");
    expect("b", "");
    set("b", "q");
    set("a", "q");
    expect("a", "q");
    expect("b", "q");
    set("a", "");
    expect("a", "");
    expect("b", "q");
}

static void the_file_is_private_and_names_nobody(void **state)
{
    char text[256] = "";
    struct stat info;
    (void)state;
    set("arn:aws:codewhisperer:us-east-1:1:profile/SECRET", "kiro");
    assert_int_equal(stat(file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    assert_non_null(fgets(text, sizeof(text), in));
    fclose(in);
    assert_int_equal(strlen(text), SHA256_HEX_LEN + strlen(" kiro\n"));
    assert_null(strstr(text, "SECRET"));
}

static void a_login_that_nothing_is_known_of_leaves_no_file(void **state)
{
    struct stat info;
    (void)state;
    expect("a", "");
    set("a", "");
    set("a", "not/a/name");
    assert_int_equal(stat(file, &info), -1);
}

static void a_damaged_file_counts_as_empty_and_is_written_anew(void **state)
{
    static const char *const damage[] = { "", "\n\n", "x kiro\n", "\xff\xfe", "kiro" };
    (void)state;
    set("a", "kiro");
    for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        write_file(damage[i]);
        expect("a", "");
        set("a", "kiro");
        expect("a", "kiro");
    }
}

static void a_line_without_a_name_counts_for_nothing(void **state)
{
    const struct accepted_key key = login("a");
    char line[3 * sizeof(key.hex) + 32];
    (void)state;
    set("b", "kiro");
    snprintf(line, sizeof(line), "%s \n%s Kiro\n%s../x\n", key.hex, key.hex, key.hex);
    write_file(line);
    expect("a", "");
}

static void a_file_that_others_can_write_or_that_is_a_link_counts_for_nothing(void **state)
{
    char elsewhere[160];
    (void)state;
    set("a", "kiro");
    assert_int_equal(chmod(file, 0666), 0);
    expect("a", "");
    assert_int_equal(chmod(file, 0600), 0);
    expect("a", "kiro");
    snprintf(elsewhere, sizeof(elsewhere), "%s.old", file);
    assert_int_equal(rename(file, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, file), 0);
    expect("a", "");
    assert_int_equal(unlink(elsewhere), 0);
}

static void the_newest_logins_are_kept(void **state)
{
    char arn[16];
    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(arn, sizeof(arn), "login %d", i);
        set(arn, "kiro");
    }
    expect("login 0", "");
    expect("login 39", "kiro");
    expect("login 8", "kiro");
}

static void what_cannot_be_written_is_known_to_this_client_all_the_same(void **state)
{
    AUTO(accepted) struct accepted a = { 0 };
    const struct accepted_key key = login("a");
    (void)state;
    setenv("XDG_CACHE_HOME", "/proc/none", 1);
    accepted_set(&a, &key, AQ_STR("kiro"));
    assert_int_equal(accepted_find(&a, &key).len, strlen("kiro"));
    setenv("XDG_CACHE_HOME", home, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_cache, remove_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_set_is_found_by_others_for_this_login_only),
        CASE(the_file_is_private_and_names_nobody),
        CASE(a_login_that_nothing_is_known_of_leaves_no_file),
        CASE(a_damaged_file_counts_as_empty_and_is_written_anew),
        CASE(a_line_without_a_name_counts_for_nothing),
        CASE(a_file_that_others_can_write_or_that_is_a_link_counts_for_nothing),
        CASE(the_newest_logins_are_kept),
        CASE(what_cannot_be_written_is_known_to_this_client_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
