/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process has open, once for all instances, under one mutex.
 *
 *     pool_enter -> pool_find -> pool_connect | pool_lock | pool_unlock -> pool_leave
 *
 * Descriptors and connections of a database stay open while the process lives, because closing any
 * descriptor of a file drops the POSIX locks that another SQLite in the process holds on it. Only a
 * database that was deleted or replaced is let go. Nobody sleeps in here except a COMMIT.
 *
 * A forked child starts with an empty pool and closes the inherited lock descriptors: it can
 * neither hold nor release a lock of its parent.
 */
#ifndef STORE_SQLITE_POOL_H
#define STORE_SQLITE_POOL_H

#include "place.h"

#include <amazonq/plugin.h>
#include <sqlite3.h>
#include <stdbool.h>

struct pool_file; /* one database file: an inode */

/* Number of forks between the first process and this one; an instance remembers its own. */
unsigned pool_generation(void);

#define POOL_FOREVER UINT64_MAX

/* Take the mutex. AQ_E_BUSY when it cannot be had in that time, AQ_E_FORKED when the process is not
 * of that generation. */
aq_status pool_enter(unsigned generation, uint64_t wait_us, struct aq_error *err);
void pool_leave(void);

enum pool_purpose {
    POOL_READ,  /* a file that is connected by this path already: its directory is not looked at */
    POOL_WRITE, /* directory and file are looked at every time */
    POOL_MAKE,  /* as POOL_WRITE, and the file is made if it is missing */
};

/* The file a path names now, after place_inspect. */
aq_status pool_find(const struct place *place, enum pool_purpose purpose, struct pool_file **ret,
                    struct aq_error *err);

/* Whether other users could read the file when it was found last. */
bool pool_is_exposed(const struct pool_file *file);

/* Whether no directory named the file any more when it was found last: one that is mounted by
 * itself, and was replaced where it comes from. */
bool pool_is_orphan(const struct pool_file *file);

/* Whether the path still names this file. */
bool pool_is_current(const struct pool_file *file, const struct place *place);

enum pool_access {
    POOL_READER,
    POOL_WRITER,
    POOL_IN_PLACE, /* a writer that needs no journal (in_place.h) */
};

/* A connection, kept by the pool. */
aq_status pool_connect(struct pool_file *file, const struct place *place, enum pool_access access,
                       sqlite3 **ret, struct aq_error *err);

/* Begin a transaction with this SQL; a code of SQLite. How to roll it back is prepared before: when
 * memory ran out inside, a transaction that stays would lock other programs out. */
int pool_begin(struct pool_file *file, sqlite3 *db, const char *sql);

/* To be called after each use of a connection: roll back what was not committed, wipe what it read,
 * learn whether it is in WAL mode. */
void pool_relax(struct pool_file *file, sqlite3 *db);

/* Whether a connection has been in WAL mode. */
bool pool_is_wal(const struct pool_file *file);

/* Make the file its owner's alone, 0600; only after it proved to be a database of ours. */
aq_status pool_tighten(struct pool_file *file, const struct place *place, struct aq_error *err);

/* The lock between refreshers. AQ_AGAIN when anybody else holds it. */
aq_status pool_lock(struct pool_file *file, const struct place *place, const void *owner,
                    struct aq_error *err);

/* Release what owner holds, if anything. */
void pool_unlock(const void *owner);

#endif
