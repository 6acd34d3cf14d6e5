/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises where it may not write, or where others can: files and directories of
 * other users, read-only ones, paths that change, mounts, a full disk. */
#include "company.h"
#include "rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { OTHER_UID = 1000 };

/* places where it may not write */

static void skip_unless_root(void)
{
    if (geteuid() != 0) {
        print_message("needs root\n");
        skip();
    }
}

static void give_away(const struct fixture *f, mode_t dir_mode, mode_t file_mode)
{
    assert_int_equal(chown(f->path, OTHER_UID, OTHER_UID), 0);
    assert_int_equal(chown(f->dir, OTHER_UID, OTHER_UID), 0);
    assert_int_equal(chmod(f->path, file_mode), 0);
    assert_int_equal(chmod(f->dir, dir_mode), 0);
}

static void read_but_not_write(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_READONLY);
    REQUIRE(instance_says(&i, f->dir));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY);
    REQUIRE(instance_says(&i, f->dir));
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    instance_close(&i);
}

static void a_read_only_file_is_read_and_not_written(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    give_away(f, 0700, 0400);
    assert_int_equal(child_end(start_child(read_but_not_write, f, OTHER_UID)), 0);
}

static void a_file_in_a_read_only_directory_is_read_and_not_written(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    give_away(f, 0500, 0600);
    assert_int_equal(child_end(start_child(read_but_not_write, f, OTHER_UID)), 0);
}

static void refuse_interrupted(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(instance_says(&i, "interrupted"));
    instance_close(&i);
}

static void an_interrupted_save_in_a_read_only_place_is_an_error_not_a_wrong_value(void **state)
{
    struct fixture *f = *state;
    char journal[700];
    skip_unless_root();
    interrupt_a_save(f->path);
    snprintf(journal, sizeof(journal), "%s-journal", f->path);
    assert_int_equal(chown(journal, OTHER_UID, OTHER_UID), 0);
    give_away(f, 0500, 0400);
    assert_int_equal(child_end(start_child(refuse_interrupted, f, OTHER_UID)), 0);
    rounds_report("S7", "journal of an interrupted save in a read-only place: an error", 1);
}

