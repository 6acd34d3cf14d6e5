/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private SQLite: memory that is wiped, and locks that survive company.
 *
 * POSIX locks belong to a process, so a second SQLite in it (Python's) neither sees ours nor keeps
 * its own once we close a descriptor of the same file. Our copy therefore turns each of its locks
 * into a lock of ONE open file description per database, which pool.c keeps.
 *
 * With AQ_SQLITE_SYSTEM the process shares one SQLite, which does its own bookkeeping: nothing is
 * changed then. Calls are made under the pool's mutex only.
 */
#ifndef STORE_SQLITE_ENGINE_H
#define STORE_SQLITE_ENGINE_H

#include <amazonq/plugin.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <sys/stat.h>

/* The byte that lock() takes. SQLite's own end at 1 GiB + 512; no database is that long. */
#define ENGINE_LOCK_BYTE 0x6000000000000000

/* Open the database that lock_fd refers to, whatever its path has come to name meanwhile.
 * *ret_fd is the descriptor SQLite uses, or -1 if that is its own business. */
aq_status engine_open(const char *path, int lock_fd, bool writable, sqlite3 **ret_db, int *ret_fd,
                      struct aq_error *err);

/* errno of a read that failed since the last call of this function; 0 if none did, or if SQLite
 * does not let us know. SQLite itself calls an I/O error of the disk a damaged database. */
int engine_take_read_error(void);

/* For the pool: where locks on a descriptor of SQLite go; fd itself if it is not a database. */
int pool_lock_descriptor(int fd);

#endif
