/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a database is, and whether it may be trusted there. Nothing here opens the database file
 * for reading or writing and closes it again: that would drop the POSIX locks which another SQLite
 * in this process may hold on it.
 */
#ifndef STORE_SQLITE_PLACE_H
#define STORE_SQLITE_PLACE_H

#include <amazonq/plugin.h>
#include <stdbool.h>
#include <sys/stat.h>

struct place {
    char *path; /* absolute, of the database file */
    char *dir;
    const char *name; /* last component, inside path */
};

/* Copies path, which must be absolute and end in a file name. */
aq_status place_init(struct place *p, struct aq_str path, struct aq_error *err);
void place_done(struct place *p);

/* Look at directory and file. AQ_E_NOTFOUND when either is missing, AQ_E_DENIED when others could
 * have tampered with them. */
aq_status place_inspect(const struct place *p, struct stat *ret, struct aq_error *err);

/* The part of place_inspect that looks at the file. */
aq_status place_inspect_file(const struct place *p, struct stat *ret, struct aq_error *err);

/* The same for a file that was looked up already. */
aq_status place_check_file(const struct place *p, const struct stat *st, struct aq_error *err);

/* Whether the file's mode lets other users read it; the user's own group is none of them. */
bool place_is_readable_by_others(const struct stat *st);

/* Make the file, which is open as fd, and what is saved beside it in WAL mode its owner's alone. */
aq_status place_tighten(const struct place *p, int fd, struct aq_error *err);

/* Whether the path still names this inode, and nothing else does. */
bool place_is(const struct place *p, dev_t dev, ino_t ino);

/* Whether the file is a mount point of its own: then a journal beside it is not the one that others
 * see. */
aq_status place_is_mount_point(const struct place *p, bool *ret, struct aq_error *err);

/* The same, and AQ_E_READONLY on a file system whose locks do not reach everybody. */
aq_status place_check_mount(const struct place *p, bool *ret_alone, struct aq_error *err);

/* Make the missing directories, 0700, and an empty file, 0600. *ret_fd is -1 if somebody else was
 * faster, else open for reading and writing. What root makes belongs to whom the directory does. */
aq_status place_create(const struct place *p, int *ret_fd, struct aq_error *err);

/* Prove that place_create would work, without doing it. */
aq_status place_can_create(const struct place *p, struct aq_error *err);

/* Reserve disk space beside the database, or where its directory would be made, until the
 * descriptor is closed. */
aq_status place_reserve(const struct place *p, int *ret_fd, struct aq_error *err);

#endif
