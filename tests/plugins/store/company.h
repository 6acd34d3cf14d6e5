/* SPDX-License-Identifier: Apache-2.0 */
/* Other processes that use the database of a test, some of them as another user. The database is in
 * memory, where that can be had, and has one row: k = 0. */
#ifndef AQ_TESTS_STORE_COMPANY_H
#define AQ_TESTS_STORE_COMPANY_H

#include "child.h"
#include "instance.h"
#include "sql.h"

struct fixture {
    char *dir;
    char path[600];
    struct instance store;
};

int set_up(void **state);
int tear_down(void **state);

/* sql_try in a process of its own, which has nothing in common with this one and leaves open what
 * is open in the end. */
int sql_elsewhere(const char *path, const char *text);

/* main of a program that calls sql_elsewhere calls this first: it may be that process. */
void be_elsewhere(int argc, char **argv);

/* Leave an interrupted transaction: pages are changed on disk, the journal knows the old ones. */
void interrupt_a_save(const char *path);

/* Run a function in a forked child, as another user if uid is not 0; child_end has its exit code.
 */
pid_t start_child(void (*run)(const struct fixture *), const struct fixture *f, uid_t uid);

#endif
