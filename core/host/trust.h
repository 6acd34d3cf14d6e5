/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who could have put this file here. A file is trusted when it and every directory above it belong
 * to root or to the user we run as, and nobody else can write to them. Two things do not count as
 * "somebody else": a sticky directory (others cannot replace what is not theirs), and write
 * permission of the user's own primary group.
 */
#ifndef AQ_HOST_TRUST_H
#define AQ_HOST_TRUST_H

#include <amazonq/status.h>
#include <stdbool.h>
#include <sys/types.h>

/* What was inspected, to be compared with what was opened. */
struct trust_file {
    dev_t dev;
    ino_t ino;
};

/*
 * Inspect an absolute path without symbolic links in it (realpath made it so).
 *
 * object  what the error text begins with
 * Returns AQ_OK; AQ_E_DENIED naming the first thing that is wrong and how to mend it;
 * AQ_E_NOTFOUND.
 */
aq_status trust_check(const char *object, const char *real_path, struct trust_file *ret,
                      struct aq_error *err);

/*
 * Inspect a directory that code is looked for in. Nobody else may be able to put a file there, so a
 * sticky one will not do. If it is not there, the same holds for the one it would be made in.
 */
aq_status trust_check_directory(const char *object, const char *path, struct aq_error *err);

struct stat;

/* True if somebody other than root and the user we run as can write to what info describes. */
bool trust_others_can_write(const struct stat *info);

/* True when the process runs with more rights than its user (set-user-ID, file capabilities): then
 * nothing the user can influence may choose code or files. */
bool trust_is_privileged(void);

#endif
