/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the caller's struct aq_error: "object: what is wrong, what to do". */
#ifndef STORE_SQLITE_FAIL_H
#define STORE_SQLITE_FAIL_H

#include <amazonq/plugin.h>
#include <stdbool.h>

/* What SQLite types look like to those who do not call it. */
struct sqlite3;

/* Returns status. The text is made safe to print. */
aq_status fail(struct aq_error *err, aq_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A path may hold anything: replace what a terminal could obey. */
void fail_make_printable(char *text);

/* An error of the operating system: maps errno, adds its text and advice. */
aq_status fail_errno(struct aq_error *err, int sys, const char *path, const char *what);

/* Whether this errno says that what may be read may not be written. */
bool fail_is_forbidden(int sys);

/* An error of SQLite: maps its code. db may be NULL where it was not opened; err may not. */
aq_status fail_sqlite(struct aq_error *err, int code, struct sqlite3 *db, const char *path);

#endif
