/* SPDX-License-Identifier: Apache-2.0 */
#include "company.h"

#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1); /* who waits here waits for others, and not for a disk */
    }
    f->dir = dir_make();
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    instance_open_sqlite(&f->store, f->path);
    assert_int_equal(instance_put(&f->store, "k", "0"), AQ_OK);
    *state = f;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *f = *state;
    instance_close(&f->store);
    dir_remove(f->dir);
    free(f);
    return 0;
}

int sql_elsewhere(const char *path, const char *text)
{
    char self[] = "/proc/self/exe", command[] = "sql";
    char *argv[] = { self, command, (char *)path, (char *)text, NULL };
    pid_t pid;
    int status;
    assert_int_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void be_elsewhere(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "sql") == 0) {
        sqlite3 *db;
        int rc = sqlite3_open(argv[2], &db);
        _exit(rc == SQLITE_OK ? sqlite3_exec(db, argv[3], NULL, NULL, NULL) : rc);
    }
}

void interrupt_a_save(const char *path)
{
    static const char interrupted[] =
        "PRAGMA cache_size=2; BEGIN; UPDATE auth_kv SET value = 'uncommitted' WHERE key = 'k';"
        "INSERT INTO conversations SELECT column1, hex(zeroblob(200000))"
        " FROM (VALUES (1), (2), (3))";
    char journal[700];
    struct stat st;
    assert_int_equal(sql_elsewhere(path, interrupted), SQLITE_OK);
    snprintf(journal, sizeof(journal), "%s-journal", path);
    assert_int_equal(stat(journal, &st), 0);
}

pid_t start_child(void (*run)(const struct fixture *), const struct fixture *f, uid_t uid)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        if (uid && (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)) {
            _exit(99);
        }
        run(f);
        exit(0); /* with everything that looks at the end: leaks, coverage */
    }
    return pid;
}
