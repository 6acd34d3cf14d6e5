/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose the files are that root makes in a container: those of whom the database belongs to, or the
 * directory. He could not use it outside otherwise. They are his from the first instant, because
 * whoever makes them may be killed in the next one: they are made under his identity for files,
 * which is this thread's alone. Everybody but root makes files of his own.
 */
#ifndef STORE_SQLITE_OWNER_H
#define STORE_SQLITE_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>

/* open(2) with O_CREAT or O_TMPFILE, for the owner of like. Where he may not, or root may not take
 * his identity, the file is root's. The path is absolute; names on the way are root's to look up.
 */
int owner_open(const char *path, int flags, mode_t mode, const struct stat *like);

/* Make a directory, 0700, for the owner of the one it goes into. 0 or an errno. */
int owner_make_dir(int parent, const char *name);

/* Make a file his that is root's after all. Whether it is his now. */
bool owner_give(int fd, const struct stat *like);

#endif
