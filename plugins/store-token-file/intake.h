/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a token that was handed in: all of a file, or all that a pipe brought. Files are
 * read anew each time, for somebody may have replaced them. A pipe can be read once only, so what
 * came out of it is kept until the process ends, for every instance that is opened on it.
 *
 * Errors begin with `object`, the file or descriptor by its name.
 */
#ifndef TOKEN_FILE_INTAKE_H
#define TOKEN_FILE_INTAKE_H

#include <amazonq/plugin.h>
#include <stdbool.h>

/* What was read. */
struct intake {
    char *ptr; /* len bytes */
    size_t len;
    bool open_to_all; /* every user of this machine can read the file */
};

/* Wipe and free. */
void intake_done(struct intake *in);

/*
 * Read a regular file; symbolic links are followed.
 *
 * Returns AQ_OK, AQ_E_NOTFOUND if there is none (with a text), AQ_E_DENIED, AQ_E_CORRUPT if it is
 * something else or larger than AQ_STORE_VALUE_MAX, AQ_E_IO, AQ_E_NOMEM.
 */
aq_status intake_file(const char *object, const char *path, struct intake *ret,
                      struct aq_error *err);

/*
 * Read an open regular file from its beginning, or a pipe to its end, 5 s after it was first looked
 * at the latest; what has come by then is kept. The descriptor is marked close-on-exec, and neither
 * closed nor moved.
 *
 * Returns as intake_file, or AQ_E_BUSY while the pipe's writer is not done, also when a signal
 * came.
 */
aq_status intake_descriptor(const struct aq_host *host, const char *object, int fd,
                            struct intake *ret, struct aq_error *err);

/* Fill err with "object: ..." and return status; sys is errno, or 0. */
aq_status intake_fail(struct aq_error *err, aq_status status, int sys, const char *object,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
