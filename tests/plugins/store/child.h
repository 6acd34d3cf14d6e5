/* SPDX-License-Identifier: Apache-2.0 */
/* Children of a test: forked, killed with it, and reaped by it. */
#ifndef AQ_TESTS_STORE_CHILD_H
#define AQ_TESTS_STORE_CHILD_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/* In a child cmocka cannot be used: it would jump into the parent's test. */
#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1); \
        } \
    } while (0)

/* Run a function in a forked child; it ends with exit code 0 if the function returns. */
pid_t child_start(void (*run)(void *arg), void *arg);

/* Wait for a child: its exit code, or a negative signal. */
int child_end(pid_t pid);

/* Run a function in a child and a mount namespace of its own, which ends with it. The test is
 * skipped where that is not permitted, and fails unless the function returns. */
void child_run_in_namespace(void (*run)(void *arg), void *arg);

#endif
