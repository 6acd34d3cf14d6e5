/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"

#include "engine.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fail_make_printable(char *text)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
}

aq_status fail(struct aq_error *err, aq_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        memset(err, 0, sizeof(*err));
        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        fail_make_printable(err->text);
    }
    return status;
}

static aq_status status_of_errno(int sys)
{
    switch (sys) {
    case ENOENT:
    case ENOTDIR:
        return AQ_E_NOTFOUND;
    case EACCES:
    case EPERM:
    case ELOOP:
        return AQ_E_DENIED;
    case EROFS:
        return AQ_E_READONLY;
    case ENOMEM:
        return AQ_E_NOMEM;
    default:
        return AQ_E_IO;
    }
}

static const char *advice_for_errno(int sys)
{
    switch (sys) {
    case EACCES:
    case EPERM:
        return "check permissions of file and directories";
    case EROFS:
        return "mount it writable";
    case ENOSPC:
    case EDQUOT:
        return "free some space";
    case EMFILE:
    case ENFILE:
        return "close some files";
    default:
        return "check path and disk";
    }
}

aq_status fail_errno(struct aq_error *err, int sys, const char *path, const char *what)
{
    char cause[128];
    aq_status status = fail(err, status_of_errno(sys), "%s: %s (%s), %s", path, what,
                            strerror_r(sys, cause, sizeof(cause)), advice_for_errno(sys));
    if (err) {
        err->sys = sys;
    }
    return status;
}

bool fail_is_forbidden(int sys)
{
    switch (sys) {
    case EACCES:
    case EPERM:
    case EROFS:
        return true;
    default:
        return false;
    }
}

/* What a code of SQLite means for the caller, and what can be done about it. */
struct meaning {
    int code; /* extended, or primary when no extended one is listed */
    aq_status status;
    const char *text;
};

#define DAMAGED "the database is damaged, restore a copy, or move it away and log in again"

static const struct meaning meanings[] = {
    { SQLITE_BUSY, AQ_E_BUSY, "locked by another program, try again when it is done" },
    { SQLITE_LOCKED, AQ_E_BUSY, "locked by another program, try again when it is done" },
    { SQLITE_PROTOCOL, AQ_E_BUSY, "locked by another program, try again when it is done" },
    /* busy, so that it is tried again with the file that is there now */
    { SQLITE_READONLY_DBMOVED, AQ_E_BUSY, "replaced by another program, try again" },
    { SQLITE_READONLY_ROLLBACK, AQ_E_DENIED,
      "another program was interrupted while it saved, make file and directory writable to "
      "repair" },
    { SQLITE_READONLY_RECOVERY, AQ_E_DENIED,
      "another program was interrupted while it saved, make file and directory writable to "
      "repair" },
    { SQLITE_READONLY_DIRECTORY, AQ_E_READONLY,
      "no file can be made in its directory, make the directory writable" },
    { SQLITE_READONLY, AQ_E_READONLY,
      "cannot be written, check permissions of file and directory" },
    { SQLITE_CANTOPEN_SYMLINK, AQ_E_DENIED,
      "reached through a symbolic link, give the path it points to" },
    { SQLITE_CANTOPEN, AQ_E_DENIED,
      "it or a file beside it cannot be opened, check permissions of file and directory" },
    { SQLITE_PERM, AQ_E_DENIED, "access is forbidden, check permissions of file and directory" },
    { SQLITE_AUTH, AQ_E_DENIED, "access is forbidden, check permissions of file and directory" },
    { SQLITE_CORRUPT, AQ_E_CORRUPT, DAMAGED },
    { SQLITE_NOTADB, AQ_E_CORRUPT,
      "is not an SQLite database, check the path, or move it away and log in again" },
    { SQLITE_TOOBIG, AQ_E_CORRUPT, "holds a value larger than 1 MiB, remove it and log in again" },
    { SQLITE_FULL, AQ_E_IO, "the disk is full, free some space" },
    { SQLITE_IOERR_NOMEM, AQ_E_NOMEM, "out of memory" },
    { SQLITE_NOMEM, AQ_E_NOMEM, "out of memory" },
};

static const struct meaning *meaning_of(int code)
{
    static const struct meaning unknown = { 0, AQ_E_IO, NULL };
    const size_t count = sizeof(meanings) / sizeof(meanings[0]);
    for (size_t i = 0; i < count; i++) {
        if (meanings[i].code == code) {
            return &meanings[i];
        }
    }
    return code == (code & 0xff) ? &unknown : meaning_of(code & 0xff);
}

/* Whether the file begins as an SQLite database does. SQLite answers NOTADB also when something
 * else in the header makes no sense. It reads, because nobody else may open and close the file. */
static bool has_magic(sqlite3 *db)
{
    static const char magic[] = "SQLite format 3"; /* with its NUL */
    char found[sizeof(magic)];
    sqlite3_file *file;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return file->pMethods->xRead(file, found, sizeof(found), 0) == SQLITE_OK &&
           memcmp(found, magic, sizeof(magic)) == 0;
}

aq_status fail_sqlite(struct aq_error *err, int code, struct sqlite3 *db, const char *path)
{
    if (code == SQLITE_NOTADB && has_magic(db)) {
        code = SQLITE_CORRUPT;
    }
    int sys = db ? sqlite3_system_errno(db) : 0;
    int read_error = engine_take_read_error();
    if ((code & 0xff) == SQLITE_CORRUPT && read_error) {
        code = SQLITE_IOERR_READ;
        sys = read_error;
    }
    const struct meaning *m = meaning_of(code);
    char cause[32] = "";

    if (m->text) {
        fail(err, m->status, "%s: %s", path, m->text);
    } else {
        if (sys) {
            snprintf(cause, sizeof(cause), " (error %d)", sys);
        }
        fail(err, m->status, "%s: %s%s, check the disk and try again", path, sqlite3_errstr(code),
             cause);
    }
    err->sys = (code & 0xff) == SQLITE_FULL ? ENOSPC : sys;
    return m->status;
}
