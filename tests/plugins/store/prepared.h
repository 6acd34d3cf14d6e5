/* SPDX-License-Identifier: Apache-2.0 */
/* An open store-sqlite, and its database, which the test prepares and inspects with the system's
 * SQLite: as the existing CLI would, and beside the plugin's own. */
#ifndef AQ_TESTS_STORE_PREPARED_H
#define AQ_TESTS_STORE_PREPARED_H

#include "instance.h"
#include "sql.h"

struct fixture {
    char *dir;
    char path[600]; /* nothing is there at first */
    struct instance store;
};

int set_up(void **state);
int tear_down(void **state);

/* A database of the existing CLI's, private, and more SQL for it or NULL. */
void make(const struct fixture *f, const char *more);

unsigned mode_of(const char *path);
void put_file(const char *path, const char *bytes, size_t len);

/* The last error says this. */
void assert_text_has(const struct fixture *f, const char *part);

#endif