static void refuse_foreign(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(instance_says(&i, "belongs to uid 0 and this is uid 1000"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_DENIED);
    instance_close(&i);
}

static void the_file_of_another_user_is_refused(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(child_end(start_child(refuse_foreign, f, OTHER_UID)), 0);
    assert_int_equal(chown(f->dir, OTHER_UID, OTHER_UID), 0);
    assert_int_equal(child_end(start_child(refuse_foreign, f, OTHER_UID)), 0);
}

static void refuse_foreign_directory(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(instance_says(&i, "the directory belongs to uid 1001 and this is uid 1000"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_DENIED);
    instance_close(&i);
}

static void the_directory_of_another_user_is_refused(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    give_away(f, 0755, 0600);
    assert_int_equal(chown(f->dir, OTHER_UID + 1, OTHER_UID + 1), 0);
    assert_int_equal(child_end(start_child(refuse_foreign_directory, f, OTHER_UID)), 0);
}

static void root_in_a_container_may_use_the_file_of_a_user(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    skip_unless_root();
    give_away(f, 0700, 0600);
    assert_int_equal(instance_put(&f->store, "k", "1"), AQ_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_uid, OTHER_UID);
}

/* paths that change */

enum { SWAPS = 100 };

static void swap_forever(const struct fixture *f)
{
    char link_path[700];
    snprintf(link_path, sizeof(link_path), "%s/link", f->dir);
    for (;;) {
        REQUIRE(renameat2(AT_FDCWD, f->path, AT_FDCWD, link_path, RENAME_EXCHANGE) == 0);
    }
}

static void read_while_swapped(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    aq_status status = instance_get(&i, "k");
    REQUIRE(status == AQ_E_DENIED || (status == AQ_OK && strcmp(i.value, "0") == 0));
    instance_close(&i);
}

static void a_path_swapped_with_a_link_never_leads_to_the_links_target(void **state)
{
    struct fixture *f = *state;
    struct instance evil;
    char path[700], link_path[700];
    snprintf(path, sizeof(path), "%s/evil/data.sqlite3", f->dir);
    snprintf(link_path, sizeof(link_path), "%s/link", f->dir);
    instance_open_sqlite(&evil, path);
    assert_int_equal(instance_put(&evil, "k", "evil"), AQ_OK);
    instance_close(&evil);
    assert_int_equal(symlink(path, link_path), 0);

    pid_t swapper = start_child(swap_forever, f, 0);
    for (int n = 0; n < SWAPS; n++) {
        assert_int_equal(child_end(start_child(read_while_swapped, f, 0)), 0);
    }
    assert_int_equal(kill(swapper, SIGKILL), 0);
    assert_int_equal(child_end(swapper), -SIGKILL);
}

/* mounts, in a namespace of their own */

/* The file alone, mounted as it is into another directory. */
static void mount_file(const struct fixture *f, char *path, size_t cap)
{
    snprintf(path, cap, "%s/container", f->dir);
    REQUIRE(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, cap, "%s/container/data.sqlite3", f->dir);
    FILE *target = fopen(path, "w");
    REQUIRE(target && fclose(target) == 0);
    REQUIRE(mount(f->path, path, NULL, MS_BIND, NULL) == 0);
}

static void use_mounted_wal(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    char path[700];
    mount_file(f, path, sizeof(path));
    instance_open_sqlite(&i, path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(instance_says(&i, "WAL"));
    instance_close(&i);
}

static void a_wal_file_mounted_by_itself_is_not_believed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_elsewhere(f->path, "PRAGMA journal_mode=WAL"), SQLITE_OK);
    child_run_in_namespace(use_mounted_wal, f);
}

static void use_stale_journal(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    char path[700], from[700], to[750];
    mount_file(f, path, sizeof(path));
    snprintf(from, sizeof(from), "%s-journal", f->path);
    snprintf(to, sizeof(to), "%s-journal", path);
    REQUIRE(rename(from, to) == 0);
    instance_open_sqlite(&i, path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(instance_says(&i, "mount its directory"));
    instance_close(&i);
    REQUIRE(access(to, F_OK) == 0);
}

static void a_journal_beside_a_file_mounted_by_itself_is_not_played_back(void **state)
{
    struct fixture *f = *state;
    interrupt_a_save(f->path);
    child_run_in_namespace(use_stale_journal, f);
}

static void use_read_only_mount(void *arg)
{
    const struct fixture *f = arg;
    REQUIRE(mount(f->dir, f->dir, NULL, MS_BIND, NULL) == 0);
    REQUIRE(mount(NULL, f->dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
    read_but_not_write(f);
}

static void a_read_only_mount_is_read_and_not_written(void **state)
{
    child_run_in_namespace(use_read_only_mount, *state);
}

static void fill_the_disk(const struct fixture *f)
{
    char block[4096] = { 0 };
    char path[700];
    snprintf(path, sizeof(path), "%s/fill", f->dir);
    FILE *file = fopen(path, "w");
    REQUIRE(file);
    setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(block, 1, sizeof(block), file) == sizeof(block)) {
    }
    fclose(file);
}

static void use_full_disk(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(mount("none", f->dir, "tmpfs", 0, "size=256k,mode=0700") == 0);
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_put(&i, "k", "0") == AQ_OK);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_OK); /* puts space aside */
    fill_the_disk(f);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK); /* and uses it */
    fill_the_disk(f);
    fill_the_disk(f);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_IO);
    REQUIRE(i.err.sys == ENOSPC);
    REQUIRE(instance_put(&i, "k", "2") == AQ_E_IO);
    REQUIRE(i.err.sys == ENOSPC);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "1") == 0);
    instance_close(&i);
}

static void a_full_disk_is_noticed_before_and_loses_nothing(void **state)
{
    child_run_in_namespace(use_full_disk, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_read_only_file_is_read_and_not_written),
        TEST(a_file_in_a_read_only_directory_is_read_and_not_written),
        TEST(an_interrupted_save_in_a_read_only_place_is_an_error_not_a_wrong_value),
        TEST(the_file_of_another_user_is_refused),
        TEST(the_directory_of_another_user_is_refused),
        TEST(root_in_a_container_may_use_the_file_of_a_user),
        TEST(a_path_swapped_with_a_link_never_leads_to_the_links_target),
        TEST(a_wal_file_mounted_by_itself_is_not_believed),
        TEST(a_journal_beside_a_file_mounted_by_itself_is_not_played_back),
        TEST(a_read_only_mount_is_read_and_not_written),
        TEST(a_full_disk_is_noticed_before_and_loses_nothing),
    };
    be_elsewhere(argc, argv);
    return cmocka_run_group_tests_name("store-sqlite where it may not write", tests, NULL, NULL);
}
