/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that the private SQLite of store-sqlite gets. */
#include "engine.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* What pool.c does: one descriptor for all locks of the database. */
static int database_fd = -1, lock_fd = -1;

int pool_lock_descriptor(int fd)
{
    return fd == database_fd ? lock_fd : fd;
}

static int (*hook)(int fd, int command, ...);

static int set_up(void **state)
{
    static char path[] = "/tmp/aq-engine-XXXXXX";
    struct aq_error err;
    sqlite3 *db;
    lock_fd = mkostemp(path, O_CLOEXEC);
    assert_true(lock_fd >= 0);
    assert_int_equal(engine_open(path, lock_fd, true, &db, &database_fd, &err), AQ_OK);
    assert_int_equal(unlink(path), 0);
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    hook = (int (*)(int, int, ...))vfs->xGetSystemCall(vfs, "fcntl");
    assert_non_null(hook);
    *state = db;
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(sqlite3_close(*state), SQLITE_OK);
    return close(lock_fd);
}

static void a_lock_is_one_of_the_file_that_all_connections_share(void **state)
{
    (void)state;
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 8, .l_len = 1 };
    assert_int_equal(hook(database_fd, F_SETLK, &lock), 0);
    struct flock asked = lock;
    assert_int_equal(fcntl(lock_fd, F_OFD_GETLK, &asked), 0);
    assert_int_equal(asked.l_type, F_UNLCK); /* its own is not in the way */
    asked = lock;
    assert_int_equal(fcntl(database_fd, F_OFD_GETLK, &asked), 0);
    assert_int_equal(asked.l_type, F_WRLCK);
    asked = lock;
    assert_int_equal(hook(database_fd, F_GETLK, &asked), 0);
    assert_int_equal(asked.l_type, F_UNLCK);
}

/* The SQLite we know asks for nothing else, a later one may. */
static void what_is_no_lock_is_passed_on(void **state)
{
    (void)state;
    assert_int_equal(hook(database_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(hook(database_fd, F_SETFD, 0), 0);
    assert_int_equal(fcntl(database_fd, F_GETFD), 0);
    assert_int_equal(fcntl(lock_fd, F_GETFD), FD_CLOEXEC);
}

/* Only what lies beside a database belongs to whom that does. */
static void a_file_of_another_kind_is_opened_as_it_is_asked_for(void **state)
{
    char dir[] = "/tmp/aqXXXXXX", path[64];
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    int (*open_file)(const char *, int, int) =
        (int (*)(const char *, int, int))vfs->xGetSystemCall(vfs, "open");
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/temporary", dir);
    int fd = open_file(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_is_one_of_the_file_that_all_connections_share),
        cmocka_unit_test(what_is_no_lock_is_passed_on),
        cmocka_unit_test(a_file_of_another_kind_is_opened_as_it_is_asked_for),
    };
    return cmocka_run_group_tests_name("store-sqlite-engine", tests, set_up, tear_down);
}
