/* SPDX-License-Identifier: Apache-2.0 */
/* What store-keyring promises beyond every store's contract, on an unlocked gnome-keyring. */
#include "instance.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WRITERS = 3, ROUNDS = 8 };

static aq_status open_with(struct instance *i, const char *key, const char *value)
{
    const struct plugin_setting settings[] = {
        { key ? key : "login", key ? value : "default" }, /* the first one counts */
        { "bus_address", getenv("DBUS_SESSION_BUS_ADDRESS") },
        { "runtime_dir", getenv("XDG_RUNTIME_DIR") },
        { NULL, NULL },
    };
    memset(i, 0, sizeof(*i));
    plugin_host_load(&i->host, "store-keyring", settings);
    i->ops = i->host.plugin->store;
    return i->ops->open(&i->host.args, &i->self, &i->err);
}

static void a_login_of_another_name_is_another_login(void **state)
{
    struct instance one;
    struct instance two;
    (void)state;
    assert_int_equal(open_with(&one, "login", "one"), AQ_OK);
    assert_int_equal(open_with(&two, "login", "on"), AQ_OK); /* the beginning of the other */
    assert_int_equal(instance_put(&one, "a", "1"), AQ_OK);
    assert_int_equal(instance_get(&two, "a"), AQ_E_NOTFOUND);
    assert_int_equal(one.ops->lock(one.self, &one.err), AQ_OK);
    assert_int_equal(two.ops->lock(two.self, &two.err), AQ_OK);
    assert_int_equal(instance_remove(&one, "a"), AQ_OK);
    instance_close(&one);
    instance_close(&two);
}

static void settings_that_cannot_be_are_refused(void **state)
{
    static const char *const names[] = {
        "",
        "Upper",
        "1st",
        "a b",
        "a.b",
        "a/b",
        "a-name-of-sixty-five-characters-which-is-one-more-than-there-may-be",
    };
    struct instance i;
    (void)state;
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        assert_int_equal(open_with(&i, "login", names[n]), AQ_E_INVALID);
        plugin_host_done(&i.host);
    }
    assert_int_equal(open_with(&i, "backend", "file"), AQ_E_INVALID);
    assert_non_null(strstr(i.err.text, "SECRET_BACKEND"));
    plugin_host_done(&i.host);
}

static void a_keyring_that_does_not_exist_has_no_keys_and_takes_none(void **state)
{
    struct instance i;
    (void)state;
    assert_int_equal(open_with(&i, "collection", "nobody-made-it"), AQ_OK);
    assert_int_equal(instance_get(&i, "a"), AQ_E_NOTFOUND);
    assert_int_equal(i.ops->can_save(i.self, &i.err), AQ_E_UNAVAILABLE);
    assert_non_null(strstr(i.err.text, "create one"));
    assert_int_equal(instance_put(&i, "a", "1"), AQ_E_UNAVAILABLE);
    instance_close(&i);
}

static void text_of_a_megabyte_is_kept_and_what_is_no_text_is_refused(void **state)
{
    const size_t len = AQ_STORE_VALUE_MAX;
    char *big = malloc(len + 1);
    struct aq_change change = { .key = str_of("big"), .action = AQ_CHANGE_PUT };
    struct plugin_entry *found = NULL;
    struct instance i;
    (void)state;
    assert_non_null(big);
    for (size_t at = 0; at < len; at++) {
        big[at] = "\\\"{}\xc3\xa9,\n"[at % 8];
    }
    instance_open_here(&i, "store-keyring");
    change.value = (struct aq_bytes){ (uint8_t *)big, len };
    assert_int_equal(instance_commit(&i, &change, 1), AQ_OK);
    assert_int_equal(i.ops->get(i.self, change.key, &found, &i.err), AQ_OK);
    assert_int_equal(found->value_len, len);
    assert_memory_equal(found->value, big, len);
    plugin_entries_free(found);
    change.value.len = len + 1;
    assert_int_equal(instance_commit(&i, &change, 1), AQ_E_INVALID);
    change.value = (struct aq_bytes){ (const uint8_t *)"a\0b", 3 };
    assert_int_equal(instance_commit(&i, &change, 1), AQ_E_INVALID);
    change.value = bytes_of("\xff");
    assert_int_equal(instance_commit(&i, &change, 1), AQ_E_INVALID);
    assert_int_equal(instance_remove(&i, "big"), AQ_OK);
    instance_close(&i);
    free(big);
}

