/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when others delete, replace, link or move the file between any two of
 * its system calls. */
#include "rounds.h"
#include "scenes.h"
#include "sql.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { STRIDE = 7 }; /* from call to call, where not all are tried */

static struct {
    unsigned at; /* in front of the how manieth call */
    void (*happen)(void);
    const char *path;
    unsigned seen;
    bool was_looked_at; /* the path, since */
} meanwhile;

static int do_meanwhile(const struct call *c)
{
    if (scene_hides(c)) {
        return ENOENT;
    }
    bool looks = c->kind == CALL_STAT && c->path && strcmp(c->path, meanwhile.path) == 0;
    meanwhile.was_looked_at |= looks && meanwhile.seen >= meanwhile.at;
    if (++meanwhile.seen == meanwhile.at) {
        calls_refuse = NULL;
        meanwhile.happen();
        calls_refuse = do_meanwhile;
        meanwhile.was_looked_at = looks;
    }
    return 0;
}

static void name_of_other(char *path, size_t cap)
{
    snprintf(path, cap, "%.*s/other", (int)(strrchr(meanwhile.path, '/') - meanwhile.path),
             meanwhile.path);
}

static void deleted(void)
{
    unlink(meanwhile.path);
}

static void replaced_by_another(void)
{
    char other[700];
    name_of_other(other, sizeof(other));
    sql(other, STORE_SCHEMA "INSERT INTO auth_kv VALUES ('k', 'another')");
    assert_int_equal(chmod(other, 0600), 0);
    assert_int_equal(rename(other, meanwhile.path), 0);
}

static void replaced_by_link(void)
{
    char other[700];
    name_of_other(other, sizeof(other));
    assert_int_equal(rename(meanwhile.path, other), 0);
    assert_int_equal(symlink(other, meanwhile.path), 0);
}

static void given_another_name(void)
{
    char other[700];
    name_of_other(other, sizeof(other));
    assert_int_equal(link(meanwhile.path, other), 0);
}

static void opened_up(void)
{
    assert_int_equal(chmod(meanwhile.path, 0666), 0);
}

static void taken_out_of_reach(void)
{
    char dir[700], other[750];
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(meanwhile.path, '/') - meanwhile.path),
             meanwhile.path);
    struct stat st;
    if (lstat(dir, &st) == 0 && S_ISLNK(st.st_mode)) {
        assert_int_equal(unlink(dir), 0);
    } else {
        snprintf(other, sizeof(other), "%s.away", dir);
        assert_int_equal(rename(dir, other), 0);
        assert_int_equal(mkdir(dir, 0700), 0);
    }
}

static const struct {
    const char *name;
    void (*happen)(void);
} happenings[] = {
    { "deleted", deleted },
    { "replaced by another", replaced_by_another },
    { "replaced by a link", replaced_by_link },
    { "given another name", given_another_name },
    { "made writable by everybody", opened_up },
    { "taken out of reach", taken_out_of_reach },
};
enum { HAPPENINGS = sizeof(happenings) / sizeof(happenings[0]) };

static int keep_value(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, NEW_LEN + 100, "%s", values[0]);
    return 0;
}

/* What is at the path, without the store. */
static void look(const char *path, char value[NEW_LEN + 100])
{
    sqlite3 *db;
    value[0] = '\0';
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        sqlite3_exec(db, "SELECT value FROM auth_kv WHERE key = 'k'", keep_value, value, NULL);
    }
    sqlite3_close(db);
}

static bool play_meanwhile(struct fixture *f, const struct scene *scene,
                           const struct operation *operation, unsigned what)
{
    char value[NEW_LEN + 100];
    bool gone = happenings[what].happen == taken_out_of_reach;
    scene->make(f);
    scene_open_store(f);
    meanwhile.path = f->path;
    meanwhile.happen = happenings[what].happen;
    meanwhile.seen = 0;
    meanwhile.was_looked_at = false;
    calls_refuse = do_meanwhile;
    aq_status status = operation->run(f);
    calls_refuse = NULL;
    bool saves =
        operation == &operations[OPERATION_PUT] || operation == &operations[OPERATION_RENEW];
    if (status == AQ_OK && saves && meanwhile.was_looked_at && !gone) {
        look(f->path, value);
        if (strcmp(value, new_value) != 0) {
            fail_msg("%s, %s, %s in front of call %u: acknowledged, but '%.20s' is there",
                     operation->name, scene->name, happenings[what].name, meanwhile.at, value);
        }
    }
    if (status == AQ_OK && operation == &operations[OPERATION_GET]) {
        assert_true(strcmp(f->store.value, OLD) == 0 || strcmp(f->store.value, "another") == 0);
    }
    instance_close(&f->store);
    char away[650];
    snprintf(away, sizeof(away), "%s.away", f->dir);
    if (access(away, F_OK) == 0) {
        dir_remove(strdup(away));
    }
    scene_clear(f);
    return meanwhile.seen >= meanwhile.at;
}

static void
whatever_happens_to_the_file_meanwhile_no_save_into_a_lost_one_is_acknowledged(void **state)
{
    static const unsigned in_scenes[] = { SCENE_FIRST_USE, SCENE_LATER_USE, SCENE_BEHIND_LINK,
                                          SCENE_WITHOUT_PROC, SCENE_READ_ONLY_ONCE };
    static unsigned next;
    struct fixture *f = *state;
    unsigned count = 0;
    scene_clear(f);
    for (unsigned s = 0; s < sizeof(in_scenes) / sizeof(in_scenes[0]); s++) {
        for (unsigned o = 0; o <= OPERATION_RENEW; o++) {
            for (unsigned what = 0; what < HAPPENINGS; what++) {
                meanwhile.at = rounds_are_long() ? 1 : 1 + next++ % STRIDE;
                while (play_meanwhile(f, &scenes[in_scenes[s]], &operations[o], what)) {
                    meanwhile.at += rounds_are_long() ? 1 : STRIDE;
                    count++;
                }
            }
        }
    }
    assert_true(count > 100);
    rounds_report("S13", "file deleted, replaced, linked or moved between two system calls", count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whatever_happens_to_the_file_meanwhile_no_save_into_a_lost_one_is_acknowledged),
    };
    return cmocka_run_group_tests_name("store-sqlite while others change its file", tests, NULL,
                                       NULL);
}
