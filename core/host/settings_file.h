/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.json, which the existing CLI and others write, too: found, read, and changed one member
 * at a time. Every other byte of it stays as it is, and whoever reads it finds the old or the new
 * one whole.
 */
#ifndef AQ_HOST_SETTINGS_FILE_H
#define AQ_HOST_SETTINGS_FILE_H

#include "base/buf.h"

#include <amazonq/status.h>

enum { SETTINGS_FILE_MAX = 1 << 20 };

/* Append its path. */
aq_status settings_file_path(struct buf *out, struct aq_error *err);

/*
 * Append its text; nothing if there is no file.
 *
 * Returns AQ_OK, AQ_E_INVALID (cannot be read, belongs to somebody else or can be written by
 * others: it may name an endpoint that will be shown a token), AQ_E_NOMEM.
 */
aq_status settings_file_read(const char *path, struct buf *out, struct aq_error *err);

/* AQ_E_INVALID if text is neither empty nor one JSON object; path is for the message. */
aq_status settings_file_check_text(const char *path, struct aq_str text, struct aq_error *err);

/* Append to `out` the text with this member set to a JSON value; removed if value.ptr is NULL.
 * AQ_E_INVALID as above, or if it becomes too long. */
aq_status settings_file_edit(const char *path, struct aq_str text, struct aq_str key,
                             struct aq_str value, struct buf *out, struct aq_error *err);

/*
 * Change the file in this way, under a lock that the existing CLI respects; made if there is none,
 * 0600 in 0700. A symbolic link stays one: what it points to is replaced.
 *
 * Returns AQ_OK, AQ_E_INVALID (as read and edit), AQ_E_BUSY (locked for more than 5 s), AQ_E_IO,
 * AQ_E_NOMEM; after any of these the file is as it was.
 */
aq_status settings_file_change(struct aq_str key, struct aq_str value, struct aq_error *err);

#endif
