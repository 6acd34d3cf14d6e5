/* SPDX-License-Identifier: Apache-2.0 */
/* A database of its own for each case, in a directory of its own, with the value "0" under "k". */
#ifndef AQ_TESTS_STORE_DATABASE_H
#define AQ_TESTS_STORE_DATABASE_H

#include "instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    char *dir;
    char path[600];
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct instance i;
    assert_non_null(f);
    f->dir = dir_make();
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    instance_open_sqlite(&i, f->path);
    assert_int_equal(instance_put(&i, "k", "0"), AQ_OK);
    instance_close(&i);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    dir_remove(f->dir);
    free(f);
    return 0;
}

#endif
