/* SPDX-License-Identifier: Apache-2.0 */
#include "prepared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->dir = dir_make();
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    instance_open_sqlite(&f->store, f->path);
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

void make(const struct fixture *f, const char *more)
{
    sql(f->path, STORE_SCHEMA);
    assert_int_equal(chmod(f->path, 0600), 0);
    if (more) {
        sql(f->path, more);
    }
}

unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

void put_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

void assert_text_has(const struct fixture *f, const char *part)
{
    if (!strstr(f->store.err.text, part)) {
        fail_msg("'%s' is not in '%s'", part, f->store.err.text);
    }
}
