/* SPDX-License-Identifier: Apache-2.0 */
/* A database that is mounted as a single file, as into a container. For children in a mount
 * namespace of their own (child_run_in_namespace): what is not so ends them. */
#ifndef AQ_TESTS_STORE_MOUNT_H
#define AQ_TESTS_STORE_MOUNT_H

#include "child.h"
#include "database.h"

#include <stdbool.h>

enum {
    PAGE = 4096,
    VALUE_MAX = 4 * PAGE,
};

/* The same file by both names: "f->path" is outside, this one in the container. */
extern char inside[750];
extern char inside_dir[700];

/* set_up with the database in memory, where that can be had. */
int set_up_in_memory(void **state);

void mount_file(const struct fixture *f);

/* Run SQL with the system's SQLite: its last text, or why it failed. Overwritten by the next call.
 */
const char *query(const char *path, const char *text);

/* Outside is a sound database with this value, whatever blanks are behind it. */
bool is_outside(const struct fixture *f, const char *value);

/* A value of that length. One of 'n' and one of another letter can be had at once. */
const char *of_length(char letter, size_t len);

/* The old value outside, of that length. */
const char *put_outside(const struct fixture *f, size_t len);

/* What a refresh does, in the container. */
aq_status renew(const char *old, const char *new, struct aq_error *ret);

#endif
