/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock that one connection at a time can hold, among everybody who shares the bus, and that the
 * system releases when its holder dies. It is two locks: a name on the bus, which also reaches a
 * container that was given the bus's socket; and a lock of a file in the runtime directory, which
 * also reaches a program whose bus does not let it own names.
 */
#ifndef STORE_KEYRING_LOCK_H
#define STORE_KEYRING_LOCK_H

#include "bus.h"

struct lock {
    char *name;       /* on the bus */
    char *dir, *path; /* of the file; NULL without a runtime directory */
    int fd;           /* of the file while it is held, else -1 */
    bool is_held, owns_name;
};

/* purpose: "Commit" or "Refresh"; login: which one, [a-z][a-z0-9_-]* */
void lock_init(struct lock *l, const char *purpose, const char *login, struct aq_str runtime_dir);
void lock_done(struct lock *l);

/* AQ_OK, AQ_AGAIN if somebody else holds it, or why it cannot be had. Between bus_begin and
 * bus_end, like lock_leave. */
aq_status lock_try(struct lock *l, struct bus *b, struct aq_error *err);
void lock_leave(struct lock *l, struct bus *b);

#endif