/* Counts up by comparing and swapping, as often as it takes. */
static void *count_up(void *unused)
{
    struct instance i;
    (void)unused;
    instance_open_here(&i, "store-keyring");
    for (int round = 0; round < ROUNDS;) {
        char next[16];
        assert_int_equal(instance_get(&i, "count"), AQ_OK);
        snprintf(next, sizeof(next), "%d", atoi(i.value) + 1);
        char seen[sizeof(i.value)];
        memcpy(seen, i.value, sizeof(seen));
        aq_status st = instance_swap(&i, "count", seen, next);
        assert_true(st == AQ_OK || st == AQ_E_CHANGED);
        round += st == AQ_OK;
    }
    instance_close(&i);
    return NULL;
}

static void no_update_is_lost_among_threads(void **state)
{
    pthread_t threads[WRITERS];
    struct instance i;
    (void)state;
    instance_open_here(&i, "store-keyring");
    assert_int_equal(instance_put(&i, "count", "0"), AQ_OK);
    for (size_t t = 0; t < WRITERS; t++) {
        assert_int_equal(pthread_create(&threads[t], NULL, count_up, NULL), 0);
    }
    for (size_t t = 0; t < WRITERS; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    }
    char expected[16];
    snprintf(expected, sizeof(expected), "%d", WRITERS * ROUNDS);
    assert_int_equal(instance_get(&i, "count"), AQ_OK);
    assert_string_equal(i.value, expected);
    assert_int_equal(instance_remove(&i, "count"), AQ_OK);
    instance_close(&i);
}

static void without_a_runtime_directory_the_bus_alone_excludes(void **state)
{
    struct instance one;
    struct instance two;
    (void)state;
    assert_int_equal(open_with(&one, NULL, NULL), AQ_OK);
    assert_int_equal(one.ops->lock(one.self, &one.err), AQ_OK);
    const struct plugin_setting settings[] = {
        { "bus_address", getenv("DBUS_SESSION_BUS_ADDRESS") },
        { NULL, NULL },
    };
    instance_open(&two, "store-keyring", settings);
    assert_int_equal(two.ops->lock(two.self, &two.err), AQ_AGAIN);
    one.ops->unlock(one.self);
    assert_int_equal(two.ops->lock(two.self, &two.err), AQ_OK);
    instance_close(&two);
    instance_close(&one);
}

/* ---- the locks ---- */

static const char *in_new_directory(const char *name)
{
    static char dir[64];
    static char path[128];
    snprintf(dir, sizeof(dir), "%s/locks-XXXXXX", getenv("XDG_RUNTIME_DIR"));
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static aq_status open_in(struct instance *i, const char *path)
{
    char dir[128];
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    return open_with(i, "runtime_dir", dir);
}

/* Whoever has no place for a file, or one that is not his alone, goes without it: the name on the
 * bus excludes all the same. */
static void a_place_that_is_not_private_is_not_used(void **state)
{
    enum { NOTHING_AT_ALL, A_FILE, A_LINK, OPEN_TO_ALL, OF_SOMEBODY_ELSE, CASES };
    (void)state;
    for (int c = 0; c < CASES; c++) {
        struct instance one;
        struct instance two;
        const char *path = in_new_directory("amazonq");
        if (c == A_FILE) {
            fclose(fopen(path, "w"));
        } else if (c == A_LINK) {
            assert_int_equal(symlink("/tmp", path), 0);
        } else if (c == OPEN_TO_ALL) {
            assert_int_equal(mkdir(path, 0700), 0);
            assert_int_equal(chmod(path, 0777), 0);
        } else if (c == OF_SOMEBODY_ELSE) {
            assert_int_equal(mkdir(path, 0700), 0);
            if (chown(path, 1234, 1234) != 0) {
                continue; /* not root */
            }
        }
        assert_int_equal(c == NOTHING_AT_ALL ? open_with(&one, "runtime_dir", "/nowhere")
                                             : open_in(&one, path),
                         AQ_OK);
        assert_int_equal(one.ops->lock(one.self, &one.err), AQ_OK);
        instance_open_here(&two, "store-keyring");
        assert_int_equal(two.ops->lock(two.self, &two.err), AQ_AGAIN);
        instance_close(&two);
        instance_close(&one); /* lets go of it */
        char lock[256];
        snprintf(lock, sizeof(lock), "%s/org.libamazonq.Keyring1.Refresh.default.lock", path);
        assert_int_equal(access(lock, F_OK), -1);
    }
}

static void something_else_in_the_place_of_the_file_is_an_error(void **state)
{
    struct instance i;
    char lock[256];
    const char *path = in_new_directory("amazonq");
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(lock, sizeof(lock), "%s/org.libamazonq.Keyring1.Refresh.default.lock", path);
    assert_int_equal(mkdir(lock, 0700), 0);
    assert_int_equal(open_in(&i, path), AQ_OK);
    assert_int_equal(i.ops->lock(i.self, &i.err), AQ_E_IO);
    assert_non_null(strstr(i.err.text, lock));
    i.ops->unlock(i.self); /* nothing is held */
    assert_int_equal(rmdir(lock), 0);
    assert_int_equal(i.ops->lock(i.self, &i.err), AQ_OK);
    i.ops->unlock(i.self);
    assert_int_equal(i.ops->lock(i.self, &i.err), AQ_OK);
    instance_close(&i);
}

/* ---- what cannot be ---- */

static void changes_that_make_no_sense_are_refused(void **state)
{
    const struct aq_change cases[] = {
        { .key = str_of("a"), .expect = 3 },
        { .key = str_of("a"), .expect = -1 },
        { .key = str_of("a"), .action = 3 },
        { .key = str_of(""), .action = AQ_CHANGE_REMOVE },
        { .key = str_of("\xff"), .action = AQ_CHANGE_REMOVE },
    };
    struct instance i;
    (void)state;
    instance_open_here(&i, "store-keyring");
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        assert_int_equal(instance_commit(&i, &cases[c], 1), AQ_E_INVALID);
    }
    instance_close(&i);
    i.ops->close(NULL);
}

