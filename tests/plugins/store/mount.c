/* SPDX-License-Identifier: Apache-2.0 */
#include "mount.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int set_up_in_memory(void **state)
{
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1); /* thousands of saves, none of them worth a disk */
    }
    return set_up(state);
}

char inside[750];
char inside_dir[700];

void mount_file(const struct fixture *f)
{
    snprintf(inside_dir, sizeof(inside_dir), "%s/container", f->dir);
    snprintf(inside, sizeof(inside), "%s/data.sqlite3", inside_dir);
    REQUIRE(mkdir(inside_dir, 0700) == 0);
    int fd = open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && close(fd) == 0);
    REQUIRE(mount(f->path, inside, NULL, MS_BIND, NULL) == 0);
}

static int keep_text(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, VALUE_MAX, "%s", values[0]);
    return 0;
}

const char *query(const char *path, const char *text)
{
    static char result[VALUE_MAX];
    sqlite3 *db;
    result[0] = '\0';
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    int rc = sqlite3_exec(db, text, keep_text, result, NULL);
    if (rc != SQLITE_OK) {
        snprintf(result, sizeof(result), "%s", sqlite3_errmsg(db));
    }
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
    return result;
}

bool is_outside(const struct fixture *f, const char *value)
{
    const char *found = query(f->path, "SELECT rtrim(value) FROM auth_kv WHERE key = 'k'");
    if (strcmp(found, value) != 0) {
        fprintf(stderr, "'%.40s' is there, not '%.40s'\n", found, value);
        return false;
    }
    return strcmp(query(f->path, "PRAGMA integrity_check"), "ok") == 0;
}

const char *of_length(char letter, size_t len)
{
    static char text[2][VALUE_MAX];
    char *value = text[letter == 'n'];
    REQUIRE(len < VALUE_MAX);
    memset(value, letter, len);
    value[len] = '\0';
    return value;
}

const char *put_outside(const struct fixture *f, size_t len)
{
    static char text[2 * VALUE_MAX + 100];
    const char *old = of_length('o', len);
    snprintf(text, sizeof(text), "INSERT OR REPLACE INTO auth_kv VALUES ('k', '%.*s')", (int)len,
             old);
    REQUIRE(*query(f->path, text) == '\0');
    return old;
}

static aq_status refuse_or_swap(struct instance *i, const char *old, const char *new)
{
    REQUIRE(i->ops->lock(i->self, &i->err) == AQ_OK);
    REQUIRE(instance_get(i, "k") == AQ_OK); /* the first is what is renewed */
    REQUIRE(instance_get(i, "other") == AQ_E_NOTFOUND);
    aq_status status = i->ops->can_save(i->self, &i->err);
    if (status == AQ_OK) {
        status = instance_swap(i, "k", old, new);
    }
    i->ops->unlock(i->self);
    return status;
}

aq_status renew(const char *old, const char *new, struct aq_error *ret)
{
    struct instance i;
    instance_open_sqlite(&i, inside);
    aq_status status = refuse_or_swap(&i, old, new);
    *ret = i.err;
    instance_close(&i);
    return status;
}