static void without_a_bus_every_function_says_so(void **state)
{
    struct instance i;
    (void)state;
    assert_int_equal(open_with(&i, "bus_address", "unix:path=/nowhere"), AQ_OK);
    assert_int_equal(instance_get(&i, "a"), AQ_E_UNAVAILABLE);
    assert_int_equal(instance_put(&i, "a", "1"), AQ_E_UNAVAILABLE);
    assert_int_equal(i.ops->can_save(i.self, &i.err), AQ_E_UNAVAILABLE);
    assert_int_equal(i.ops->lock(i.self, &i.err), AQ_E_UNAVAILABLE);
    assert_int_equal(i.ops->list(i.self, NULL, &i.err), AQ_E_UNAVAILABLE);
    assert_non_null(strstr(i.err.text, "session bus: "));
    instance_close(&i);
}

static void an_empty_value_is_a_value(void **state)
{
    struct instance i;
    (void)state;
    instance_open_here(&i, "store-keyring");
    assert_int_equal(instance_put(&i, "a", ""), AQ_OK);
    assert_int_equal(instance_swap(&i, "a", "", "1"), AQ_OK);
    assert_int_equal(instance_swap(&i, "a", "", "2"), AQ_E_CHANGED);
    assert_int_equal(instance_remove(&i, "a"), AQ_OK);
    assert_int_equal(instance_remove(&i, "a"), AQ_OK); /* nothing to do */
    instance_close(&i);
}

static void a_forked_child_is_told_so_and_the_parent_is_unharmed(void **state)
{
    struct instance i;
    int ended = 0;
    (void)state;
    instance_open_here(&i, "store-keyring");
    assert_int_equal(instance_put(&i, "a", "1"), AQ_OK);
    pid_t child = fork();
    if (child == 0) {
        struct aq_error err;
        struct plugin_entry *found = NULL;
        aq_status st = i.ops->get(i.self, str_of("a"), &found, &err);
        _exit(st == AQ_E_FORKED ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    assert_int_equal(instance_get(&i, "a"), AQ_OK);
    assert_int_equal(instance_remove(&i, "a"), AQ_OK);
    instance_close(&i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_of_another_name_is_another_login),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
        cmocka_unit_test(a_keyring_that_does_not_exist_has_no_keys_and_takes_none),
        cmocka_unit_test(text_of_a_megabyte_is_kept_and_what_is_no_text_is_refused),
        cmocka_unit_test(no_update_is_lost_among_threads),
        cmocka_unit_test(without_a_runtime_directory_the_bus_alone_excludes),
        cmocka_unit_test(a_place_that_is_not_private_is_not_used),
        cmocka_unit_test(something_else_in_the_place_of_the_file_is_an_error),
        cmocka_unit_test(changes_that_make_no_sense_are_refused),
        cmocka_unit_test(without_a_bus_every_function_says_so),
        cmocka_unit_test(an_empty_value_is_a_value),
        cmocka_unit_test(a_forked_child_is_told_so_and_the_parent_is_unharmed),
    };
    return cmocka_run_group_tests_name("store-keyring", tests, NULL, NULL);
}
